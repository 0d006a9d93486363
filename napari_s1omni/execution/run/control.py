"""Pause, cancel or redirect a running job from any process, by a small file beside the journal.

The run reads the file between micro-batches, so it answers within one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from napari_s1omni.core.paths import local_path
from napari_s1omni.errors import JobError, RunInterrupted
from napari_s1omni.execution.run.state_files import read_state, write_state
from napari_s1omni.storage.files.disk import disk_errors
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.files.standing_folder import StandingFolder
from napari_s1omni.storage.result.output_checks import nothing_at
from napari_s1omni.system.locks import lock_file
from napari_s1omni.system.processes import stop_requests

NAME = "control.json"
"""File in ``.s1omni``."""
INTERVAL = 0.1
"""Shortest time in seconds between two looks at the file."""

Focus = tuple[float, float, float, float]
"""A point (t, z, y, x) in source px."""


@dataclass(frozen=True, slots=True)
class ControlState:
    """What was requested of a run."""

    pause: bool = False
    """Wait after the current micro-batch."""
    cancel: bool = False
    """Stop after the current micro-batch; finished blocks are kept."""
    focus: Focus | None = None
    """Run the blocks nearest to this point first."""


def write_control(
    path: Path | str, *, pause: bool | None = None, cancel: bool | None = None, focus: Focus | None = None
) -> ControlState:
    """Pause, continue, cancel or redirect the run of an output, from any process.

    Parameters
    ----------
    path : Path or str
        The output folder.
    pause : bool, optional
        True pauses, False continues.
    cancel : bool, optional
        Stop the run; the output can be resumed.
    focus : (t, z, y, x), optional
        A point in source px; blocks near it come first. The result does not depend on it.

    Returns
    -------
    ControlState
        All that is requested now.

    Raises
    ------
    StoreMissing
        If the folder holds no run.
    JobError
        If the focus point is not four numbers.
    """
    path = local_path(path, "run", "control it on the machine where it is")
    work = path / WORK
    if not work.is_dir():
        raise nothing_at(path, "run")
    if focus is not None and len(focus) != 4:
        raise JobError(f"focus point {tuple(focus)}", "four numbers (t, z, y, x) in px of the source")
    given = {"pause": pause, "cancel": cancel, "focus": None if focus is None else list(map(float, focus))}
    # Two requests at the same time must not undo each other; anyone who may write to the folder may send one.
    with disk_errors("writing", work / NAME), lock_file(work / f"{NAME}.lock", mode=0o666):
        stored = {**read_state(work / NAME), **{key: value for key, value in given.items() if value is not None}}
        if pause is not None or cancel is not None:
            stored["when"] = time.time()
        write_state(work / NAME, stored)
    return _parse(stored)


def read_control(path: Path | str) -> ControlState:
    """Return what is requested of the run of an output."""
    return _parse(read_state(Path(path) / WORK / NAME))


class Control:
    """The requests to a run, read at most every tenth of a second.

    Parameters
    ----------
    path : Path
        The output folder.
    interrupt : Interrupt, optional
        Signals that stop the run too.
    on_pause : callable
        Called with True when the run pauses, with False when it continues.
    """

    def __init__(
        self, path: Path, interrupt: Interrupt | None = None, on_pause: Callable[[bool], None] = lambda paused: None
    ) -> None:
        self._file = path / WORK / NAME
        self._folder = StandingFolder(path / WORK)
        self._interrupt = interrupt
        self._on_pause = on_pause
        self._state = ControlState()
        self._read_at = 0.0
        self._stamp: tuple[int, int] | None = None

    def reset(self, since: float) -> None:
        """Clear the requests to an earlier run, except its focus point.

        Parameters
        ----------
        since : float
            Unix time at which this run began; it may take long from there until it can read requests.
        """
        stored = read_state(self._file)
        if float(stored.get("when", 0.0)) >= since:
            return
        focus = _parse(stored).focus
        with disk_errors("writing", self._file):
            write_state(self._file, {} if focus is None else {"focus": list(focus)})

    @property
    def state(self) -> ControlState:
        """What is requested now."""
        now = time.monotonic()
        if now - self._read_at >= INTERVAL:
            self._read_at = now
            self._folder.check()
            try:
                found = self._file.stat()
            except FileNotFoundError:
                return self._state
            stamp = (found.st_ino, found.st_mtime_ns)
            if stamp != self._stamp:
                self._stamp, self._state = stamp, _parse(read_state(self._file))
        return self._state

    @property
    def stop_requested(self) -> bool:
        """Whether the run is to stop, by a request or a signal."""
        return self.state.cancel or bool(self._interrupt and self._interrupt.requested)

    def check(self) -> None:
        """Wait while the run is paused.

        Raises
        ------
        RunInterrupted
            If the run is to stop.
        StoreMissing
            If the output was deleted or moved.
        """
        paused = False
        while True:
            state = self.state
            if state.cancel:
                raise RunInterrupted("cancelled", "everything that was finished is kept", "resume it")
            if self._interrupt:
                self._interrupt.check()
            if not state.pause:
                break
            if not paused:
                paused = True
                self._on_pause(True)
            time.sleep(INTERVAL)
        if paused:
            self._on_pause(False)


class Interrupt:
    """Turns Ctrl-C and SIGTERM into a stop after the current micro-batch; a second signal stops at once.

    Use it as a context manager; outside the main thread it has no effect.
    """

    def __init__(self) -> None:
        self.requested = False
        self._listening = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._listening.enter_context(stop_requests(self._receive))
        return self

    def __exit__(self, *exc: object) -> None:
        self._listening.close()

    def check(self) -> None:
        """Raise :class:`RunInterrupted` if a signal was received."""
        if self.requested:
            raise RunInterrupted("stopped after the current tile", "everything that was finished is kept", "resume it")

    def _receive(self) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


def _parse(stored: dict[str, Any]) -> ControlState:
    focus = stored.get("focus")
    return ControlState(
        pause=bool(stored.get("pause")),
        cancel=bool(stored.get("cancel")),
        focus=(focus[0], focus[1], focus[2], focus[3]) if isinstance(focus, list) and len(focus) == 4 else None,
    )
