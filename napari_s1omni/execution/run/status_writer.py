"""Turns the events of a run into its status file."""

from __future__ import annotations

import threading
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

from napari_s1omni.errors import RunInterrupted
from napari_s1omni.execution.run.events import (
    BlockDone,
    Event,
    RunFinished,
    RunNoted,
    RunPaused,
    RunStarted,
    StageStarted,
    TilesDone,
)
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import (
    HEARTBEAT,
    RunStatus,
    describe_failure,
    read_status,
    starting_status_here,
    write_status,
)

INTERVAL = 0.5
"""Shortest time in seconds between two updates of the file."""
_WINDOW = 60.0
"""Seconds over which the rate is measured."""
_MAX_POINTS = 1000


class StatusWriter:
    """Writes the status file of a run from its events, at most twice a second.

    Use it as a context manager around the run, and call it with every event.

    Parameters
    ----------
    path : Path
        The output folder, which exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._status = starting_status_here()
        before = read_status(path)
        if before is not None and before.pid == self._status.pid and before.state is RunState.STARTING:
            # The run began when its process was launched.
            self._status = self._status.replace(started=before.started)
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write_changes, name="status", daemon=True)
        self._tiles_in_blocks = 0
        self._tiles_on_the_way = 0
        self._busy_seconds = 0.0
        self._before_pause = RunState.RUNNING
        self._points: deque[tuple[float, int]] = deque()

    @property
    def started(self) -> float:
        """Unix time at which the run began."""
        return self._status.started

    def __call__(self, event: Event) -> None:
        """Process an event, from any thread."""
        with self._lock:
            self._status = self._after(event)
        self._changed.set()

    def __enter__(self) -> Self:
        write_status(self._path, self._status)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._changed.set()
        self._thread.join()
        last = self._status.replace(updated=time.time(), eta=None)
        if isinstance(error, RunInterrupted | KeyboardInterrupt):
            last = last.replace(state=RunState.CANCELLED)
        elif error is not None:
            last = last.replace(state=RunState.FAILED, error=describe_failure(error))
        write_status(self._path, last)

    def _write_changes(self) -> None:
        while not self._ended.is_set():
            self._changed.wait(HEARTBEAT)
            self._changed.clear()
            with self._lock:
                status = self._status
            write_status(self._path, status.replace(updated=time.time()))
            self._ended.wait(INTERVAL)

    def _after(self, event: Event) -> RunStatus:
        """Return the status after an event."""
        status = self._status
        match event:
            case RunStarted():
                self._tiles_in_blocks = event.tiles
                self._points.append((time.time(), event.tiles))
                return status.replace(
                    state=RunState.RUNNING,
                    blocks_done=event.done,
                    blocks_total=len(event.plan.grid),
                    tiles_done=event.tiles,
                    tiles_total=event.total,
                    workers=event.workers,
                    dashboard=event.dashboard,
                )
            case TilesDone():
                self._tiles_on_the_way += event.count
                return self._with_rate(status)
            case BlockDone(record):
                self._tiles_in_blocks += record.tiles_done
                self._tiles_on_the_way = max(0, self._tiles_on_the_way - record.tiles.get("drawn", 0))
                self._busy_seconds += record.seconds.get("think", 0.0) + record.seconds.get("generate", 0.0)
                return self._with_rate(
                    status.replace(
                        blocks_done=status.blocks_done + 1,
                        holes=status.holes + record.tiles.get("failed", 0),
                        peak_memory=max(status.peak_memory, record.peak_memory or 0),
                    )
                )
            case RunPaused(waiting):
                if waiting:
                    self._before_pause = status.state
                self._points.clear()
                return status.replace(state=RunState.PAUSED if waiting else self._before_pause, rate=None, eta=None)
            case RunNoted(text):
                return status.replace(note=text)
            case StageStarted(state):
                return status.replace(state=state, eta=None)
            case RunFinished(holes, objects, thin):
                return status.replace(state=RunState.COMPLETE, holes=holes, objects=objects, thin=thin)

    def _with_rate(self, status: RunStatus) -> RunStatus:
        """Return a status with tiles, rate and remaining time as of now."""
        now = time.time()
        done = min(self._tiles_in_blocks + self._tiles_on_the_way, status.tiles_total)
        points = self._points
        points.append((now, done))
        while len(points) > 2 and (now - points[0][0] > _WINDOW or len(points) > _MAX_POINTS):
            points.popleft()
        rate = (done - points[0][1]) / (now - points[0][0]) if now > points[0][0] else 0.0
        left = max(0, status.tiles_total - done)
        busy = self._busy_seconds / max(1e-9, (now - status.started) * status.workers)
        return status.replace(
            tiles_done=done, rate=rate or None, eta=left / rate if rate else None, busy=busy if busy else None
        )
