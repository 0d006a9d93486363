"""One run, watched and controlled from here; it works in a process of its own.

`Run.ended` is emitted when the run has ended: the run queue starts the next one then, and the dock updates its layer.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from psygnal import Signal

from napari_s1omni.core.paths import local_path
from napari_s1omni.errors import StoreError
from napari_s1omni.execution.run.control import Focus, write_control
from napari_s1omni.execution.run.launch import OVERWRITE, LaunchedRun, LoadedProcess, launch, launch_redo
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import Failure, RunStatus, starting_status
from napari_s1omni.execution.run.watch import JournalTail
from napari_s1omni.frontends.session.background import until_exit
from napari_s1omni.frontends.session.run_process import RunProcess
from napari_s1omni.frontends.session.run_thoughts import RunThoughts
from napari_s1omni.frontends.views.display_axes import DisplayAxes
from napari_s1omni.frontends.views.live_pyramid import LivePyramid
from napari_s1omni.frontends.views.tile_quality import QualityReader, TileQuality
from napari_s1omni.frontends.views.tile_states import TileStates
from napari_s1omni.jobs.redo import drop, settle
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.logs.journal import BlockRecord
from napari_s1omni.storage.result.snapshots import has_snapshot, was_redone

Deliver = Callable[[Callable[[], None]], None]
"""Runs a function on the thread that owns the surface."""

_INTERVAL = 0.4
"""Seconds between two polls of the store."""
_INTERVAL_ENDED = 2.0
"""Seconds between two looks at the store of a run that has ended: it may be resumed from anywhere."""
_PAUSING = "pausing after the current tile"
_LOG = 2**14
"""Bytes at the end of a log that are shown."""
_LAST_LOOKS = 5
"""Times that a run that has ended is read again, if its pixels could not be read."""


class Run:
    """One run.

    Parameters
    ----------
    job : Job
        With its output.
    plan : Plan
    title : str
        Shown in lists and notifications.
    deliver : callable
        Runs a function on the surface's thread.
    display : DisplayAxes, optional
        Axes in which its result is displayed.
    layer : str
        Name of the source layer.
    replace : bool
        Whether it replaces the result of another job in its output.
    """

    changed = Signal(object)
    """Emitted with this run when its status or its tiles changed."""
    ended = Signal(object)
    """Emitted with this run when no process works on it any more."""

    def __init__(
        self,
        job: Job,
        plan: Plan,
        title: str,
        deliver: Deliver,
        display: DisplayAxes | None = None,
        layer: str = "",
        replace: bool = False,
    ) -> None:
        self.job = job
        self.plan = plan
        self.title = title
        self.layer = layer
        self.replace = replace
        self.path = output_path(job)
        self.pyramid = LivePyramid(plan, self.path, display)
        self.tiles = TileStates(plan)
        self.thoughts = RunThoughts(plan, self.path)
        self.status = RunStatus(RunState.STARTING)
        self.queued = True
        """Whether it waits for earlier runs."""
        self.behind: Run | None = None
        """The run at work that it waits for."""
        self.asked = ""
        """What was asked of it and is not done yet, such as ``pausing after the current tile``."""
        self._deliver = deliver
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._process = RunProcess(self.path)
        self._quality: QualityReader | None = None
        self._when_begun: Callable[[], None] | None = None

    @property
    def alive(self) -> bool:
        """Whether it waits or works."""
        return self.queued or self.status.alive

    @property
    def occupies_machine(self) -> bool:
        """Whether it works on this machine, so that later runs wait for it."""
        return not self.queued and self.status.alive and self.status.is_here

    @property
    def resumable(self) -> bool:
        """Whether it may be started again: it has ended, or nobody here knows whether it has."""
        return not self.queued and (self.status.resumable or self.status.is_silent)

    def wait_behind(self, run: Run) -> None:
        """Say which run it waits for."""
        if self.behind is not run:
            self.behind = run
            self.changed.emit(self)

    def mark_starting(self) -> None:
        """Count the run as started although its process does not exist yet."""
        self.queued, self.behind = False, None
        self.status = starting_status()

    def forget_cancel(self) -> None:
        """Drop a request to cancel whose end was not seen here yet: the run is wanted again."""
        self._process.cancelling, self.asked = False, ""

    def mark_failed(self, error: Failure) -> None:
        """End a run whose process could not be started."""
        self.status = self.status.replace(state=RunState.FAILED, error=error)
        self.forget_cancel()
        try:
            self.changed.emit(self)
        finally:
            self.ended.emit(self)

    def start(
        self,
        python: str | None = None,
        options: tuple[str, ...] = (),
        loaded: LoadedProcess | None = None,
        when_begun: Callable[[], None] | None = None,
    ) -> LaunchedRun:
        """Start its process, or resume where an earlier one stopped; see :func:`~napari_s1omni.execution.run.launch`.

        `when_begun` is called on the watching thread once the process has taken over the output.

        Raises
        ------
        S1OmniError
            See :func:`napari_s1omni.execution.run.launch.launch`.
        """
        options = (*options, OVERWRITE) if self.replace else options
        launched = launch(
            self.job, plan=self.plan, python=python, options=options, engine=self.plan.engine.name, loaded=loaded
        )
        self._take(RunProcess(self.path, launched))
        self._when_begun = when_begun
        self.queued = False
        self.status = starting_status()
        self.watch()
        return launched

    def redo(
        self,
        tiles: str,
        seed: int | None = None,
        prompt: str | None = None,
        python: str | None = None,
        options: tuple[str, ...] = (),
        loaded: LoadedProcess | None = None,
    ) -> None:
        """Start a process that generates some tiles again, keeping the result before; reads the disk.

        Parameters
        ----------
        tiles : str
            As :func:`napari_s1omni.execution.redo.redo.parse_tiles` reads them.
        seed : int, optional
        prompt : str, optional
            Another prompt for these tiles.
        python, options, loaded
            As in :meth:`start`.

        Raises
        ------
        S1OmniError
            See :func:`napari_s1omni.execution.run.launch.launch_redo`.
        """
        if has_snapshot(self.path):
            settle(self.path)
        launched = launch_redo(
            self.path,
            tiles,
            seed=seed,
            prompt=prompt,
            python=python,
            options=options,
            engine=self.plan.engine.name,
            loaded=loaded,
        )
        self._take(RunProcess(self.path, launched, redoes=True))
        self.thoughts.reopen()
        self.status = starting_status()
        self.watch()

    def undo_redo(self) -> None:
        """Return to the result before the last redo; reads and writes the disk.

        Raises
        ------
        S1OmniError
            If no previous result is kept, or a run is at work.
        """
        drop(self.path)
        self.thoughts.reopen()
        self.pyramid.finish()

    @property
    def has_previous(self) -> bool:
        """Whether the result before the last redo is kept; reads the disk."""
        return was_redone(self.path)

    def read_status(self) -> RunStatus:
        """Read its status from the output."""
        return self._process.status()

    def _take(self, process: RunProcess) -> None:
        """Watch another process; a request to cancel that came before it stays."""
        process.cancelling, self._process = self._process.cancelling, process

    def watch(self) -> None:
        """Watch the run from a background thread."""
        self.queued = False
        self.unwatch()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, args=(self._stop,), name="run watcher", daemon=True)
        self._thread.start()

    def unwatch(self) -> None:
        """Stop watching; the run continues."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(5)

    def pause(self, paused: bool = True) -> None:
        """Pause the run, or continue it."""
        self._ask(_PAUSING if paused else "continuing")
        write_control(self.path, pause=paused)

    def cancel(self) -> None:
        """Stop the run; finished blocks are kept and it can be resumed."""
        if self.queued:
            self.queued = False
            self.status = self.status.replace(state=RunState.CANCELLED)
            self.ended.emit(self)
            return
        self._process.cancelling = True
        self._ask("cancelling after the current tile")
        if self._thread is None or not self._process.has_begun:
            # What lies in the output may still be that of another run; the watching thread ends the process.
            return
        try:
            write_control(self.path, cancel=True)
        except StoreError:
            if self.status.state is not RunState.STARTING:
                raise

    def _ask(self, words: str) -> None:
        """Say at once what was asked for; the run answers after its current tile."""
        self.asked = words
        self._deliver(partial(self.changed.emit, self))

    def focus(self, point: Focus) -> None:
        """Ask the run to process blocks near a point (t, z, y, x) in source pixels first."""
        with contextlib.suppress(StoreError):
            write_control(self.path, focus=point)

    def log(self) -> str:
        """Return the end of the log of its processes; reads the disk."""
        path = self.path / WORK / "run.log"
        if not path.exists():
            return ""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG))
            return file.read().decode("utf-8", errors="replace").strip()

    @until_exit()
    def _poll(self, stop: threading.Event) -> None:
        tail: JournalTail | None = None
        late: list[BlockRecord] = []
        shown: RunStatus | None = None
        stamp: tuple[int, Failure | None] | None = None
        looks, process = 0, self._process
        while not stop.is_set():
            if shown is not None and not shown.alive and stamp == (stamp := process.stamp()):
                stop.wait(_INTERVAL_ENDED)
                continue
            now, records, quality = process.state(shown or self.status), [], {}
            if now is None:
                stop.wait(_INTERVAL)
                continue
            if now.alive:
                process.repeat_cancel()
            if process.has_begun:
                tail = tail or JournalTail(self.path / WORK / "journal")
                try:
                    self._begin()
                    late += tail.read()
                    quality = self._read_pixels(late, now)
                    records, late = late, []
                except Exception:  # what cannot be shown now is read again; the state of the run must be known
                    looks += not now.alive
                    if 0 < looks < _LAST_LOOKS:
                        stop.wait(_INTERVAL)
                        continue
            if records or shown is None or now.replace(updated=0.0) != shown.replace(updated=0.0):
                first, shown = shown is None, now
                self._deliver(partial(self._publish, now, records, quality, stop, first))
            if not now.alive:
                process.cancelling = False
            stop.wait(_INTERVAL)

    def _begin(self) -> None:
        work, self._when_begun = self._when_begun, None
        if work is not None:
            work()

    def _read_pixels(self, records: list[BlockRecord], now: RunStatus) -> dict[tuple[int, ...], TileQuality]:
        """Bring finished blocks into view, and return their quality maps."""
        self.pyramid.fill(records)
        quality = self._read_quality(records)
        if now.state is RunState.COMPLETE:
            self.pyramid.finish()
        return quality

    def _read_quality(self, records: list[BlockRecord]) -> dict[tuple[int, ...], TileQuality]:
        """Read the quality maps of finished blocks."""
        store = self.pyramid.store
        if store is not None and (self._quality is None or self._quality.empty):
            self._quality = QualityReader(self.plan, store)
        if self._quality is None:
            return {}
        found = ((r.block, self._quality.read(r.block)) for r in records if r.state != "empty")
        return {block: maps for block, maps in found if maps is not None}

    def _publish(
        self,
        now: RunStatus,
        records: list[BlockRecord],
        quality: Mapping[tuple[int, ...], TileQuality],
        stop: threading.Event,
        first: bool,
    ) -> None:
        if stop.is_set():
            return
        ends = not now.alive and (first or self.status.alive)
        self.status = now
        paused = now.state is RunState.PAUSED
        if not now.alive or (not self._process.cancelling and paused == (self.asked == _PAUSING)):
            self.asked = ""
        try:
            self.tiles.add(records, quality)
            self.changed.emit(self)
        finally:
            if ends:
                self.ended.emit(self)


def reopen(path: Path | str, title: str, deliver: Deliver, display: DisplayAxes | None = None) -> Run:
    """Return the run of an output folder; it is not watched yet.

    Raises
    ------
    StoreError
        If the folder holds no result.
    """
    from napari_s1omni.results.result import Result

    path = local_path(path, "result", "watch the run on the machine where it is")
    plan = Result.open(path).plan
    job = plan.job
    if not job.into:
        job = job.replace(output=str(path))
    return Run(job, plan, title, deliver, display)
