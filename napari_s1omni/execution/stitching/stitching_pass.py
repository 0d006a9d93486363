"""The stitching pass: from labels per block to labels of the whole result, written once.

It goes through the blocks several times, with one block in memory:

1. labels of neighbouring blocks are compared; matching pairs go to a file of joins;
2. the joins are united, and the objects of all blocks are numbered;
3. in a stack, objects are measured plane by plane, split where two lie one above the other, and dropped if thin;
4. the labels of every block are read from scratch, given their final ids, and written.

A resumed run repeats all steps but the last, which it continues. Every step
depends only on the blocks, so the result is the same after any number of
interruptions and for any number of workers.
"""

from __future__ import annotations

import collections
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_s1omni.core.tiling import ShardIndex
from napari_s1omni.errors import PlanError
from napari_s1omni.execution.stitching.block_labels import LocalLabels
from napari_s1omni.execution.stitching.final_labels import FinalLabelWriter
from napari_s1omni.execution.stitching.neighbour_matching import match_neighbours
from napari_s1omni.execution.stitching.pair_file import PairFile
from napari_s1omni.execution.stitching.stack_objects import plane_areas
from napari_s1omni.execution.stitching.uncertain_joins import UNCERTAIN_JOINS_FILE, to_csv, uncertain_rows
from napari_s1omni.joining.stitching import (
    KEEP_ALL,
    MatchRule,
    Numbering,
    StackRule,
    number_objects,
    split_stack,
)
from napari_s1omni.operations import Segmentation
from napari_s1omni.planning.job import Shape
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.logs.journal import BlockRecord
from napari_s1omni.storage.logs.pyramid_log import PyramidLog
from napari_s1omni.storage.result.label_scratch import DiskScratch, LabelScratch
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.sinks.sink import Sink

STITCHED_LOG = "stitched.log"
"""File in ``.s1omni`` that says which blocks have their final labels."""


@dataclass(frozen=True, slots=True)
class StitchReport:
    """What the stitching pass did."""

    objects: int
    """Objects in the whole result: final ids are 1 to this number."""
    joins: int
    """Pairs of labels in neighbouring blocks that are one object."""
    uncertain: int
    """Rows in the table of uncertain joins."""
    written: int
    """Blocks that this pass wrote; an earlier, interrupted pass had written the others."""
    digests: Mapping[ShardIndex, str]
    """Digest of each finished block of the result; empty where nothing was written."""
    seconds: Mapping[str, float]
    """Seconds per step: ``match``, ``number``, ``write``."""
    split: int = 0
    """Places at which one linked object of a stack became two."""
    thin: int = 0
    """Objects of a stack that were dropped since they lie in fewer than `least` planes."""
    least: int = 1


def stitch(
    plan: Plan,
    store: ResultStore,
    records: Mapping[ShardIndex, BlockRecord],
    *,
    rule: MatchRule | None = None,
    stacks: StackRule | None = None,
    check: bool = False,
    on_block: Callable[[str], None] = lambda step: None,
) -> StitchReport:
    """Stitch the labels of a run on disk, and store the table of uncertain joins beside them.

    Parameters
    ----------
    plan : Plan
    store : ResultStore
        With every block in its scratch array, see :class:`~napari_s1omni.storage.result.label_scratch.DiskScratch`.
    records, rule, stacks, on_block
        As in :class:`StitchPass`.
    check : bool
        Read again what an earlier pass wrote, and write blocks that changed since.

    Returns
    -------
    StitchReport
        Its digests are needed to make the coarse levels of the pyramid.
    """
    scratch = DiskScratch(store)
    with PyramidLog(store.work / STITCHED_LOG, scratch.disk) as log:
        stitching = StitchPass(
            plan, store, scratch, records, log=log, rule=rule, stacks=stacks, on_block=on_block, folder=store.work
        )
        return stitching.run(
            store.digest if check else None, lambda lines: scratch.put_file(UNCERTAIN_JOINS_FILE, lines)
        )


class StitchPass:
    """Stitches the labels of one plan.

    Parameters
    ----------
    plan : Plan
        Of a segmentation into instances, at one target px per source px.
    sink : Sink
        Where the final labels go.
    scratch : LabelScratch
        The output of :func:`~napari_s1omni.execution.stitching.block_labels.reduce_labels` for every block.
    records : mapping
        The journal. Blocks without labels count as background.
    log : PyramidLog, optional
        Remembers which blocks were written; None writes all.
    rule : MatchRule, optional
        Thresholds for joining.
    stacks : StackRule, optional
        What becomes of the objects of a stack; as the operation says by default.
    on_block : callable
        Called with ``match`` after each pair of neighbours, ``measure`` after each block of a stack and ``write`` after
        each block; may raise to stop the pass.
    folder : Path, optional
        Folder of temporary files; that of the system by default.
    """

    def __init__(
        self,
        plan: Plan,
        sink: Sink,
        scratch: LabelScratch,
        records: Mapping[ShardIndex, BlockRecord],
        *,
        log: PyramidLog | None = None,
        rule: MatchRule | None = None,
        stacks: StackRule | None = None,
        on_block: Callable[[str], None] = lambda step: None,
        folder: Path | None = None,
    ) -> None:
        self._plan = plan
        self._sink = sink
        self._labels = LocalLabels(plan, scratch, records)
        self._log = log
        self._rule = rule or MatchRule()
        self._stacks = stacks or _stack_rule(plan)
        self._on_block = on_block
        self._folder = folder

    def run(
        self,
        check: Callable[[ShardIndex], str] | None = None,
        table: Callable[[Iterator[bytes]], object] = lambda lines: collections.deque(lines, 0),
    ) -> StitchReport:
        """Stitch, and write the final labels.

        Parameters
        ----------
        check : callable, optional
            Returns the digest of a block of the result as it is stored now: blocks that an earlier pass wrote are
            read again, and written again if they have changed since.
        table : callable
            Receives the table of uncertain joins as lines of CSV, the header
            `~napari_s1omni.execution.stitching.uncertain_joins.COLUMNS` first, and must read all of them; by default
            the table is dropped.

        Raises
        ------
        PlanError
            If there are more objects than the target's dtype can number.
        StoreDamaged
            If labels or slabs of a block cannot be read.
        """
        times = [time.perf_counter()]
        with PairFile(self._folder) as joins, PairFile(self._folder) as doubts, PairFile(self._folder) as ordered:
            match_neighbours(self._labels, self._rule, joins, doubts, self._on_block)
            times.append(time.perf_counter())
            numbering, thin, least = self._number(joins)
            times.append(time.perf_counter())
            writer = FinalLabelWriter(self._labels, self._sink, self._log, check)
            final = writer.write(numbering, self._on_block)
            rows = uncertain_rows(numbering, joins, doubts, final.sizes, self._rule.extent, ordered)
            lines = _CountedLines(to_csv(rows))
            table(lines)
            times.append(time.perf_counter())
            return StitchReport(
                objects=numbering.total,
                joins=joins.count,
                uncertain=lines.count - 1,
                written=final.written,
                digests=final.digests,
                seconds=dict(zip(("match", "number", "write"), np.diff(times).tolist(), strict=True)),
                split=len(numbering.cuts),
                thin=thin,
                least=least,
            )

    def _number(self, joins: PairFile) -> tuple[Numbering, int, int]:
        """Return the final ids, how many objects were dropped since they are thin, and the fewest planes of an object.

        Objects at the border are dropped too, if the operation says so.
        """
        numbering = number_objects(self._labels.counts, joins)
        operation = self._plan.job.operation
        thin, least = np.zeros(0, np.int64), 1
        if self._stacks.split or self._stacks.bound > 1:
            areas = plane_areas(self._labels, numbering, self._folder, self._on_block)
            span = self._plan.grid.z
            found = split_stack(areas, numbering, self._stacks, span[1] - span[0])
            numbering, thin, least = found.numbering, found.thin, found.least
        border = thin[:0]
        if isinstance(operation, Segmentation) and operation.drop_border:
            # An object is dropped as a whole if any of its parts touches the border.
            ids, planes = self._labels.at_border(by_plane=len(numbering.cuts) > 0)
            border = numbering.final_ids(ids, planes)
            thin = np.setdiff1d(thin, border)
        if len(gone := np.concatenate([border, thin])):
            numbering = numbering.without(gone)
        limit = np.iinfo(self._plan.target.np_dtype).max
        if numbering.total > limit:
            raise PlanError(
                f"{numbering.total} objects",
                f"{self._plan.target.dtype} labels hold {limit}",
                "segment regions one by one",
            )
        return numbering, len(thin), least


def _stack_rule(plan: Plan) -> StackRule:
    """Return what becomes of the objects of a stack as the job says."""
    operation, region = plan.job.operation, plan.job.region
    if not isinstance(operation, Segmentation):
        return KEEP_ALL
    return operation.stack_rule(plan.target, masked=isinstance(region, Shape) and region.type == "mask")


class _CountedLines(Iterator[bytes]):
    """Counts lines as they are read."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self.count = 0

    def __next__(self) -> bytes:
        line = next(self._lines)
        self.count += 1
        return line
