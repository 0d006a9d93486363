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
LAUNCH = "launch.json"
"""File in ``.s1omni`` that names the process which was started for a run and may not have written a status yet."""
HEARTBEAT = 5.0
"""Longest time in seconds between two updates of the file while the run is alive."""
_SILENCE = 6 * HEARTBEAT
"""Seconds without an update after which a run on another machine is only said to be last heard of."""


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
    """Machine on which it runs; empty until it is known."""
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
    thin: int = 0
    """Objects of a stack that were dropped since they lie in too few planes."""
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
    note: str = ""
    """What came up during the run and is worth knowing; empty if nothing did."""
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

    @property
    def is_here(self) -> bool:
        """Whether its process is one of this machine."""
        return self.host in ("", socket.gethostname())

    @property
    def is_silent(self) -> bool:
        """Whether it works on another machine and has not written for a while: nobody here knows if it still does."""
        return self.alive and not self.is_here and abs(time.time() - self.updated) > _SILENCE

    @property
    def last_heard(self) -> str:
        """When a silent run was last heard of, such as ``last heard of at 14:32 on NODE``; empty for any other."""
        if not self.is_silent:
            return ""
        when = time.localtime(self.updated)
        day = "" if when[:3] == time.localtime()[:3] else f"on {when.tm_mday} {time.strftime('%B', when)} "
        return f"last heard of {day}at {time.strftime('%H:%M', when)} on {self.host}"

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
    stored = _read_file(path, NAME)
    return RunStatus.from_json(stored) if stored else None


def current_status(path: Path | str) -> RunStatus | None:
    """Return the stored status of an output, ``stopped`` if its process on this machine is gone; None without a run.

    Whether it lives is asked of the process, never of the clock: a busy machine may start it late. Of a run on
    another machine only what it wrote is known, so it is never said to have stopped.
    """
    found = read_status(path)
    if found is None or not found.alive:
        return found
    process = found
    if found.pid == 0:
        launched = _read_file(path, LAUNCH)
        process = found.replace(**{name: launched[name] for name in ("pid", "host", "born") if name in launched})
        found = found.replace(host=process.host)
    if process.pid and (not process.is_here or is_alive(process.pid, process.born)):
        return found
    return found.replace(state=RunState.STOPPED, eta=None)


def _read_file(path: Path | str, name: str) -> dict[str, Any]:
    """Return the content of a state file of an output; empty if it is missing or unreadable."""
    place = full_path(path)
    if not is_url(place):
        return read_state(Path(place) / WORK / name)
    try:
        return dict(json.loads(read_remote(f"{place}/{WORK}/{name}") or b"{}"))
    except ValueError:
        return {}


def write_status(path: Path, status: RunStatus) -> None:
    """Replace the status of an output; on a full disk the old one is kept."""
    with contextlib.suppress(OSError):
        write_state(path / WORK / NAME, status.to_json())


def write_launch(path: Path, pid: int, born: float) -> None:
    """Name the process of this machine that was started for a run; on a full disk the old entry is kept."""
    with contextlib.suppress(OSError):
        write_state(path / WORK / LAUNCH, {"pid": pid, "host": socket.gethostname(), "born": born})


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
    mine = starting_status_here().replace(started=launched.started)
    write_status(path, mine)
    try:
        yield
    except BaseException as error:
        if (now := read_status(path)) and now.pid == mine.pid and now.alive:
            failed = mine.replace(state=RunState.FAILED, updated=time.time(), error=describe_failure(error))
            write_status(path, failed)
        raise
