"""One job in this process: its source is opened and measured on a thread, its run is started and watched."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_s1omni import errors
from napari_s1omni.errors import JobError, S1OmniError, StoreError
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import Failure, RunStatus, describe_failure
from napari_s1omni.execution.run.watch import status
from napari_s1omni.frontends.notebook.source_layer import find_source, source_name
from napari_s1omni.frontends.session.background import until_exit
from napari_s1omni.frontends.session.controller import Controller, call_directly
from napari_s1omni.frontends.session.run import Deliver, Run, reopen
from napari_s1omni.frontends.session.run_history import new_output, remember
from napari_s1omni.jobs.prepare import measure_source, prepare
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.results.result import Result
from napari_s1omni.settings import cache_notes
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.source import Source

_WAIT_PANEL, _WAIT_PIXELS = 0.3, 2.0
"""Seconds that measuring waits for a cell to show the job, and then for a panel to get its first pixels."""


class JobSession:
    """State of one job: source, plan, run and failure.

    Parameters
    ----------
    job : Job
        Without an output, it gets one in the cache folder.
    python : str, optional
        Interpreter with the engines; by default ``S1OMNI_PYTHON``, else this one.
    """

    def __init__(self, job: Job, python: str | None = None) -> None:
        if job.output is None and job.into is None:
            for note in cache_notes():
                warnings.warn(note, stacklevel=4)
            job = job.replace(output=str(new_output(f"{source_name(job)}-{job.operation.type}")))
        self.job = job
        """The job, with its output."""
        self.path = output_path(job).absolute()
        """Folder of the result."""
        self.deliver = _event_loop_delivery()
        """Calls a function on the kernel's event loop, or at once if there is none."""
        self.controller = Controller(self.deliver, python)
        """State of the panel's form, its previews and its estimates."""
        # Preview processes must end with the last reference to the job.
        weakref.finalize(self, self.controller.close)
        self.source: Source | None = None
        """The image; None until it is open."""
        self.run: Run | None = None
        """The run; None until the job is planned."""
        self.panel_shown = threading.Event()
        """Set when a panel of the job was made."""
        self.pixels_shown = threading.Event()
        """Set when a panel got its first pixels."""
        self._options: tuple[str, ...] = ()
        self._array: Any = None
        self._failure: Failure | None = None
        self._cancelled = False
        self._thread: threading.Thread | None = None
        self._listeners: list[Callable[[], None]] = []

    @property
    def status(self) -> RunStatus:
        """State and progress, as far as they were delivered."""
        if self._failure is not None:
            return RunStatus(RunState.FAILED, error=self._failure)
        if self._cancelled and self.run is None:
            return RunStatus(RunState.CANCELLED)
        return self.run.status if self.run is not None else RunStatus(RunState.STARTING)

    @property
    def result(self) -> Result:
        """The result, finished or not.

        Raises
        ------
        S1OmniError
            If there is none yet, or the job failed before there was one.
        """
        if self._failure is not None and not ResultStore.exists(self.path):
            raise error_of(self._failure)
        return Result.open(self.path)

    def stored_status(self) -> RunStatus:
        """Read state and progress from the output, for a caller that blocks the event loop."""
        if self._failure is not None or self.run is None or self.run.queued:
            return self.status
        try:
            return self.run.read_status()
        except StoreError:
            if self._thread is not None and self._thread.is_alive():
                # Its process is about to start.
                return RunStatus(RunState.STARTING)
            raise

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call a function, on the event loop, after every change."""
        self._listeners.append(listener)

    def start(self, array: Any = None, options: tuple[str, ...] = ()) -> None:
        """Open, measure, plan and start the job on a thread.

        Parameters
        ----------
        array : array-like, optional
            The pixels, if they are in memory.
        options : tuple of str
            Options of ``s1omni run``.
        """
        self._array, self._options = array, options
        self._start_thread()

    def attach(self) -> None:
        """Watch a run that was started before.

        Raises
        ------
        StoreError
            If the output holds no run.
        """
        run = reopen(self.path, str(self.job.operation.prompt), self.deliver)
        run.status = status(self.path)
        self._watch(run)
        run.watch()

        @until_exit()
        def open_image() -> None:
            # If the source is gone, the run can still be watched without it.
            with contextlib.suppress(S1OmniError, OSError):
                located, source = find_source(run.plan.job, None)
                self._set_source(source)
                seen = measure_source(run.plan.job.source)
                self.deliver(lambda: self.controller.adopt(located, seen, self.job.replace(output=None, into=None)))

        threading.Thread(target=open_image, name="opening the source", daemon=True).start()

    def pause(self) -> None:
        """Pause the run after its current tiles."""
        self._require_run().pause(True)

    def resume(self) -> None:
        """Continue the run: after a pause, or in a new process if it was cancelled or has failed."""
        if self.run is None and not self.status.alive:
            # The cause of the failure may be gone.
            self._failure, self._cancelled = None, False
            if self._thread is None or not self._thread.is_alive():
                self._start_thread()
            self._notify()
            return
        run = self._require_run()
        if run.alive and not run.resumable:
            run.pause(False)
            return
        launched = run.start(self.controller.python, self._options, self.controller.queue.loaded)
        remember(launched.path, run.title)

    def cancel(self) -> None:
        """Stop the run; finished blocks are kept."""
        if self.run is None:
            self._cancelled = True
            self._notify()
        elif self.run.alive:
            self.run.cancel()

    def _require_run(self) -> Run:
        if self.run is None:
            why = self._failure.message if self._failure else "the image is still being measured"
            raise JobError(f"the run has not begun: {why}", remedy="wait a moment and try again")
        return self.run

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._prepare_and_run, name="starting a job", daemon=True)
        self._thread.start()

    def _prepare_and_run(self) -> None:
        array = self._array
        try:
            located, source = find_source(self.job, array)
            self._set_source(source)
            self._wait_for_pixels()
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
            self._watch(run)
            if _is_running(self.path):
                # A cell that runs again shows the run that it started before.
                run.watch()
                return
            run.start(self.controller.python, self._options, self.controller.queue.loaded)
            remember(self.path, run.title)
        except Exception as error:  # shown in the panel instead of lost in the thread
            self._failure = describe_failure(error)
            self.deliver(self._notify)

    def _wait_for_pixels(self) -> None:
        """Let the panel draw first: measuring would keep the interpreter from it."""
        if self.deliver is not call_directly and self.panel_shown.wait(_WAIT_PANEL):
            self.pixels_shown.wait(_WAIT_PIXELS)

    def _watch(self, run: Run) -> None:
        self.run = run
        run.changed.connect(self._run_changed)
        run.ended.connect(self._run_changed)
        self.deliver(lambda: self.controller.queue.watch(run))

    def _set_source(self, source: Source) -> None:
        self.source = source
        self.deliver(self._notify)

    def _run_changed(self, run: Run) -> None:
        self._notify()

    def _notify(self) -> None:
        for listener in self._listeners:
            listener()


def error_of(found: Failure) -> S1OmniError:
    """Return the exception that a failure describes."""
    kind = getattr(errors, found.kind, S1OmniError)
    error: S1OmniError = kind(found.message, remedy=found.remedy)
    return error


def _is_running(path: Path) -> bool:
    try:
        found = status(path)
        return found.alive and not found.is_silent
    except StoreError:
        return False


def _event_loop_delivery() -> Deliver:
    """Return a function that calls others on the running event loop, or at once if there is none."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return call_directly

    def deliver(work: Callable[[], None]) -> None:
        # A closed loop has no view left to update.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(work)

    return deliver
