"""What each block contributes to stitching: its labels in scratch and the number of its objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Block, BlockIndex, ShardIndex
from napari_s1omni.joining.stitching import BlockLabels, Box, block_labels
from napari_s1omni.operations import Segmentation
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.logs.journal import BlockRecord
from napari_s1omni.storage.result.label_scratch import LabelScratch

_IN_RESULT = ("written", "empty", "quarantined")
"""States of blocks that are part of the result; a quarantined one has holes, and objects around them."""


def is_stitched(plan: Plan) -> bool:
    """Whether the result of a plan is labels of single objects, which each block numbers on its own first."""
    operation = plan.job.operation
    return isinstance(operation, Segmentation) and operation.instances


def reduce_labels(plan: Plan, block: Block, labels: NDArray[Any]) -> BlockLabels:
    """Reduce the labels over a block's field box to what stitching needs.

    Parameters
    ----------
    plan : Plan
    block : Block
    labels : ndarray of int, (D, H, W)
        Labels over ``block.field_z``, ``field_y`` and ``field_x``.
    """
    return block_labels(labels, box_of(block), *halo_and_size(plan))


def box_of(block: Block) -> Box:
    """Return the box (z, y, x) that a block writes, in source px."""
    return slice(*block.z), slice(*block.y), slice(*block.x)


def halo_and_size(plan: Plan) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return halo and size of the whole source along z, y, x."""
    grid = plan.grid
    return (grid.halo_z, grid.halo, grid.halo), (grid.planes, *grid.extent)


class LocalLabels:
    """The block-local labels of a run, by number of the block.

    Parameters
    ----------
    plan : Plan
    scratch : LabelScratch
        The output of :func:`reduce_labels` for every block.
    records : mapping
        The journal. Blocks without labels count as background.
    """

    def __init__(self, plan: Plan, scratch: LabelScratch, records: Mapping[ShardIndex, BlockRecord]) -> None:
        self.plan = plan
        self.scratch = scratch
        self._records = records
        self.counts = np.fromiter(map(self._count, plan.grid.indices()), np.int64, len(plan.grid))
        """Number of objects in each block."""
        self.offsets = np.concatenate([[0], np.cumsum(self.counts)])
        """Number of objects in all blocks before each block."""

    def index(self, number: int) -> ShardIndex:
        """Return the position of a block along the axes of the target."""
        return self.plan.shard_index(self.plan.grid.unravel(number))

    def record(self, number: int) -> BlockRecord | None:
        """Return the record of a block; None if the block is not part of the result."""
        return self._record_at(self.index(number))

    def at_border(self) -> NDArray[np.int64]:
        """Return global ids of the labels that touch the layer's border in any block."""
        found = [np.zeros(0, np.int64)]
        for number in np.flatnonzero(self.counts).tolist():
            ids = self.scratch.border(self.index(number))
            found.append(ids.astype(np.int64) + self.offsets[number] - 1)
        return np.concatenate(found)

    def _record_at(self, index: ShardIndex) -> BlockRecord | None:
        record = self._records.get(index)
        return record if record is not None and record.state in _IN_RESULT else None

    def _count(self, index: BlockIndex) -> int:
        record = self._record_at(self.plan.shard_index(index))
        return (record.labels or 0) if record is not None else 0
