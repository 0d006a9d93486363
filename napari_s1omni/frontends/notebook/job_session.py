"""One job in this process: its source is opened and measured on a thread, its run is started and watched."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_s1omni import errors
from napari_s1omni.core.image_references import exchange_image
from napari_s1omni.errors import JobError, S1OmniError, StoreError
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import Failure, RunStatus, describe_failure
from napari_s1omni.execution.run.watch import status
from napari_s1omni.frontends.notebook.source_layer import find_source, source_name
from napari_s1omni.frontends.session.background import call_directly, until_exit
from napari_s1omni.frontends.session.controller import Controller
from napari_s1omni.frontends.session.run import Deliver, Run, reopen
from napari_s1omni.frontends.session.run_history import new_output, remember
from napari_s1omni.frontends.session.spilled_layers import copying_text
from napari_s1omni.jobs.prepare import Prepared, measure_source, output_request, prepare
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.results.result import Result
from napari_s1omni.settings import cache_notes
from napari_s1omni.storage.result.output_fingerprint import check_same_run, is_begun
from napari_s1omni.storage.result.preflight import dry_run
from napari_s1omni.storage.source import Source

_POLL = 0.2
"""Seconds between two looks at a run that is starting."""
_WAIT_PANEL, _WAIT_PIXELS = 0.3, 2.0
"""Seconds that measuring waits for a cell to show the job, and then for a panel to get its first pixels."""


class JobSession:
    """State of one job: source, plan, runs and failure.

    Every run that is started from its form becomes the run of the job, so that a panel shows what the job is; the
    runs before it are kept.

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
        self.controller = Controller(self.deliver, python, as_layers=False)
        """State of the panel's form, its previews and its estimates."""
        self.controller.run_added.connect(self._add)
        self.controller.copying.changed.connect(self._show_copying)
        # Preview processes must end with the last reference to the job.
        weakref.finalize(self, self.controller.close)
        self.source: Source | None = None
        """The image; None until it is open."""
        self.run: Run | None = None
        """The run; None until the job is planned."""
        self.runs: list[Run] = []
        """All runs of this job, the oldest first; :attr:`run` is one of them."""
        self.copying = ""
        """How far an image in memory is copied to disk; empty unless it is."""
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
            If there is none yet, the job failed before there was one, or the folder holds that of another job.
        """
        return self.result_of(self.run)

    def result_of(self, run: Run | None) -> Result:
        """Return the result of one of the runs; raises as :attr:`result`."""
        error = self._failure or (run.status.error if run is not None else None)
        if self._failure is not None or run is None:
            raise error_of(error or Failure("JobError", "the image is still being measured", "await the job", 2))
        try:
            found = Result.open(run.path, self.source)
        except StoreError:
            if error is not None:
                raise error_of(error) from None
            raise
        if found.plan.digest != run.plan.digest:
            words = f"{run.path} holds the result of another job, not of '{run.job.operation.prompt}'"
            raise error_of(error or Failure("StoreExists", words, "choose another output", 73))
        return found

    def stored_status(self) -> RunStatus:
        """Read state and progress from the output, for a caller that blocks the event loop.

        Raises
        ------
        StoreError
            If the output is gone.
        """
        run, shown = self.run, self.status
        if self._failure is not None or run is None or run.queued:
            return shown
        try:
            stored = run.read_status()
        except StoreError:
            if self._thread is not None and self._thread.is_alive():
                # Its process is about to start.
                return RunStatus(RunState.STARTING)
            if not shown.alive:
                return shown
            raise
        # Of a process that died before it wrote anything, only its watcher knows.
        return stored if stored.alive or shown.alive else shown

    @property
    def present_status(self) -> RunStatus:
        """State and progress: read from the output, or as far as they were delivered where that is gone."""
        try:
            return self.stored_status()
        except StoreError:
            return self.status

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
                self.deliver(lambda: self.controller.adopt(located, seen, self._next_job()))

        threading.Thread(target=open_image, name="opening the source", daemon=True).start()

    def show(self, path: str) -> None:
        """Let the job be another of its runs, to compare it.

        Raises
        ------
        JobError
            If none of them has this output.
        """
        run = next((run for run in self.runs if str(run.path) == path), None)
        if run is None:
            raise JobError(f"result {path}", f"one of {', '.join(str(run.path) for run in self.runs)}")
        self._choose(run)
        self._notify()

    def choose_image(self, image: str) -> None:
        """Begin again with one image of a file that holds several."""
        uri = exchange_image(self.job.source.uri, image)
        self.job = self.job.replace(source={**self.job.source.model_dump(), "uri": uri})
        self.resume()

    def pause(self) -> None:
        """Pause the run after its current tiles."""
        self._require_run().pause(True)

    def resume(self) -> None:
        """Continue the run: after a pause, or in a new process if it was cancelled or has failed."""
        if self.run is None and not self.status.alive:
            # The cause of the failure may be gone.
            self._failure, self._cancelled = None, False
            self.controller.copying.allow()
            if self._thread is None or not self._thread.is_alive():
                self._start_thread()
            self._notify()
            return
        run = self._require_run()
        # What was delivered may be older: the run may have ended since.
        now = self.present_status
        if run.queued or (now.alive and not now.resumable and not now.is_silent):
            run.pause(False)
            return
        run.forget_cancel()
        launched = run.start(self.controller.queue.python, self._options, self.controller.queue.loaded)
        remember(launched.path, run.title)

    def cancel(self) -> None:
        """Stop the run; finished blocks are kept."""
        if self.run is None:
            self._cancelled, self.copying = True, ""
            self.controller.copying.stop()
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
        try:
            located, source = find_source(self.job, self._array)
            self.job = self.job.replace(source=located.ref)
            self._set_source(source)
            self._wait_for_pixels()
            seen = measure_source(located.ref, located.array)
            self.deliver(lambda: self.controller.adopt(located, seen, self._next_job()))
            prepared = prepare(self.job, located.array, seen=seen).with_notes(located.notes)
            # A result of another job is not touched.
            running = _is_output_running(prepared, self.path, self._options)
            job = self.job
            if located.array is not None and not running:
                job = job.replace(source=dict(self.controller.copying.reference(job, located, self.path, seen)))
            if self._cancelled:
                return
            run = Run(job, prepared.plan, f"{job.operation.prompt} · {located.view.name}", self.deliver)
            run.queued = False
            self._watch(run)
            if running:
                # A cell that runs again shows the run that it started before.
                run.watch()
                return
            run.start(self.controller.queue.python, self._options, self.controller.queue.loaded)
            remember(self.path, run.title)
        except Exception as error:  # shown in the panel instead of lost in the thread
            if self._cancelled:
                return
            self._failure = describe_failure(error)
            self.deliver(self._notify)

    def _next_job(self) -> Job:
        """Return the job with the output of the next run: a name that is free, beside the present one."""
        taken = {run.path for run in self.runs}
        stem, dot, ending = self.path.name.partition(".")
        base, dash, number = stem.rpartition("-")
        # Only a number that was given here is counted on: `day-12` may be followed by a day 13 of the user's own.
        counted = dash and number.isdecimal() and self.path.with_name(f"{base}{dot}{ending}") in taken
        base, first = (base, int(number) + 1) if counted else (stem, 2)
        names = (self.path.with_name(f"{base}-{n}{dot}{ending}") for n in itertools.count(first))
        path = next(p for p in names if p not in taken and not p.exists())
        return self.job.replace(into=path.name) if self.job.into else self.job.replace(output=str(path))

    def _wait_for_pixels(self) -> None:
        """Let the panel draw first: measuring would keep the interpreter from it."""
        if self.deliver is not call_directly and self.panel_shown.wait(_WAIT_PANEL):
            self.pixels_shown.wait(_WAIT_PIXELS)

    def _watch(self, run: Run) -> None:
        self._keep(run)
        self.deliver(lambda: self.controller.queue.watch(run))

    def _add(self, run: Run) -> None:
        """Take over a run that was started from the form."""
        self._keep(run)
        self.controller.load(self._next_job())
        self._notify()

    def _keep(self, run: Run) -> None:
        run.changed.connect(self._run_changed)
        run.ended.connect(self._run_changed)
        self.runs.append(run)
        self._choose(run)

    def _choose(self, run: Run) -> None:
        # Another run has a status of its own.
        self._failure, self._cancelled = None, False
        self.run, self.path = run, run.path.absolute()
        # Of an image in memory, the run reads a copy.
        self.job = run.job.replace(source=self.job.source)

    def _show_copying(self, done: int, total: int) -> None:
        self.copying = copying_text(done, total) if total else ""
        self._notify()

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


def _is_output_running(prepared: Prepared, path: Path, options: tuple[str, ...]) -> bool:
    """Whether this very job is running in its output; refuse an output that the job must not use.

    Raises
    ------
    S1OmniError
        As the run itself would raise it; nothing is written here.
    """
    request = output_request(prepared, path)
    while _is_running(path):
        if is_begun(path):
            check_same_run(path, request.json_fingerprint(), resume=True)
            return True
        # A run that was started just now has not said yet what it is.
        time.sleep(_POLL)
    if "--overwrite" not in options:
        dry_run(path, request)
    return False


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
