"""A job in a notebook: returned at once, shown as a live panel, awaited for its result."""

from __future__ import annotations

import asyncio
import contextlib
import html
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from napari_s1omni.core.paths import local_path
from napari_s1omni.errors import JobError, RunInterrupted, S1OmniError
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import RunStatus
from napari_s1omni.frontends.notebook.cell_outputs import CellOutputs
from napari_s1omni.frontends.notebook.job_session import JobSession, error_of
from napari_s1omni.frontends.notebook.static_repr import static_html
from napari_s1omni.frontends.session.controller import Controller
from napari_s1omni.frontends.session.run import Run
from napari_s1omni.planning.job import Job
from napari_s1omni.results.object_table import ObjectTable
from napari_s1omni.results.report import write_report
from napari_s1omni.results.result import Result
from napari_s1omni.storage.source import Source

_POLL = 0.1
"""Seconds between two checks while a caller waits."""


class RunningJob:
    """A job that runs in a process of its own.

    On the last line of a cell it shows a live panel; ``await job`` waits for the result
    without blocking the kernel. The run continues when the notebook is closed:
    :func:`napari_s1omni.attach` finds it again. A run that is started from the panel becomes
    the job; :attr:`results` keeps those before it.

    Parameters
    ----------
    job : Job
        Without an output, the result is written to the cache folder.
    array : array-like, optional
        The pixels, if they are no file. What is stored on disk is read there; of the rest, what the run reads is
        copied to disk.
    options : tuple of str
        Options of ``s1omni run``.
    python : str, optional
        Interpreter with the engines; by default ``S1OMNI_PYTHON``, else this one.

    Examples
    --------
    >>> job = napari_s1omni.segment("cells.tif", "nuclei.zarr", block=False)
    >>> job  # live panel
    >>> result = await job
    """

    def __init__(self, job: Job, array: Any = None, options: tuple[str, ...] = (), python: str | None = None) -> None:
        self._show(JobSession(job, python))
        self._session.start(array, options)

    @classmethod
    def attach(cls, path: str | Path) -> RunningJob:
        """Watch a run that was started before, also from another process.

        Parameters
        ----------
        path : str or Path
            Output folder of the run.

        Raises
        ------
        StoreError
            If the folder holds no run.
        """
        path = local_path(path, "result", "call attach on the machine where the run is")
        known = Result.open(path).plan.job
        running = object.__new__(cls)
        running._show(JobSession(known if known.into else known.replace(output=str(path))))
        running._session.attach()
        return running

    def _show(self, session: JobSession) -> None:
        self._session = session
        self._panel: Any = None
        self._outputs = CellOutputs(self._still_bundle)
        session.on_change(self._update_outputs)

    @property
    def job(self) -> Job:
        """The job, with its output."""
        return self._session.job

    @property
    def path(self) -> Path:
        """Folder of the result."""
        return self._session.path

    @property
    def controller(self) -> Controller:
        """State of the panel's form, its previews and its estimates."""
        return self._session.controller

    @property
    def source(self) -> Source | None:
        """The image; None until it is open."""
        return self._session.source

    @property
    def run(self) -> Run | None:
        """The run; None until the job is planned."""
        return self._session.run

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call a function after every change, on the kernel's event loop."""
        self._session.on_change(listener)

    @property
    def results(self) -> list[Result]:
        """The results of all runs of this job, the oldest first, also those that its panel started; to compare them."""
        found = []
        for run in self._session.runs:
            # A run that is waiting or failed has none.
            with contextlib.suppress(S1OmniError):
                found.append(self._session.result_of(run))
        return found

    @property
    def status(self) -> RunStatus:
        """State and progress, read now."""
        return self._session.present_status

    @property
    def working(self) -> bool:
        """Whether the job is running, or about to."""
        return self.status.alive

    @property
    def result(self) -> Result:
        """The result, finished or not; see :attr:`napari_s1omni.Result.complete`.

        Raises
        ------
        S1OmniError
            If there is none yet, the job failed before there was one, or its folder holds that of another job.
        """
        return self._session.result

    def __await__(self) -> Generator[Any, None, Result]:
        """Wait for the end; return the result, or raise the error that ended the run."""
        return self._finished().__await__()

    def wait(self, timeout: float | None = None) -> Result:
        """Block until the end. In a notebook, use ``await job``, which leaves the kernel free.

        Parameters
        ----------
        timeout : float, optional
            Seconds after which ``TimeoutError`` is raised.
        """
        end = None if timeout is None else time.monotonic() + timeout
        # Read from the output, because this thread blocks the event loop that updates the status.
        while (now := self._session.stored_status()).alive:
            if self.run is not None and self.run.queued:
                raise JobError("the run waits for the one before it", remedy="use `await job`, or wait for that one")
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"{self.path} is still {now.state}")
            time.sleep(_POLL)
        return self._outcome(now)

    def table(self, image: Source | None = None, channels: Sequence[int | str] | None = None) -> ObjectTable:
        """Measure all objects found so far; see :meth:`napari_s1omni.Result.table`."""
        return self.result.table(image, channels)

    def report(self, path: str | Path | None = None) -> Path:
        """Write a self-contained HTML report of the run.

        Parameters
        ----------
        path : str or Path, optional
            An ``.html`` file; by default beside the result.

        Returns
        -------
        Path

        Raises
        ------
        StoreError
            If the file cannot be written.
        """
        page = local_path(path, "report") if path is not None else self.path.with_suffix(".html")
        write_report(self.result, page, self._session.source)
        return page

    def pause(self) -> None:
        """Pause the run after its current tiles."""
        self._session.pause()

    def resume(self) -> None:
        """Continue the run: after a pause, or in a new process if it was cancelled or has failed."""
        self._session.resume()

    def cancel(self) -> None:
        """Stop the run; finished blocks are kept, and :meth:`resume` continues from there."""
        self._session.cancel()

    def close(self) -> None:
        """Stop watching and previewing. The run continues."""
        self.controller.close()

    @property
    def panel(self) -> Any:
        """The live panel, an anywidget; all views of the job share it."""
        if self._panel is None:
            from napari_s1omni.frontends.notebook.panel import Panel

            self._panel = Panel(self._session)
            self._session.panel_shown.set()
        return self._panel

    def __repr__(self) -> str:
        now = self.status
        tiles = f", {now.tiles_done:,} of {now.tiles_total:,} tiles" if now.tiles_total else ""
        why = f": {now.error.message}" if now.error else f", {self._session.copying}" * bool(self._session.copying)
        heard = f", {now.last_heard}" if now.last_heard else ""
        return f"RunningJob({self.path}, {now.state}{heard}{tiles}{why})"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Return a live panel, and a picture with numbers for pages without a kernel."""
        return {**self._live_bundle(), **self._still_bundle()}

    def _ipython_display_(self) -> None:
        self._outputs.add(self._live_bundle())

    def _live_bundle(self) -> dict[str, Any]:
        """Return the panel; empty without the extra 'notebook'."""
        try:
            live = self.panel._repr_mimebundle_()
        except ImportError:
            return {}
        # Some releases return a pair of bundle and metadata.
        return {**(live[0] if isinstance(live, tuple) else live or {}), "text/plain": ""}

    def _still_bundle(self) -> dict[str, Any]:
        """Return a picture with numbers, which any page shows."""
        try:
            still = static_html(self._session, None if self._panel is None else self._panel.key)
        except Exception as error:  # a picture that cannot be made must not keep a panel from showing the end
            still = f"<pre>{html.escape(f'{self!r}: {error}')}</pre>"
        return {"text/plain": repr(self), "text/html": still}

    def _update_outputs(self) -> None:
        if not self.working:
            self._outputs.update()

    async def _finished(self) -> Result:
        # What was delivered includes the last pixels, for the picture.
        while self._session.status.alive:
            await asyncio.sleep(_POLL)
        return self._outcome(self._session.status)

    def _outcome(self, now: RunStatus) -> Result:
        # Again, because what is shown while a cell runs belongs to that cell.
        self._outputs.update()
        if now.state is RunState.COMPLETE:
            return self._session.result
        if now.error is not None:
            raise error_of(now.error)
        raise RunInterrupted(f"the run is {now.state}", "finished blocks are kept", "call resume() to continue")
