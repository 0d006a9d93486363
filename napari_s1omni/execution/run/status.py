"""Status: how far a run is, in one small file that anyone may read at any time, even after the run was killed."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from napari_s1omni.errors import RunInterrupted, S1OmniError
from napari_s1omni.execution.run.events import (
    BlockDone,
    Event,
    RunFinished,
    RunPaused,
    RunStarted,
    StageStarted,
    TilesDone,
)
from napari_s1omni.execution.run.state_files import read_state, write_state
from napari_s1omni.planning.cost import cost
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.system.processes import is_alive, start_time

NAME = "status.json"
INTERVAL = 0.5
"""Seconds between two writings at least."""
_BEAT = 5.0
"""Seconds between two writings at most, so that a far reader sees a life."""
_WINDOW = 60.0
"""Seconds over which the rate is measured."""

State = Literal["starting", "running", "paused", "joining", "pyramid", "complete", "failed", "cancelled", "stopped"]
ENDED: tuple[State, ...] = ("complete", "failed", "cancelled", "stopped")
"""States in which no process works on the output."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The error that ended a run."""

    kind: str
    """Its class, such as ``DiskFull``."""
    message: str
    """What was found and what is allowed."""
    remedy: str
    """What to do about it."""
    exit_code: int

    @property
    def words(self) -> str:
        """What happened and what to do, as sentences."""
        return str(S1OmniError(self.message, remedy=self.remedy))


@dataclass(frozen=True, slots=True)
class RunStatus:
    """How far a run is."""

    state: State
    """``starting`` (reading, loading the model), ``running``, ``paused``, ``joining`` (labels), ``pyramid``;
    and at its end ``complete``, ``failed``, ``cancelled``, or ``stopped``: its process is gone, it can be resumed."""
    pid: int = 0
    """Process of the driver."""
    host: str = ""
    """Machine it runs on."""
    born: float = 0.0
    """When that process was started: a number may be given to another process later."""
    started: float = 0.0
    """Unix time at which the run began."""
    updated: float = 0.0
    """Unix time of this status."""
    blocks_done: int = 0
    blocks_total: int = 0
    tiles_done: int = 0
    tiles_total: int = 0
    holes: int = 0
    """Tiles that failed and are missing in the result, as far as this process saw."""
    rate: float | None = None
    """Tiles per second over the last minute; None while nothing is known."""
    eta: float | None = None
    """Seconds until the last tile, at this rate."""
    busy: float | None = None
    """Share of the workers' time that engines spent thinking and drawing."""
    workers: int = 1
    """Processes that draw."""
    dashboard: str | None = None
    """Address of Dask's dashboard."""
    peak_memory: int = 0
    """Largest resident size of a worker so far, in bytes."""
    error: Failure | None = None
    """Why it failed."""

    @property
    def alive(self) -> bool:
        """Whether a process is at work on it."""
        return self.state not in ENDED

    @property
    def resumable(self) -> bool:
        """Whether running it again goes on where it stopped."""
        return self.state in ("failed", "cancelled", "stopped")

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_json`; unknown fields are ignored."""
        known = {f.name: data[f.name] for f in dataclasses.fields(cls) if f.name in data}
        error = known.get("error")
        return cls(**{**known, "error": Failure(**error) if error else None})


def read_status(path: Path | str) -> RunStatus | None:
    """Read how far the run of an output says it is; None where none ever said anything."""
    note = read_state(Path(path) / WORK / NAME)
    return RunStatus.from_json(note) if note else None


def is_running(status: RunStatus) -> bool:
    """Report whether the process of a status still works: by looking, on this machine; by its beat, on another."""
    if not status.alive:
        return False
    if status.pid == 0 or status.host != socket.gethostname():
        return time.time() - status.updated < 6 * _BEAT
    return is_alive(status.pid, status.born)


def write_status(path: Path, status: RunStatus) -> None:
    """Replace the status of an output; a full disk leaves the old one."""
    with contextlib.suppress(OSError):
        write_state(path / WORK / NAME, status.to_json())


def here(state: State, **facts: Any) -> RunStatus:
    """Describe this process as the driver of a run."""
    now = time.time()
    return RunStatus(state, os.getpid(), socket.gethostname(), start_time(), started=now, updated=now, **facts)


def failure(error: BaseException) -> Failure:
    """Word an error for those who watch."""
    if isinstance(error, S1OmniError):
        words = str(S1OmniError(error.given, error.allowed))
        return Failure(type(error).__name__, words, error.remedy, error.exit_code)
    return Failure(type(error).__name__, str(error), "run it again with --debug and report what it shows", 1)


@contextlib.contextmanager
def announce_failure(path: Path) -> Iterator[None]:
    """Tell who launched this process of its start, and of errors that come before the run itself begins."""
    launched = read_status(path)
    if launched is None or launched.pid or launched.state != "starting":
        yield
        return
    mine = here("starting")
    write_status(path, mine)
    try:
        yield
    except BaseException as error:
        if (now := read_status(path)) and now.pid == mine.pid and now.alive:
            write_status(path, mine.replace(state="failed", updated=time.time(), error=failure(error)))
        raise


class Reporter:
    """Turns the events of a run into its status file, at most twice a second.

    Use it as a context manager around the run; call it with every event.

    Parameters
    ----------
    path : Path
        The output folder, which exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._status = here("starting")
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="status", daemon=True)
        self._stored = 0
        self._drawn = 0
        self._seconds = 0.0
        self._before: State = "running"
        self._points: deque[tuple[float, int]] = deque()

    def __call__(self, event: Event) -> None:
        """Take note of an event, from any thread."""
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
            last = last.replace(state="cancelled")
        elif error is not None:
            last = last.replace(state="failed", error=failure(error))
        write_status(self._path, last)

    def _beat(self) -> None:
        while not self._ended.is_set():
            self._changed.wait(_BEAT)
            self._changed.clear()
            with self._lock:
                status = self._status
            write_status(self._path, status.replace(updated=time.time()))
            self._ended.wait(INTERVAL)

    def _after(self, event: Event) -> RunStatus:
        status = self._status
        match event:
            case RunStarted():
                self._stored = event.tiles
                self._points.append((time.time(), event.tiles))
                return status.replace(
                    state="running",
                    blocks_done=event.done,
                    blocks_total=len(event.plan.grid),
                    tiles_done=event.tiles,
                    tiles_total=cost(event.plan).tiles_computed,
                    workers=event.workers,
                    dashboard=event.dashboard,
                )
            case TilesDone():
                self._drawn += event.count
                return self._progressed(status)
            case BlockDone(record):
                self._stored += sum(record.tiles.values())
                self._drawn = max(0, self._drawn - record.tiles.get("drawn", 0))
                self._seconds += record.seconds.get("think", 0.0) + record.seconds.get("generate", 0.0)
                return self._progressed(
                    status.replace(
                        blocks_done=status.blocks_done + 1,
                        holes=status.holes + record.tiles.get("failed", 0),
                        peak_memory=max(status.peak_memory, record.peak_memory or 0),
                    )
                )
            case RunPaused(waiting):
                if waiting:
                    self._before = status.state
                self._points.clear()
                return status.replace(state="paused" if waiting else self._before, rate=None, eta=None)
            case StageStarted(name):
                return status.replace(state="joining" if name == "joining labels" else "pyramid", eta=None)
            case RunFinished(holes):
                return status.replace(state="complete", holes=holes)

    def _progressed(self, status: RunStatus) -> RunStatus:
        now = time.time()
        done = min(self._stored + self._drawn, status.tiles_total)
        points = self._points
        points.append((now, done))
        while len(points) > 2 and (now - points[0][0] > _WINDOW or len(points) > 1000):
            points.popleft()
        rate = (done - points[0][1]) / (now - points[0][0]) if now > points[0][0] else 0.0
        left = max(0, status.tiles_total - done)
        return status.replace(
            tiles_done=done,
            rate=rate or None,
            eta=left / rate if rate else None,
            busy=self._seconds / max(1e-9, (now - status.started) * status.workers) if self._seconds else None,
        )
