"""Control: how a running job is asked to pause, to stop or to look elsewhere first.

Any process may ask, by a small file beside the journal. The run looks at it
between micro-batches, never in the middle of one; so it answers within one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from napari_s1omni.errors import JobError, RunInterrupted, StoreError
from napari_s1omni.execution.run.state_files import read_state, write_state
from napari_s1omni.storage.files.disk import disk_errors
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.system.locks import lock_file
from napari_s1omni.system.processes import stop_requests

NAME = "control.json"
INTERVAL = 0.1
"""Seconds within which a request is seen while the run is between micro-batches."""

Focus = tuple[float, float, float, float]
"""A point (t, z, y, x) in px of the source."""


@dataclass(frozen=True, slots=True)
class ControlState:
    """What a run is asked for."""

    pause: bool = False
    """Wait after the micro-batch in hand."""
    cancel: bool = False
    """Stop after the micro-batch in hand; what is finished is kept."""
    focus: Focus | None = None
    """Do the blocks nearest to this point first."""


def write_control(
    path: Path | str, *, pause: bool | None = None, cancel: bool | None = None, focus: Focus | None = None
) -> ControlState:
    """Ask the run that writes an output for something; from any process, at any time.

    Parameters
    ----------
    path : Path or str
        The output folder.
    pause : bool, optional
        Wait, or go on.
    cancel : bool, optional
        Stop for good; the output can be resumed.
    focus : (t, z, y, x), optional
        A point in px of the source; blocks near it come first. The result does not depend on it.

    Returns
    -------
    ControlState
        All that is asked for now.

    Raises
    ------
    StoreError
        If no run was ever begun there.
    JobError
        If the focus point is not four numbers.
    """
    work = Path(path) / WORK
    if not work.is_dir():
        raise StoreError(f"{path} holds no run", "the output folder of a run", path=str(path))
    if focus is not None and len(focus) != 4:
        raise JobError(f"focus point {tuple(focus)}", "four numbers (t, z, y, x) in px of the source")
    given = {"pause": pause, "cancel": cancel, "focus": None if focus is None else list(map(float, focus))}
    # Two who ask at once must not undo each other; whoever may write to the folder may ask.
    with disk_errors("writing", work / NAME), lock_file(work / f"{NAME}.lock", mode=0o666):
        note = {**read_state(work / NAME), **{key: value for key, value in given.items() if value is not None}}
        write_state(work / NAME, note)
    return _wishes(note)


def read_control(path: Path | str) -> ControlState:
    """Read what the run of an output is asked for."""
    return _wishes(read_state(Path(path) / WORK / NAME))


class Control:
    """What a run has been asked for, looked up at most every tenth of a second.

    Parameters
    ----------
    path : Path
        The output folder.
    interrupt : Interrupt, optional
        Signals to heed too.
    on_pause : callable
        Told True when the run begins to wait, False when it goes on.
    """

    def __init__(
        self, path: Path, interrupt: Interrupt | None = None, on_pause: Callable[[bool], None] = lambda waiting: None
    ) -> None:
        self._file = path / WORK / NAME
        self._interrupt = interrupt
        self._on_pause = on_pause
        self._wishes = ControlState()
        self._looked = 0.0
        self._seen: tuple[int, int] | None = None

    def begin(self) -> None:
        """Forget what was asked of an earlier run, save where to look first."""
        focus = _wishes(read_state(self._file)).focus
        with disk_errors("writing", self._file):
            write_state(self._file, {} if focus is None else {"focus": list(focus)})

    @property
    def wishes(self) -> ControlState:
        """What is asked for now."""
        now = time.monotonic()
        if now - self._looked >= INTERVAL:
            self._looked = now
            try:
                found = self._file.stat()
            except FileNotFoundError:
                return self._wishes
            stamp = (found.st_ino, found.st_mtime_ns)
            if stamp != self._seen:
                self._seen, self._wishes = stamp, _wishes(read_state(self._file))
        return self._wishes

    def check(self) -> None:
        """Wait while a pause is asked for; raise :class:`RunInterrupted` if a stop is."""
        waiting = False
        while True:
            read_control = self.wishes
            if read_control.cancel:
                raise RunInterrupted("cancelled", "everything that was finished is kept", "resume it")
            if self._interrupt:
                self._interrupt.check()
            if not read_control.pause:
                break
            if not waiting:
                waiting = True
                self._on_pause(True)
            time.sleep(INTERVAL)
        if waiting:
            self._on_pause(False)


class Interrupt:
    """Turns Ctrl-C and SIGTERM into a stop after the tile in hand; a second one stops at once.

    Use it as a context manager; outside of the main thread it hears nothing.
    """

    def __init__(self) -> None:
        self.asked = False
        self._listening = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._listening.enter_context(stop_requests(self._ask))
        return self

    def __exit__(self, *exc: object) -> None:
        self._listening.close()

    def check(self) -> None:
        """Raise :class:`RunInterrupted` if a stop was asked for."""
        if self.asked:
            raise RunInterrupted("stopped after the tile in hand", "everything that was finished is kept", "resume it")

    def _ask(self) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def _wishes(note: dict[str, Any]) -> ControlState:
    focus = note.get("focus")
    return ControlState(
        pause=bool(note.get("pause")),
        cancel=bool(note.get("cancel")),
        focus=(focus[0], focus[1], focus[2], focus[3]) if isinstance(focus, list) and len(focus) == 4 else None,
    )
