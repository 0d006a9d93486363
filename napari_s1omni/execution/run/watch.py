"""Watching: a run seen from outside, through its store alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_s1omni.errors import StoreError
from napari_s1omni.execution.run.status import RunStatus, is_running, read_status
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.logs.append_log import decode_line
from napari_s1omni.storage.logs.journal import BlockRecord

_PORTION = 4 * 2**20
"""Bytes of a segment that are read at a time."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happened since the last look."""

    status: RunStatus
    records: tuple[BlockRecord, ...]
    """Blocks that were finished since, in the order in which each writer finished them."""


def status(path: Path | str) -> RunStatus:
    """Tell how far a run is, whether it lives or not.

    Parameters
    ----------
    path : Path or str
        The output folder.

    Raises
    ------
    StoreError
        If no run was ever begun there.
    """
    found = read_status(path)
    if found is None:
        raise StoreError(f"{path} holds no run", "the output folder of a run", path=str(path))
    return found.replace(state="stopped", eta=None) if found.alive and not is_running(found) else found


def watch(
    path: Path | str, *, interval: float = 0.25, history: bool = True, stop: Callable[[], bool] = lambda: False
) -> Iterator[Change]:
    """Yield changes of a run until it ends.

    Parameters
    ----------
    path : Path or str
        The output folder.
    interval : float
        Seconds between two looks.
    history : bool
        Begin with the blocks that are finished already.
    stop : callable
        Asked after each look whether to end.

    Yields
    ------
    Change
        First how it is now; then whenever that changed or a block was finished; last how it ended.

    Raises
    ------
    StoreError
        If no run was ever begun there.
    """
    tail = JournalTail(Path(path) / WORK / "journal", history=history)
    shown: RunStatus | None = None
    while True:
        # The status first: what it counts is then in the journal already.
        found = status(path)
        records = tuple(tail.read())
        if records or shown is None or found.replace(updated=0.0) != shown.replace(updated=0.0):
            shown = found
            yield Change(found, records)
        if not found.alive or stop():
            return
        time.sleep(interval)


class JournalTail:
    """The records that were added to a journal since the last look, by any writer.

    Parameters
    ----------
    folder : Path
        Where the segments are; it need not be there yet.
    history : bool
        Whether the first look returns what is there already.
    """

    def __init__(self, folder: Path, *, history: bool = True) -> None:
        self._folder = folder
        self._ends: dict[Path, int] = {}
        if not history:
            self._ends = {path: path.stat().st_size for path in folder.glob("*.log")}

    def read(self) -> Iterator[BlockRecord]:
        """Yield the new records; lines that cannot be trusted are left out."""
        for path in sorted(self._folder.glob("*.log")):
            yield from self._segment(path)

    def _segment(self, path: Path) -> Iterator[BlockRecord]:
        start = self._ends.get(path, 0)
        with path.open("rb") as file:
            # Of an open file a network file system tells the present size; of a path it may tell an old one.
            if os.fstat(file.fileno()).st_size <= start:
                return
            while True:
                file.seek(start)
                portion = file.read(_PORTION)
                end = portion.rfind(b"\n") + 1
                if not end:
                    return
                for line in portion[: end - 1].split(b"\n"):
                    try:
                        entry = decode_line(line)
                    except ValueError:
                        continue
                    yield BlockRecord.from_json(entry)
                start += end
                self._ends[path] = start
