"""RunningJob: a run as a notebook holds it. It is there at once; whatever takes time happens elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import html
import threading
import time
import weakref
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from napari_s1omni import errors
from napari_s1omni.errors import JobError, S1OmniError, StoreError
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import Failure, RunStatus, describe_failure
from napari_s1omni.execution.run.watch import status
from napari_s1omni.frontends.notebook.cell_outputs import CellOutputs
from napari_s1omni.frontends.notebook.source_layer import find_source, name_of
from napari_s1omni.frontends.notebook.static_repr import static_html
from napari_s1omni.frontends.session.controller import Controller, call_directly
from napari_s1omni.frontends.session.run import Deliver, Run, reopen
from napari_s1omni.frontends.session.run_history import new_output, remember
from napari_s1omni.jobs.prepare import measure_source, prepare
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.results.region_properties import Columns
from napari_s1omni.results.report import write_report
from napari_s1omni.results.result import Result
from napari_s1omni.storage.source import Source

_LOOK = 0.1
"""Seconds between two looks while somebody waits."""
_SHOWN, _SEEN = 0.3, 2.0
"""Seconds that measuring lets a cell show the job, and then a front end see the first px."""


class RunningJob:
    """A job that runs in a process of its own.

    Its last line in a cell is a live panel; ``await job`` waits for the result
    without blocking the kernel. Closing the notebook does not end the run:
    :func:`napari_s1omni.attach` finds it again.

    Parameters
    ----------
    job : Job
    array : array-like, optional
        The pixels, where they live in this process; they are written out once for the run.
    options : tuple of str
        More options of ``s1omni run``.
    python : str, optional
        Interpreter that holds the engines; by default that of ``S1OMNI_PYTHON``, else this one.
    """

    def __init__(self, job: Job, array: Any = None, options: tuple[str, ...] = (), python: str | None = None) -> None:
        if job.output is None and job.into is None:
            job = job.replace(output=str(new_output(f"{name_of(job)}-{job.operation.type}")))
        self._setup(job, python)
        self._options = options
        self._array = array
        self._start()

    @classmethod
    def attach(cls, path: str | Path) -> RunningJob:
        """Watch a run again that was started before, from wherever.

        Raises
        ------
        StoreError
            If nothing was ever begun there.
        """
        known = Result.open(path).plan.job
        here = object.__new__(cls)
        here._setup(known if known.into else known.replace(output=str(path)), None)
        here._options = ()
        here._array = None
        here._watch_again()
        return here

    def _setup(self, job: Job, python: str | None) -> None:
        self.job = job
        """What was asked for, with its output."""
        self.path = output_path(job).absolute()
        """Folder of the result."""
        self.deliver = _deliver_here()
        """Runs a function where news are shown: on the kernel's loop if there is one."""
        self.controller = Controller(self.deliver, python)
        """The state behind the form, previews and forecasts of the panel."""
        # Helpers of previews must not outlive the last look at a job.
        weakref.finalize(self, self.controller.close)
        self.source: Source | None = None
        """The image; None until it was opened."""
        self.run: Run | None = None
        """The run as it is watched; None while it is prepared."""
        self._failure: Failure | None = None
        self._cancelled = False
        self._panel: Any = None
        self._shown = threading.Event()
        self.seen = threading.Event()
        """Set when a view of the panel got its first px."""
        self._outputs = CellOutputs(self._repr_mimebundle_)
        self._beginning: threading.Thread | None = None
        self._heard: list[Callable[[], None]] = []

    @property
    def status(self) -> RunStatus:
        """How far it is."""
        if self._failure is not None:
            return RunStatus(RunState.FAILED, error=self._failure)
        if self._cancelled and self.run is None:
            return RunStatus(RunState.CANCELLED)
        return self.run.status if self.run is not None else RunStatus(RunState.STARTING)

    @property
    def working(self) -> bool:
        """Whether it is at work, or will be."""
        return self.status.alive

    @property
    def result(self) -> Result:
        """The result as far as it is there; it says itself whether it is complete.

        Raises
        ------
        S1OmniError
            If nothing is there yet, or nothing came of it.
        """
        if self._failure is not None and not (self.path / "zarr.json").is_file():
            raise _error(self._failure)
        return Result.open(self.path)

    def __await__(self) -> Generator[Any, None, Result]:
        """Wait for the end and return the result; raise what ended it otherwise."""
        return self._finished().__await__()

    def wait(self, timeout: float | None = None) -> Result:
        """Block until the end; in a notebook, ``await job`` leaves the kernel free.

        Parameters
        ----------
        timeout : float, optional
            Seconds after which ``TimeoutError`` is raised.
        """
        end = None if timeout is None else time.monotonic() + timeout
        # The store is asked, since news may be waiting for the very thread that waits here.
        while (now := self._stored_status()).alive:
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"{self.path} is still {now.state}")
            time.sleep(_LOOK)
        return self._outcome(now)

    def table(self, image: Any = None) -> Columns:
        """Measure every object found so far; see :meth:`napari_s1omni.Result.table`."""
        return self.result.table(image)

    def report(self, path: str | Path | None = None) -> Path:
        """Write one self-contained HTML page about the run.

        Parameters
        ----------
        path : str or Path, optional
            An ``.html`` file; by default it lies beside the result.

        Returns
        -------
        Path
        """
        page = Path(path) if path is not None else self.path.with_suffix(".html")
        try:
            write_report(self.result, page, self.source)
        except OSError as error:
            raise StoreError(f"{page} cannot be written: {error.strerror}", remedy="choose another folder") from error
        return page

    def pause(self) -> None:
        """Ask it to wait after the tiles in hand."""
        self._begun().pause(True)

    def resume(self) -> None:
        """Let it go on: after a pause, or in a new process where it was cancelled or failed."""
        if self.run is None and not self.working:
            # What kept it from beginning may have been put right since.
            self._failure, self._cancelled = None, False
            if self._beginning is None or not self._beginning.is_alive():
                self._start()
            self._tell()
            return
        run = self._begun()
        if run.alive:
            run.pause(False)
            return
        launched = run.start(self.controller.python, self._options)
        remember(launched.path, run.title)

    def cancel(self) -> None:
        """Ask it to stop; what is finished is kept, and :meth:`resume` goes on from there."""
        if self.run is None:
            self._cancelled = True
            self._tell()
        elif self.run.alive:
            self.run.cancel()

    def close(self) -> None:
        """Stop watching and previewing. The run goes on."""
        self.controller.close()

    def on_news(self, hear: Callable[[], None]) -> None:
        """Call a function, on the surface's thread, whenever something changed."""
        self._heard.append(hear)

    def __repr__(self) -> str:
        now = self.status
        tiles = f", {now.tiles_done:,} of {now.tiles_total:,} tiles" if now.tiles_total else ""
        why = f": {now.error.message}" if now.error else ""
        return f"RunningJob({self.path}, {now.state}{tiles}{why})"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """A live panel where a front end can show one, with a picture and numbers for everything else."""
        bundle: dict[str, Any] = {"text/plain": repr(self), "text/html": self._still()}
        with contextlib.suppress(ImportError):
            # Without the extra, the picture is all there is.
            live = self.panel._repr_mimebundle_()
            # Some releases return what is shown together with metadata.
            bundle = {**(live[0] if isinstance(live, tuple) else live or {}), **bundle}
        return bundle

    def _ipython_display_(self) -> None:
        self._outputs.add()

    def _still(self) -> str:
        try:
            return static_html(self)
        except (S1OmniError, OSError) as error:
            return f"<pre>{html.escape(f'{self!r}: {error}')}</pre>"

    @property
    def panel(self) -> Any:
        """The live panel, an anywidget; all views of the job share it."""
        if self._panel is None:
            from napari_s1omni.frontends.notebook.panel import Panel

            self._panel = Panel(self)
            self._shown.set()
        return self._panel

    async def _finished(self) -> Result:
        while self.working:
            await asyncio.sleep(_LOOK)
        return self._outcome(self.status)

    def _outcome(self, now: RunStatus) -> Result:
        # Once more, since what is shown while a cell runs belongs to that cell.
        self._outputs.renew()
        if now.state is RunState.COMPLETE:
            return Result.open(self.path)
        if now.error is not None:
            raise _error(now.error)
        raise errors.RunInterrupted(
            f"the run is {now.state}", "everything that was finished is kept", "call resume() to go on"
        )

    def _stored_status(self) -> RunStatus:
        if self._failure is not None or self.run is None or self.run.queued:
            return self.status
        try:
            return status(self.path)
        except StoreError:
            if self._beginning is not None and self._beginning.is_alive():
                # Its process is about to be started.
                return RunStatus(RunState.STARTING)
            raise

    def _begun(self) -> Run:
        if self.run is None:
            why = self._failure.message if self._failure else "the image is still being measured"
            raise JobError(f"the run has not begun: {why}", remedy="wait a moment and try again")
        return self.run

    def _start(self) -> None:
        self._beginning = threading.Thread(target=self._begin, name="beginning a job", daemon=True)
        self._beginning.start()

    def _begin(self) -> None:
        """Open, measure, plan, write out and start; in a thread of its own."""
        array = self._array
        try:
            located, source = find_source(self.job, array)
            self._saw(source)
            self._let_look()
            seen = measure_source(self.job.source, located.array)
            self.deliver(lambda: self.controller.adopt(located, seen, self.job.replace(output=None, into=None)))
            prepared = prepare(self.job, located.array, seen=seen)
            job = self.job
            if located.array is not None:
                job = job.replace(source=dict(self.controller.spilled.reference(located.array, located.ref)))
            if self._cancelled:
                return
            run = Run(job, prepared.plan, f"{job.operation.prompt} · {located.view.name}", self.deliver)
            run.queued = False
            self._follow(run)
            if _at_work(self.path):
                # A cell that is run again shows the run that it began before.
                run.watch()
                return
            run.start(self.controller.python, self._options)
            remember(self.path, run.title)
        except Exception as error:  # whatever is wrong is said, not lost in a thread
            self._failure = describe_failure(error)
            self.deliver(self._tell)

    def _let_look(self) -> None:
        """Wait for the first px to be on their way: measuring takes the interpreter from whoever draws them."""
        if self.deliver is not call_directly and self._shown.wait(_SHOWN):
            self.seen.wait(_SEEN)

    def _watch_again(self) -> None:
        run = reopen(self.path, str(self.job.operation.prompt), self.deliver)
        run.status = status(self.path)
        self._follow(run)
        run.watch()

        def work() -> None:
            # A source that is gone costs the view of it, not that of the run.
            with contextlib.suppress(S1OmniError, OSError):
                located, source = find_source(run.plan.job, None)
                self._saw(source)
                seen = measure_source(run.plan.job.source)
                self.deliver(lambda: self.controller.adopt(located, seen, self.job.replace(output=None, into=None)))

        threading.Thread(target=work, name="opening the source", daemon=True).start()

    def _follow(self, run: Run) -> None:
        self.run = run
        run.changed.connect(self._changed)
        run.ended.connect(self._changed)
        self.deliver(lambda: self.controller.queue.watch(run))

    def _saw(self, source: Source) -> None:
        self.source = source
        self.deliver(self._tell)

    def _changed(self, run: Run) -> None:
        self._tell()

    def _tell(self) -> None:
        for hear in self._heard:
            hear()
        if not self.working:
            self._outputs.renew()


def _at_work(path: Path) -> bool:
    try:
        return status(path).alive
    except StoreError:
        return False


def _error(found: Failure) -> S1OmniError:
    kind = getattr(errors, found.kind, S1OmniError)
    error: S1OmniError = kind(found.message, remedy=found.remedy)
    return error


def _deliver_here() -> Deliver:
    """Deliver on the loop that runs this code, or at once where there is none."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return call_directly

    def deliver(work: Callable[[], None]) -> None:
        # A loop that was closed has nobody left who looks.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(work)

    return deliver
