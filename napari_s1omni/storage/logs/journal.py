"""Journal: what happened to every block. A block is done when a line here says so, and not before."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from napari_s1omni.storage.files.disk import Disk, OnStep, no_step
from napari_s1omni.storage.logs.append_log import AppendLog, read_lines

State = Literal["written", "empty", "failed", "quarantined", "stale"]
DONE: tuple[State, ...] = ("written", "empty")
"""States that a resumed run does not touch again."""
_COUNTS = frozenset({"pid", "attempt", "tokens", "bytes"})
"""Fields of a record that say nothing where they are 0."""


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """What happened to one block in one attempt; one line of the journal."""

    block: tuple[int, ...]
    """Index of the block along each axis of the target."""
    state: State
    """``written``: its pixels are stored, be they all 0; ``empty``: nothing to draw there, nothing stored;
    ``failed``: try again; ``quarantined``: do not try again by itself; ``stale``: was done, must be made again."""
    digest: str = ""
    """Digest of the pixels as the sink returned it; empty where nothing was written."""
    quality: str = ""
    """Digest of its quality maps; empty where none were written."""
    labels: int | None = None
    """Number of objects with ids local to the block; None for images."""
    thoughts: tuple[str, ...] = ()
    """Keys of the thoughts its tiles were drawn from."""
    tiles: Mapping[str, int] = field(default_factory=dict)
    """How many of its tiles were ``drawn``, ``empty``, ``failed`` and so on."""
    tokens: int = 0
    """Length of the thoughts of its tiles, in the engine's tokens."""
    bytes: int = 0
    """Size of the px it wrote, uncompressed."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds spent in each stage: ``read``, ``think``, ``generate``, ``quality``, ``finish``, ``write``."""
    peak_memory: int | None = None
    """Peak resident memory of the process so far, in bytes."""
    micro_batch: int | None = None
    """Tiles per call of the engine."""
    worker: str = ""
    """Name of the writer, as in the name of its segment."""
    pid: int = 0
    """Its process."""
    attempt: int = 0
    """0 for the first try, one more for each further try by anyone; the highest one counts."""
    error: str | None = None
    """One sentence, for what failed."""

    @property
    def done(self) -> bool:
        """Whether a resumed run leaves it as it is."""
        return self.state in DONE

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON, without what is at its default."""
        shown = {}
        for name in _FIELDS:
            value = getattr(self, name)
            if value not in (None, "", (), {}) and not (name in _COUNTS and value == 0):
                shown[name] = list(value) if isinstance(value, tuple) else value
        return shown

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_json`; fields of later versions are ignored."""
        values: dict[str, Any] = {key: data[key] for key in _FIELDS if key in data}
        for key in ("block", "thoughts"):
            values[key] = tuple(values.get(key, ()))
        return cls(**values)


_FIELDS = tuple(f.name for f in dataclasses.fields(BlockRecord))


class Journal:
    """The segment of one writer.

    Parameters
    ----------
    folder : Path
        Holds one file ``WORKER.log`` per writer.
    worker : str
        Name of this writer; no two at a time may share one.
    disk : Disk, optional
    interval : float
        Seconds after which appending also commits.
    on_step : callable, optional
        Called with ``journal`` before each line is written.
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
        self._lines = AppendLog(folder / f"{worker}.log", disk=disk, interval=interval)
        self._on_step = on_step

    def append(self, record: BlockRecord) -> None:
        """Append a record, signed with this writer's name and process."""
        self._on_step("journal")
        self._lines.append({**record.to_json(), "worker": self.worker, "pid": os.getpid()})

    def commit(self) -> None:
        """Wait until all records are stored: at the end of a lease."""
        self._lines.commit()

    def close(self) -> None:
        """Commit and close."""
        self._lines.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def scan(folder: Path) -> Iterator[BlockRecord | None]:
    """Yield every record of every segment, and None for each line that cannot be trusted."""
    for path in sorted(folder.glob("*.log")):
        for _, entry in read_lines(path):
            yield None if entry is None else BlockRecord.from_json(entry)


def replay(folder: Path) -> dict[tuple[int, ...], BlockRecord]:
    """Return the record that counts for each block that has one, by index: that of the highest attempt.

    Among equal attempts a done one counts before one that is not, and then
    the later line; two writers that both finished wrote the same pixels.
    Lines that cannot be trusted count as never written (:func:`damaged`). A
    folder that is not there is an empty journal.
    """
    records: dict[tuple[int, ...], BlockRecord] = {}
    for record in scan(folder):
        if record is None:
            continue
        known = records.get(record.block)
        if known is None or (record.attempt, record.done) >= (known.attempt, known.done):
            records[record.block] = record
    return records


def damaged(folder: Path) -> int:
    """Count the lines that cannot be trusted; the torn last line of a killed writer is none of them."""
    return sum(record is None for record in scan(folder))
