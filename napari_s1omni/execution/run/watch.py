"""Watches a run from outside, through its store alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_s1omni.core.paths import local_path
from napari_s1omni.execution.run.status import RunStatus, current_status
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.logs.append_log import decode_line
from napari_s1omni.storage.logs.journal import BlockRecord
from napari_s1omni.storage.result.output_checks import nothing_at

_CHUNK = 4 * 2**20
"""Bytes of a segment that are read at a time."""


@dataclass(frozen=True, slots=True)
class RunChange:
    """What happened since the last change."""

    status: RunStatus
    records: tuple[BlockRecord, ...]
    """Records of blocks finished since, in the order of each writer."""


def status(path: Path | str) -> RunStatus:
    """Return the status of a run, whether its process is alive or not.

    Parameters
    ----------
    path : Path or str
        The output folder.

    Raises
    ------
    StoreMissing
        If the folder holds no run.
    """
    found = current_status(path)
    if found is None:
        raise nothing_at(path, "run")
    return found


def watch(
    path: Path | str, *, interval: float = 0.25, history: bool = True, stop: Callable[[], bool] = lambda: False
) -> Iterator[RunChange]:
    """Yield changes of a run until it ends.

    A run on another machine that is not heard of any more does not end: only its user can know.

    Parameters
    ----------
    path : Path or str
        The output folder.
    interval : float
        Seconds between two reads.
    history : bool
        Begin with the blocks that are already finished.
    stop : callable
        Called after each read; True ends the iteration.

    Yields
    ------
    RunChange
        First the present state, then each change of the status or finished block, last the end.

    Raises
    ------
    StoreMissing
        If the folder holds no run.
    """
    path = local_path(path, "run", "watch it on the machine where it is, or read its status")
    tail = JournalTail(path / WORK / "journal", history=history)
    shown: RunStatus | None = None
    while True:
        # The status is read first: the blocks that it counts are then in the journal.
        found = status(path)
        records = tuple(tail.read())
        if records or shown is None or found.replace(updated=0.0) != shown.replace(updated=0.0):
            shown = found
            yield RunChange(found, records)
        if not found.alive or stop():
            return
        time.sleep(interval)


class JournalTail:
    """Reads the records that any writer has added to a journal since the last read.

    Parameters
    ----------
    folder : Path
        Folder of the segments; it need not exist yet.
    history : bool
        Whether the first read returns the records that are already there.
    """

    def __init__(self, folder: Path, *, history: bool = True) -> None:
        self._folder = folder
        self._ends: dict[Path, int] = {}
        if not history:
            self._ends = {path: path.stat().st_size for path in folder.glob("*.log")}

    def read(self) -> Iterator[BlockRecord]:
        """Yield the new records; damaged lines are skipped."""
        for path in sorted(self._folder.glob("*.log")):
            yield from self._read_segment(path)

    def _read_segment(self, path: Path) -> Iterator[BlockRecord]:
        start = self._ends.get(path, 0)
        with path.open("rb") as file:
            # A network file system may report an old size for a path, but not for an open file.
            if os.fstat(file.fileno()).st_size <= start:
                return
            while True:
                file.seek(start)
                chunk = file.read(_CHUNK)
                end = chunk.rfind(b"\n") + 1
                if not end:
                    return
                for line in chunk[: end - 1].split(b"\n"):
                    try:
                        entry = decode_line(line)
                    except ValueError:
                        continue
                    yield BlockRecord.from_json(entry)
                start += end
                self._ends[path] = start
