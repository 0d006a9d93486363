"""The journal of a run: one record per finished block. A block counts as done only once its record is stored."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from napari_s1omni.core.tiling import ShardIndex
from napari_s1omni.storage.files.disk import Disk, OnStep, no_step
from napari_s1omni.storage.logs.append_log import AppendLog, read_lines
from napari_s1omni.storage.logs.tile_failure import TileFailure, parse_failures

BlockState = Literal["written", "empty", "failed", "quarantined", "stale"]
DONE: tuple[BlockState, ...] = ("written", "empty")
"""States of blocks that a resumed run keeps."""
_COUNTS = frozenset({"pid", "attempt", "shared", "tokens", "bytes"})
"""Fields that are left out of the JSON where they are 0."""


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """The outcome of one attempt at one block; one line of the journal."""

    block: ShardIndex
    """Index of the block along each axis of the target."""
    state: BlockState
    """``written``: its pixels are stored, even if all are 0; ``empty``: nothing to generate, nothing stored;
    ``failed``: will be tried again; ``quarantined``: has failed tiles and is not tried again unless asked for;
    ``stale``: was done and must be made again."""
    digest: str = ""
    """Digest of the pixels as returned by the sink; empty where nothing was written."""
    quality: str = ""
    """Digest of its quality maps; empty where none were written."""
    labels: int | None = None
    """Number of objects, with ids local to the block; None for images."""
    thoughts: tuple[str, ...] = ()
    """Keys of the thoughts from which its tiles were generated."""
    tiles: Mapping[str, int] = field(default_factory=dict)
    """Number of its tiles per outcome: ``drawn``, ``kept`` (drawn for another block), ``empty``, ``failed``,
    ``outside``."""
    shared: int = 0
    """How many of them, apart from those outside, count for another block."""
    tokens: int = 0
    """Total length of the thoughts of its tiles, in tokens of the engine."""
    bytes: int = 0
    """Uncompressed size of the pixels that were written."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds per stage: ``read``, ``think``, ``generate``, ``quality``, ``finish``, ``write``."""
    peak_memory: int | None = None
    """Peak resident memory of the process so far, in bytes."""
    micro_batch: int | None = None
    """Tiles per call of the engine."""
    worker: str = ""
    """Name of the writer, as in the file name of its segment."""
    pid: int = 0
    """Process id of the writer."""
    attempt: int = 0
    """0 for the first attempt, one more for each further one by any worker; the highest counts."""
    failures: tuple[TileFailure, ...] = ()
    """Tiles that could not be generated; none where the block failed as a whole."""
    error: str | None = None
    """Why the block failed as a whole."""

    @property
    def done(self) -> bool:
        """Whether a resumed run keeps it."""
        return self.state in DONE

    @property
    def tiles_done(self) -> int:
        """Tiles of the run that are done with this block, so that each tile is counted once."""
        return max(0, sum(n for state, n in self.tiles.items() if state != "outside") - self.shared)

    @property
    def failed_whole(self) -> bool:
        """Whether the block was given up as a whole, so that all of its tiles are missing."""
        return self.state == "quarantined" and not self.failures

    @property
    def message(self) -> str | None:
        """Everything that went wrong, in one line; None if nothing did."""
        return "; ".join([*filter(None, [self.error]), *map(str, self.failures)]) or None

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON, without fields at their default."""
        shown: dict[str, Any] = {}
        for name in _FIELDS:
            value = getattr(self, name)
            if value not in (None, "", (), {}) and not (name in _COUNTS and value == 0):
                shown[name] = list(value) if isinstance(value, tuple) else value
        if self.failures:
            shown["failures"] = [failure.to_json() for failure in self.failures]
        return shown

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_json`; fields of later versions are ignored.

        Older journals hold failed tiles as text in ``error``.
        """
        values: dict[str, Any] = {key: data[key] for key in _FIELDS if key in data}
        for key in ("block", "thoughts"):
            values[key] = tuple(values.get(key, ()))
        values["failures"] = tuple(map(TileFailure.from_json, values.get("failures", ())))
        if old := parse_failures(values.get("error") or ""):
            values |= {"failures": old, "error": None}
        return cls(**values)


_FIELDS = tuple(f.name for f in dataclasses.fields(BlockRecord))


class Journal:
    """Appends the records of one writer to its own segment of the journal.

    Parameters
    ----------
    folder : Path
        Holds one file ``WORKER.log`` per writer.
    worker : str
        Name of this writer; two writers at a time must not share one.
    disk : Disk, optional
    interval : float
        Longest time in seconds between two commits while records are appended.
    on_step : callable, optional
        Called with ``journal`` before each record is written.
    """

    def __init__(
        self,
        folder: Path,
        worker: str = "serial",
        *,
        disk: Disk | None = None,
        interval: float = 0.2,
        on_step: OnStep = no_step,
    ) -> None:
        self.worker = worker
        self._log = AppendLog(folder / f"{worker}.log", disk=disk, interval=interval)
        self._on_step = on_step

    def append(self, record: BlockRecord) -> None:
        """Append a record with the name and process id of this writer."""
        self._on_step("journal")
        self._log.append({**record.to_json(), "worker": self.worker, "pid": os.getpid()})

    def commit(self) -> None:
        """Sync all records to the disk; called at the end of a lease."""
        self._log.commit()

    def close(self) -> None:
        """Commit and close."""
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def scan(folder: Path) -> Iterator[BlockRecord | None]:
    """Yield every record of every segment, and None for each damaged line.

    The torn last line of a killed writer is left out.
    """
    for path in sorted(folder.glob("*.log")):
        for _, entry in read_lines(path):
            yield None if entry is None else BlockRecord.from_json(entry)


def replay(folder: Path) -> dict[ShardIndex, BlockRecord]:
    """Return the valid record of each block by its index: that of the highest attempt.

    Among equal attempts a done record wins over one that is not done, then the
    later line wins; two writers that both finished a block wrote the same pixels.
    Damaged lines are skipped. A missing folder is an empty journal.
    """
    records: dict[ShardIndex, BlockRecord] = {}
    for record in scan(folder):
        if record is None:
            continue
        known = records.get(record.block)
        if known is None or (record.attempt, record.done) >= (known.attempt, known.done):
            records[record.block] = record
    return records
