"""The state of every block according to the journal, in a few dozen bytes per block however large the volume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from napari_s1omni.core.tiling import ShardIndex
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.logs.journal import DONE, BlockRecord, BlockState, scan

_STATES: tuple[BlockState, ...] = ("written", "empty", "failed", "quarantined", "stale")
_FINISHED = tuple(_STATES.index(state) + 1 for state in (*DONE, "quarantined"))
"""States of blocks that a resumed run does not make again, as numbers of an entry."""
_DIGESTS = ("digest", "quality")
_TILES = ("drawn", "kept", "empty", "failed", "outside")
_ENTRY = np.dtype(
    [
        ("state", "u1"),
        ("attempt", "<u2"),
        ("labels", "<i4"),
        *((name, "V16") for name in _DIGESTS),
        *((name, "<u4") for name in _TILES),
        ("shared", "<u4"),
    ]
)
"""State is the position in `_STATES` plus 1; 0 means no record."""
_NO_LABELS = -1
"""Stands for the number of labels None."""


class BlockTable(Mapping[ShardIndex, BlockRecord]):
    """The valid record of each block that has one, reduced to the fields that later steps need.

    Failed tiles are counted in ``tiles`` but not listed in ``failures``.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._entries = np.zeros(len(plan.grid), _ENTRY)

    @classmethod
    def replay(cls, plan: Plan, folder: Path) -> BlockTable:
        """Read a journal; damaged lines are skipped."""
        table = cls(plan)
        for record in scan(folder):
            if record is not None:
                table.add(record)
        return table

    def add(self, record: BlockRecord) -> bool:
        """Add a record unless one that takes precedence is known; return whether it was added.

        The highest attempt wins; among equal ones a done record wins over one
        that is not done, and then the later one.
        """
        entry = self._entries[self.number(record.block)]
        if entry["state"]:
            known = int(entry["attempt"]), _STATES[entry["state"] - 1] in DONE
            if (record.attempt, record.done) < known:
                return False
        entry["state"] = _STATES.index(record.state) + 1
        entry["attempt"] = record.attempt
        entry["labels"] = _NO_LABELS if record.labels is None else record.labels
        for name in _DIGESTS:
            entry[name] = bytes.fromhex(getattr(record, name)).ljust(16, b"\0")
        for name in _TILES:
            entry[name] = record.tiles.get(name, 0)
        entry["shared"] = record.shared
        return True

    def number(self, index: ShardIndex) -> int:
        """Return the number of a block in lexicographic order."""
        return self._plan.grid.ravel(self._plan.block_index(index))

    def next_attempt(self, number: int) -> int:
        """Return the attempt of the next record of a block."""
        entry = self._entries[number]
        return int(entry["attempt"]) + 1 if entry["state"] else 0

    def unfinished(self) -> list[int]:
        """Return the blocks that are neither done nor quarantined, by number."""
        return [int(n) for n in np.flatnonzero(~np.isin(self._entries["state"], _FINISHED))]

    def is_finished(self, number: int) -> bool:
        """Whether a block is done or quarantined."""
        return int(self._entries["state"][number]) in _FINISHED

    def tiles(self, *names: str) -> int:
        """Count the tiles with the outcomes ``drawn``, ``kept``, ``empty``, ``failed`` or ``outside``."""
        return sum(int(self._entries[name].sum()) for name in names)

    def tiles_done(self) -> int:
        """Count the tiles of the run in finished blocks, each once."""
        finished = self._entries[np.isin(self._entries["state"], _FINISHED)]
        done = sum(int(finished[name].sum()) for name in _TILES if name != "outside")
        return max(0, done - int(finished["shared"].sum()))

    def digests(self) -> Mapping[ShardIndex, str]:
        """Return the digest of each block that has a record."""
        return _Digests(self)

    def __getitem__(self, index: ShardIndex) -> BlockRecord:
        entry = self._entries[self.number(index)]
        if not entry["state"]:
            raise KeyError(index)
        digest, quality = (entry[name].tobytes() for name in _DIGESTS)
        labels = int(entry["labels"])
        return BlockRecord(
            block=index,
            state=_STATES[entry["state"] - 1],
            digest=digest.hex() if any(digest) else "",
            quality=quality.hex() if any(quality) else "",
            labels=None if labels == _NO_LABELS else labels,
            tiles={name: int(entry[name]) for name in _TILES},
            shared=int(entry["shared"]),
            attempt=int(entry["attempt"]),
        )

    def __contains__(self, index: object) -> bool:
        return isinstance(index, tuple) and bool(self._entries["state"][self.number(index)])

    def __iter__(self) -> Iterator[ShardIndex]:
        numbers = np.flatnonzero(self._entries["state"]).tolist()
        return (self._plan.shard_index(self._plan.grid.unravel(number)) for number in numbers)

    def __len__(self) -> int:
        return int(np.count_nonzero(self._entries["state"]))


class _Digests(Mapping[ShardIndex, str]):
    def __init__(self, table: BlockTable) -> None:
        self._table = table

    def __getitem__(self, index: ShardIndex) -> str:
        return self._table[index].digest

    def __contains__(self, index: object) -> bool:
        return index in self._table

    def __iter__(self) -> Iterator[ShardIndex]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)
