"""The status of a run in one small file, which any process may read at any time, even after the run was killed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from napari_s1omni.core.paths import full_path, is_url
from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.run.run_state import RunState, check_transition
from napari_s1omni.execution.run.state_files import read_state, write_state
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.files.remote import read_remote
from napari_s1omni.system.processes import is_alive, start_time

NAME = "status.json"
"""File in ``.s1omni``."""
HEARTBEAT = 5.0
"""Longest time in seconds between two updates of the file while the run is alive."""


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
        """Message and remedy as sentences."""
        return str(S1OmniError(self.message, remedy=self.remedy))


@dataclass(frozen=True, slots=True)
class RunStatus:
    """State and progress of a run."""

    state: RunState
    pid: int = 0
    """Process id of the driver; 0 until it has started."""
    host: str = ""
    """Machine on which it runs."""
    born: float = 0.0
    """Unix time at which that process was started; the system may give its id to another process later."""
    started: float = 0.0
    """Unix time at which the run began."""
    updated: float = 0.0
    """Unix time of this status."""
    blocks_done: int = 0
    blocks_total: int = 0
    tiles_done: int = 0
    tiles_total: int = 0
    holes: int = 0
    """Tiles that failed and are missing in the result, as far as this process knows."""
    objects: int | None = None
    """Objects in a complete result; None for images."""
    rate: float | None = None
    """Tiles per second over the last minute; None if not known yet."""
    eta: float | None = None
    """Seconds until the last tile, at this rate."""
    busy: float | None = None
    """Share of the workers' time that engines spent thinking and generating."""
    workers: int = 1
    """Number of worker processes."""
    dashboard: str | None = None
    """Address of Dask's dashboard."""
    peak_memory: int = 0
    """Largest resident size of a worker so far, in bytes."""
    error: Failure | None = None
    """Why it failed."""

    @property
    def alive(self) -> bool:
        """Whether a process works on the output."""
        return self.state.alive

    @property
    def resumable(self) -> bool:
        """Whether running the job again continues where it ended."""
        return self.state.resumable

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed. Every change of state goes through here.

        Raises
        ------
        ValueError
            If the new state must not follow the present one, see
            :class:`~napari_s1omni.execution.run.run_state.RunState`.
        """
        if "state" in changes:
            check_transition(self.state, changes["state"])
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_json`; unknown fields are ignored."""
        known = {f.name: data[f.name] for f in dataclasses.fields(cls) if f.name in data}
        error = known.get("error")
        return cls(**{**known, "state": RunState(known["state"]), "error": Failure(**error) if error else None})


def read_status(path: Path | str) -> RunStatus | None:
    """Read the status that a run has stored in its output; None if there is none."""
    place = full_path(path)
    stored = _read_remote_state(f"{place}/{WORK}/{NAME}") if is_url(place) else read_state(Path(place) / WORK / NAME)
    return RunStatus.from_json(stored) if stored else None


def _read_remote_state(url: str) -> dict[str, Any]:
    try:
        return dict(json.loads(read_remote(url) or b"{}"))
    except ValueError:
        return {}


def is_running(status: RunStatus) -> bool:
    """Whether the process of a status is still there; on another machine, whether it has updated the file lately."""
    if not status.alive:
        return False
    if status.pid == 0 or status.host != socket.gethostname():
        return time.time() - status.updated < 6 * HEARTBEAT
    return is_alive(status.pid, status.born)


def write_status(path: Path, status: RunStatus) -> None:
    """Replace the status of an output; on a full disk the old one is kept."""
    with contextlib.suppress(OSError):
        write_state(path / WORK / NAME, status.to_json())


def starting_status(**facts: Any) -> RunStatus:
    """Return the status of a run that begins now, without a process yet."""
    now = time.time()
    return RunStatus(RunState.STARTING, started=now, updated=now, **facts)


def starting_status_here() -> RunStatus:
    """Return the status of a run that begins now in this process."""
    return starting_status(pid=os.getpid(), host=socket.gethostname(), born=start_time())


def describe_failure(error: BaseException) -> Failure:
    """Return an error as a value that can be stored and shown."""
    if isinstance(error, S1OmniError):
        words = str(S1OmniError(error.given, error.allowed))
        return Failure(type(error).__name__, words, error.remedy, error.exit_code)
    return Failure(type(error).__name__, str(error), "run it again with --debug and report what it shows", 1)


@contextlib.contextmanager
def announce_failure(path: Path) -> Iterator[None]:
    """Report the start of a launched process, and errors before the run itself begins, in the status file."""
    launched = read_status(path)
    if launched is None or launched.pid or launched.state is not RunState.STARTING:
        yield
        return
    mine = starting_status_here()
    write_status(path, mine)
    try:
        yield
    except BaseException as error:
        if (now := read_status(path)) and now.pid == mine.pid and now.alive:
            failed = mine.replace(state=RunState.FAILED, updated=time.time(), error=describe_failure(error))
            write_status(path, failed)
        raise
