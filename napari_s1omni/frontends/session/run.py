"""One run, watched and controlled from here; it works in a process of its own.

`Run.ended` is emitted when the run has ended: the run queue starts the next one then, and the dock updates its layer.
"""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from psygnal import Signal

from napari_s1omni.core.paths import local_path
from napari_s1omni.errors import S1OmniError, StoreError
from napari_s1omni.execution.run.control import Focus, write_control
from napari_s1omni.execution.run.launch import OVERWRITE, LaunchedRun, launch, launch_redo
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import (
    Failure,
    RunStatus,
    describe_failure,
    is_running,
    starting_status,
    write_status,
)
from napari_s1omni.execution.run.watch import JournalTail, status
from napari_s1omni.frontends.session.background import until_exit
from napari_s1omni.frontends.session.run_thoughts import RunThoughts
from napari_s1omni.frontends.views.display_axes import DisplayAxes
from napari_s1omni.frontends.views.live_pyramid import LivePyramid
from napari_s1omni.frontends.views.tile_quality import QualityReader, TileQuality
from napari_s1omni.frontends.views.tile_states import TileStates
from napari_s1omni.jobs.redo import accept, drop
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.logs.journal import BlockRecord
from napari_s1omni.storage.result.snapshots import has_snapshot

Deliver = Callable[[Callable[[], None]], None]
"""Runs a function on the thread that owns the surface."""

_INTERVAL = 0.4
"""Seconds between two polls of the store."""
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
        self._deliver = deliver
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._cancelling = False
        self._launched: LaunchedRun | None = None
        self._quality: QualityReader | None = None
        self._redoing = False
        self._when_begun: Callable[[], None] | None = None

    @property
    def alive(self) -> bool:
        """Whether it waits or works."""
        return self.queued or self.status.alive

    @property
    def works_here(self) -> bool:
        """Whether its process works on this machine, or is about to."""
        return self.alive and not self.queued and self.status.host in ("", socket.gethostname())

    def mark_starting(self) -> None:
        """Count the run as started although its process does not exist yet."""
        self.queued = False
        self.status = self.status.replace(state=RunState.STARTING)

    def mark_failed(self, error: Failure) -> None:
        """End a run whose process could not be started."""
        self.status = self.status.replace(state=RunState.FAILED, error=error)
        try:
            self.changed.emit(self)
        finally:
            self.ended.emit(self)

    def start(
        self,
        python: str | None = None,
        options: tuple[str, ...] = (),
        when_begun: Callable[[], None] | None = None,
    ) -> LaunchedRun:
        """Start its process, or resume where an earlier one stopped.

        `when_begun` is called on the watching thread once the process has taken over the output.

        Raises
        ------
        S1OmniError
            See :func:`napari_s1omni.execution.run.launch.launch`.
        """
        options = (*options, OVERWRITE) if self.replace else options
        self._launched = launched = launch(self.job, plan=self.plan, python=python, options=options)
        self._redoing, self._when_begun = False, when_begun
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
    ) -> None:
        """Start a process that generates some tiles again, keeping the result before; reads the disk.

        Parameters
        ----------
        tiles : str
            As :func:`napari_s1omni.execution.run.redo.parse_tiles` reads them.
        seed : int, optional
        prompt : str, optional
            Another prompt for these tiles.
        python, options
            As in :meth:`start`.

        Raises
        ------
        S1OmniError
            See :func:`napari_s1omni.execution.run.launch.launch_redo`.
        """
        if has_snapshot(self.path):
            accept(self.path)
        self._launched = launch_redo(self.path, tiles, seed=seed, prompt=prompt, python=python, options=options)
        self._redoing = True
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
        return has_snapshot(self.path)

    def read_status(self) -> RunStatus:
        """Read its status from the output."""
        return self._launched.status() if self._launched is not None else status(self.path)

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
        write_control(self.path, pause=paused)

    def cancel(self) -> None:
        """Stop the run; finished blocks are kept and it can be resumed."""
        if self.queued:
            self.queued = False
            self.status = self.status.replace(state=RunState.CANCELLED)
            self.ended.emit(self)
            return
        # A process that is still starting clears the control file; it is cancelled again once it runs.
        self._cancelling = True
        launched = self._launched
        if launched is not None and not launched.has_begun:
            # It has nothing to lose yet, and the output may still be that of another run.
            launched.process.terminate()
            return
        try:
            write_control(self.path, cancel=True)
        except StoreError:
            if self.status.state is not RunState.STARTING:
                raise

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
        looks = 0
        while not stop.is_set():
            now, quality = self._state(), {}
            if now is None:
                stop.wait(_INTERVAL)
                continue
            records: list[BlockRecord] = []
            # Until then, what lies in the output is that of an earlier run.
            if self._launched is None or self._launched.has_begun:
                self._repeat_cancel(now)
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
                shown = now
                self._deliver(partial(self._publish, now, records, quality, stop))
            if not now.alive:
                self._cancelling = False
                return
            stop.wait(_INTERVAL)

    def _state(self) -> RunStatus | None:
        """Read the state of the run, whatever its output holds; None while the output does not answer."""
        launched = self._launched
        died = launched.failure() if launched is not None else None
        try:
            if launched is not None and died is not None and not launched.has_begun:
                return self._ended_early(launched, died)
            return self.read_status()
        except (S1OmniError, OSError) as error:
            # A disk that does not answer now is asked again, unless nobody is left who would write to it.
            working = is_running(self.status) if launched is None else launched.process.poll() is None
            if working:
                return None
            return self.status.replace(state=RunState.FAILED, eta=None, error=died or describe_failure(error))

    def _ended_early(self, launched: LaunchedRun, died: Failure) -> RunStatus:
        """Return the state of a run whose process ended before it took over the output."""
        if self._redoing:
            # The result is as it was before.
            return dataclasses.replace(status(self.path), error=died)
        ended = starting_status().replace(state=RunState.CANCELLED if self._cancelling else RunState.FAILED)
        if not self._cancelling:
            return ended.replace(error=died)
        if launched.before is not None and launched.before.alive:
            # Nothing else will say that the output, which was marked as starting, is not at work.
            write_status(self.path, ended)
        return ended

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

    def _repeat_cancel(self, now: RunStatus) -> None:
        if self._cancelling and now.alive and now.state is not RunState.STARTING:
            with contextlib.suppress(S1OmniError, OSError):
                write_control(self.path, cancel=True)

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
    ) -> None:
        if stop.is_set():
            return
        self.status = now
        try:
            self.tiles.add(records, quality)
            self.changed.emit(self)
        finally:
            if not now.alive:
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
