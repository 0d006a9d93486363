"""The stitching pass: from labels per block to labels of the whole, written once.

Three walks over the blocks, each with one block in memory:

1. neighbours are compared, what matches goes to a file of joins;
2. the joins are united and every block's ids counted through;
3. every block is read from scratch, given its final ids, and written.

The first two are repeated by a resumed run, the third goes on where it was.
Every step depends on the blocks alone, so the bytes are the same after any
number of interruptions and for any number of workers.
"""

from __future__ import annotations

import collections
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Block
from napari_s1omni.errors import PlanError, StoreDamaged
from napari_s1omni.execution.pipeline.block_geometry import target_index
from napari_s1omni.execution.stitching.uncertain_joins import FOUND, UncertainJoinFile, to_csv, uncertain_rows
from napari_s1omni.joining.stitching import (
    PAIR,
    BlockLabels,
    Box,
    MatchRule,
    Numbering,
    Offset,
    block_labels,
    match_labels,
    neighbour_pairs,
    number_objects,
    slabs,
)
from napari_s1omni.operations import Segmentation
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.logs.journal import BlockRecord
from napari_s1omni.storage.logs.pyramid_log import PyramidLog
from napari_s1omni.storage.result.label_scratch import DiskScratch, LabelScratch
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.sinks.sink import BlockIndex, Sink

TABLE = "uncertain_joins.csv"
"""File under ``.s1omni/`` with the table of uncertain joins."""
LOG = "stitched.log"
"""File under ``.s1omni/`` that says which blocks have their final labels."""

_KEPT = ("written", "empty", "quarantined")
"""States of blocks that are part of the result; a quarantined one has holes, and objects around them."""


@dataclass(frozen=True, slots=True)
class StitchReport:
    """What the stitching pass did."""

    objects: int
    """Objects in the whole result: final ids are 1 to this."""
    joins: int
    """Pairs of labels in neighbouring blocks that are one object."""
    uncertain: int
    """Rows in the table of uncertain joins."""
    written: int
    """Blocks written by this pass; the others an earlier, interrupted pass had written."""
    digests: Mapping[BlockIndex, str]
    """Digest of each finished block of the result; empty where nothing was written."""
    seconds: Mapping[str, float]
    """Time per step: ``match``, ``number``, ``write``."""


def settle_block(plan: Plan, block: Block, labels: NDArray[Any]) -> BlockLabels:
    """Reduce the labels over a block's field box to what stitching needs.

    Parameters
    ----------
    plan : Plan
    block : Block
    labels : ndarray of int, (D, H, W)
        Labels over ``block.field_z``, ``field_y`` and ``field_x``.
    """
    return block_labels(labels, _box(block), *_frame(plan))


def is_stitched(plan: Plan) -> bool:
    """Whether the result of a plan is labels of single objects, which blocks can only number on their own."""
    operation = plan.job.operation
    return isinstance(operation, Segmentation) and operation.instances


def stitch(
    plan: Plan,
    store: ResultStore,
    records: Mapping[BlockIndex, BlockRecord],
    *,
    rule: MatchRule | None = None,
    check: bool = False,
    on_block: Callable[[str], None] = lambda step: None,
) -> StitchReport:
    """Stitch the labels of a run on disk, and store the table of uncertain joins beside them.

    Parameters
    ----------
    plan : Plan
    store : ResultStore
        Of which every block is in the scratch array, see :class:`~napari_s1omni.storage.result.label_scratch.DiskScratch`.
    records, rule, on_block
        As in :class:`StitchPass`.
    check : bool
        Read again what an earlier pass wrote, and write again what has changed since.

    Returns
    -------
    StitchReport
        The coarse levels of the pyramid are still to be made from its digests.
    """
    scratch = DiskScratch(store)
    with PyramidLog(store.work / LOG, scratch.disk) as log:
        stitching = StitchPass(plan, store, scratch, records, log=log, rule=rule, on_block=on_block, folder=store.work)
        return stitching.run(store.digest if check else None, lambda lines: scratch.put_file(TABLE, lines))


class StitchPass:
    """Stitches the labels of one plan.

    Parameters
    ----------
    plan : Plan
        Of a segmentation into instances, at one target px per source px.
    sink : Sink
        Where the final labels go.
    scratch : LabelScratch
        What :func:`settle_block` made of every block.
    records : mapping
        The journal. Blocks without pixels count as background.
    log : PyramidLog, optional
        Remembers which blocks were written; None writes all.
    rule : MatchRule, optional
        Thresholds for joining.
    on_block : callable
        Told ``match`` after each pair of neighbours and ``write`` after each block; may raise to stop the pass.
    folder : Path, optional
        Where the file of joins may lie while the pass runs; a folder of the system by default.
    """

    def __init__(
        self,
        plan: Plan,
        sink: Sink,
        scratch: LabelScratch,
        records: Mapping[BlockIndex, BlockRecord],
        *,
        log: PyramidLog | None = None,
        rule: MatchRule | None = None,
        on_block: Callable[[str], None] = lambda step: None,
        folder: Path | None = None,
    ) -> None:
        self._plan = plan
        self._sink = sink
        self._scratch = scratch
        self._records = records
        self._log = log
        self._rule = rule or MatchRule()
        self._on_block = on_block
        self._folder = folder
        self._counts = np.fromiter(map(self._count, plan.grid.indices()), np.int64, len(plan.grid))

    def run(
        self,
        check: Callable[[BlockIndex], str] | None = None,
        table: Callable[[Iterator[bytes]], object] = lambda lines: collections.deque(lines, 0),
    ) -> StitchReport:
        """Stitch, and write the final labels.

        Parameters
        ----------
        check : callable, optional
            Digest of a block of the result as it is stored now: blocks that an earlier pass wrote are read
            again, and written again if they have changed since.
        table : callable
            Takes the uncertain joins as lines of CSV, with `~napari_s1omni.execution.stitching.uncertain_joins.COLUMNS` as the
            first one, and reads all of them; by default nothing is kept.

        Raises
        ------
        PlanError
            If there are more objects than the target's dtype can number.
        StoreDamaged
            If labels or slabs of a block cannot be read.
        """
        clock = [time.perf_counter()]
        with (
            UncertainJoinFile(self._folder) as joins,
            UncertainJoinFile(self._folder) as doubts,
            UncertainJoinFile(self._folder) as ordered,
        ):
            self._compare(joins, doubts)
            clock.append(time.perf_counter())
            numbering = number_objects(self._counts, joins)
            if self._drops_border:
                numbering = numbering.without(self._at_border())
            limit = np.iinfo(self._plan.target.np_dtype).max
            if numbering.total > limit:
                raise PlanError(
                    f"{numbering.total} objects",
                    f"{self._plan.target.dtype} labels hold {limit}",
                    "segment regions one by one",
                )
            clock.append(time.perf_counter())
            digests, written, sizes = self._write(numbering, check)
            lines = _Counted(to_csv(uncertain_rows(numbering, joins, doubts, sizes, self._rule.extent, ordered)))
            table(lines)
            clock.append(time.perf_counter())
            return StitchReport(
                objects=numbering.total,
                joins=joins.count,
                uncertain=lines.count - 1,
                written=written,
                digests=digests,
                seconds=dict(zip(("match", "number", "write"), np.diff(clock).tolist(), strict=True)),
            )

    def _compare(self, joins: UncertainJoinFile, doubts: UncertainJoinFile) -> None:
        before = np.concatenate([[0], np.cumsum(self._counts)])
        halo = (0, 0, *_frame(self._plan)[0])
        for i, j, offset in neighbour_pairs(self._plan.grid.shape, halo):
            if not (self._counts[i] and self._counts[j]):
                continue
            ahead = offset[2:]
            a = self._scratch.slab(self._index(i), ahead)
            b = self._scratch.slab(self._index(j), tuple(-o for o in ahead))
            across = tuple(axis for axis, step in enumerate(ahead) if step)
            found = match_labels(a, b, int(self._counts[i]), int(self._counts[j]), self._rule, across)
            for spool, rows in ((joins, found.joins), (doubts, found.uncertain)):
                spool.append(self._placed(rows, i, ahead, a.shape, before[i] - 1, before[j] - 1))
            self._on_block("match")

    @property
    def _drops_border(self) -> bool:
        operation = self._plan.job.operation
        return isinstance(operation, Segmentation) and operation.drop_border

    def _at_border(self) -> NDArray[np.int64]:
        """Global ids of the labels that reach the layer's border in any block: objects go as a whole, or not at all."""
        before = np.concatenate([[0], np.cumsum(self._counts)])
        found = [np.zeros(0, np.int64)]
        for position in np.flatnonzero(self._counts).tolist():
            ids = self._scratch.border(self._index(position))
            found.append(ids.astype(np.int64) + before[position] - 1)
        return np.concatenate(found)

    def _placed(
        self, rows: NDArray[Any], position: int, ahead: Offset, shape: tuple[int, ...], add_a: int, add_b: int
    ) -> NDArray[Any]:
        """Local ids to global ids, and the voxel's place in the slab to px of the result."""
        out = np.zeros(len(rows), FOUND)
        for name in PAIR.names or ():
            out[name] = rows[name]
        out["a"] += add_a
        out["b"] += add_b
        grid = self._plan.grid
        block = grid.block(self._at(position))
        box = slabs(_box(block), *_frame(self._plan))[ahead]
        places = np.unravel_index(rows["at"], shape)
        for name, place, side, region in zip("zyx", places, box, (grid.z, grid.y, grid.x), strict=True):
            # Windows reach beyond a region, the result does not.
            out[name] = np.clip(place + side.start, region[0], region[1] - 1) - region[0]
        out["t"] = block.index[0]
        return out

    def _write(
        self, numbering: Numbering, check: Callable[[BlockIndex], str] | None
    ) -> tuple[dict[BlockIndex, str], int, NDArray[np.int64]]:
        """Write every block that is not written yet; return digests, how many, and the sizes of joined objects."""
        merged = numbering.merged_ids()
        sizes = np.zeros(len(merged), np.int64)
        digests: dict[BlockIndex, str] = {}
        written = 0
        for position in range(len(self._counts)):
            index = self._index(position)
            record = self._records.get(index)
            if record is None or record.state not in _KEPT:
                continue
            digests[index] = ""
            if self._counts[position] or self._was_written(index):
                table = numbering.lookup(position)
                digests[index], fresh = self._write_block(index, table, record.digest, check)
                written += fresh
                place = np.searchsorted(merged, table[1:])
                place[place == len(merged)] = 0
                known = merged[place] == table[1:] if len(merged) else np.zeros(len(place), bool)
                np.add.at(sizes, place[known], self._scratch.areas(index)[known])
            self._on_block("write")
        return digests, written, sizes

    def _write_block(
        self, index: BlockIndex, table: NDArray[np.int64], local: str, check: Callable[[BlockIndex], str] | None
    ) -> tuple[str, bool]:
        """Give one block its final ids, unless that was done from the same labels and the same table."""
        origin = self._origin(index)
        inputs = hashlib.sha256(local.encode() + table.tobytes()).hexdigest()[:32]
        known = (self._log.get(0, origin) if self._log else None) or ""
        if known.startswith(inputs):
            found = known.removeprefix(f"{inputs} ")
            if check is None or _is_intact(check, index, found):
                return found, False
        labels = table.astype(self._plan.target.np_dtype)[self._scratch.core(index)]
        found = self._sink.write_block(origin, labels)
        if self._log:
            self._log.put(0, origin, f"{inputs} {found}")
        return found, True

    def _was_written(self, index: BlockIndex) -> bool:
        """Whether an earlier pass gave this block labels, which it may have lost since."""
        return self._log is not None and self._log.get(0, self._origin(index)) is not None

    def _origin(self, index: BlockIndex) -> tuple[int, ...]:
        return tuple(i * b for i, b in zip(index, self._sink.block, strict=True))

    def _at(self, position: int) -> tuple[int, int, int, int, int]:
        t, group, z, y, x = (int(i) for i in np.unravel_index(position, self._plan.grid.shape))
        return t, group, z, y, x

    def _index(self, position: int) -> BlockIndex:
        return target_index(self._plan, self._at(position))

    def _count(self, index: tuple[int, int, int, int, int]) -> int:
        record = self._records.get(target_index(self._plan, index))
        return (record.labels or 0) if record is not None and record.state in _KEPT else 0


class _Counted(Iterator[bytes]):
    """Counts the lines that pass."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self.count = 0

    def __next__(self) -> bytes:
        line = next(self._lines)
        self.count += 1
        return line


def _is_intact(digest: Callable[[BlockIndex], str], index: BlockIndex, expected: str) -> bool:
    try:
        return digest(index) == expected
    except StoreDamaged:
        return False


def _frame(plan: Plan) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Halo and size of the whole source along z, y, x."""
    grid = plan.grid
    return (grid.halo_z, grid.halo, grid.halo), (grid.planes, *grid.extent)


def _box(block: Block) -> Box:
    return slice(*block.z), slice(*block.y), slice(*block.x)
