"""Ledger: what the journal says of every block, in a few dozen bytes each however large the volume."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from napari_s1omni.execution.pipeline.block_geometry import grid_index, target_index
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.logs.journal import DONE, BlockRecord, State, scan
from napari_s1omni.storage.sinks.sink import BlockIndex

_STATES: tuple[State, ...] = ("written", "empty", "failed", "quarantined", "stale")
_ENTRY = np.dtype(
    [
        ("state", "u1"),
        ("attempt", "<u2"),
        ("labels", "<i4"),
        ("digest", "V16"),
        ("quality", "V16"),
        ("drawn", "<u4"),
        ("empty", "<u4"),
        ("failed", "<u4"),
        ("outside", "<u4"),
    ]
)
_DIGESTS = ("digest", "quality")
_TILES = ("drawn", "empty", "failed", "outside")
_NONE = -1
"""Stands for no number of labels."""


class BlockTable(Mapping[BlockIndex, BlockRecord]):
    """The record that counts for each block that has one; of a record only what later steps need is kept.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._entries = np.zeros(len(plan.grid), _ENTRY)

    @classmethod
    def replay(cls, plan: Plan, folder: Path) -> BlockTable:
        """Read a journal; lines that cannot be trusted count as never written."""
        ledger = cls(plan)
        for record in scan(folder):
            if record is not None:
                ledger.enter(record)
        return ledger

    def enter(self, record: BlockRecord) -> bool:
        """Take note of a record unless one that counts more is there; report whether it counts.

        The highest attempt counts; among equal ones a done one before one
        that is not, and then the later one.
        """
        entry = self._entries[self.number(record.block)]
        if entry["state"]:
            known = int(entry["attempt"]), _STATES[entry["state"] - 1] in DONE
            if (record.attempt, record.done) < known:
                return False
        entry["state"] = _STATES.index(record.state) + 1
        entry["attempt"] = record.attempt
        entry["labels"] = _NONE if record.labels is None else record.labels
        for name in _DIGESTS:
            entry[name] = bytes.fromhex(getattr(record, name)).ljust(16, b"\0")
        for name in _TILES:
            entry[name] = record.tiles.get(name, 0)
        return True

    def number(self, index: BlockIndex) -> int:
        """Position of a block in lexicographic order."""
        return int(np.ravel_multi_index(grid_index(self._plan, index), self._plan.grid.shape))

    def attempt(self, number: int) -> int:
        """Attempt that the next record of a block is to have."""
        entry = self._entries[number]
        return int(entry["attempt"]) + 1 if entry["state"] else 0

    def todo(self) -> list[int]:
        """Blocks that are neither done nor given up, by number."""
        kept = [_STATES.index(state) + 1 for state in (*DONE, "quarantined")]
        return [int(n) for n in np.flatnonzero(~np.isin(self._entries["state"], kept))]

    def is_done(self, number: int) -> bool:
        """Whether nothing is left to do for a block."""
        state = int(self._entries["state"][number])
        return state > 0 and (_STATES[state - 1] in DONE or _STATES[state - 1] == "quarantined")

    def tiles(self, *names: str) -> int:
        """Count tiles that were ``drawn``, ``empty``, ``failed`` or ``outside``; of several names their sum."""
        return sum(int(self._entries[name].sum()) for name in names)

    def indices(self, numbers: Iterable[int]) -> Iterator[BlockIndex]:
        """Yield the positions of blocks along the axes of the target."""
        for number in numbers:
            t, group, z, y, x = (int(i) for i in np.unravel_index(number, self._plan.grid.shape))
            yield target_index(self._plan, (t, group, z, y, x))

    def digests(self) -> Mapping[BlockIndex, str]:
        """Digest of each block that has one."""
        return _Digests(self)

    def __getitem__(self, index: BlockIndex) -> BlockRecord:
        number = self.number(index)
        entry = self._entries[number]
        if not entry["state"]:
            raise KeyError(index)
        digest, quality = (entry[name].tobytes() for name in _DIGESTS)
        labels = int(entry["labels"])
        return BlockRecord(
            block=index,
            state=_STATES[entry["state"] - 1],
            digest=digest.hex() if any(digest) else "",
            quality=quality.hex() if any(quality) else "",
            labels=None if labels == _NONE else labels,
            tiles={name: int(entry[name]) for name in _TILES},
            attempt=int(entry["attempt"]),
        )

    def __contains__(self, index: object) -> bool:
        return isinstance(index, tuple) and bool(self._entries["state"][self.number(index)])

    def __iter__(self) -> Iterator[BlockIndex]:
        return self.indices(np.flatnonzero(self._entries["state"]).tolist())

    def __len__(self) -> int:
        return int(np.count_nonzero(self._entries["state"]))


class _Digests(Mapping[BlockIndex, str]):
    def __init__(self, ledger: BlockTable) -> None:
        self._ledger = ledger

    def __getitem__(self, index: BlockIndex) -> str:
        return self._ledger[index].digest

    def __contains__(self, index: object) -> bool:
        return index in self._ledger

    def __iter__(self) -> Iterator[BlockIndex]:
        return iter(self._ledger)

    def __len__(self) -> int:
        return len(self._ledger)
