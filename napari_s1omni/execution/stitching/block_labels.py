"""What each block contributes to stitching: its labels in scratch and the number of its objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Block, BlockIndex, ShardIndex
from napari_s1omni.joining.stitching import BlockLabels, Box, PlaneAreas, block_labels
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


def stack_of(core: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the labels of a block, in the axes of the target, as planes (D, H, W)."""
    return core.reshape((-1, *core.shape[-2:]))


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

    def planes(self, number: int) -> range:
        """Return the planes of a block, counted from the first one of the result."""
        start, stop = self.plan.grid.block(self.plan.grid.unravel(number)).z
        first = self.plan.grid.z[0]
        return range(start - first, stop - first)

    def at_border(self, *, by_plane: bool = False) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return global ids of the labels that touch the layer's border in any block, and planes in which they do.

        Parameters
        ----------
        by_plane : bool
            Look for the planes; an id with several is returned several times. Otherwise all planes are 0.
        """
        found = [np.zeros((2, 0), np.int64)]
        for number in np.flatnonzero(self.counts).tolist():
            local = self.scratch.border(self.index(number)).astype(np.int64)
            if by_plane:
                local, planes = self._border_planes(number, local)
            else:
                planes = np.zeros_like(local)
            found.append(np.stack([local + self.offsets[number] - 1, planes]))
        ids, planes = np.concatenate(found, axis=1)
        return ids, planes

    def _border_planes(self, number: int, border: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the labels of a block that touch the border, and the planes in which they do, in pairs."""
        core = stack_of(self.scratch.core(self.index(number)))
        grid = self.plan.grid
        block = grid.block(grid.unravel(number))
        inside = np.ones(core.shape, bool)
        for axis, span, size in zip((1, 2), (block.y, block.x), grid.extent, strict=True):
            ends = [0] * (span[0] == 0) + [-1] * (span[1] == size)
            for end in ends:
                inside[(slice(None),) * axis + (end,)] = False
        rows = PlaneAreas.of(np.where(inside, 0, core), self.planes(number).start)
        if (grid.y, grid.x) != ((0, grid.extent[0]), (0, grid.extent[1])):
            # Beyond a region no block holds the border itself: those seen there touch it in all of their planes.
            beyond = np.isin(core, np.setdiff1d(border, rows.ids))
            more = PlaneAreas.of(np.where(beyond, core, 0), self.planes(number).start)
            return np.concatenate([rows.ids, more.ids]), np.concatenate([rows.planes, more.planes])
        return rows.ids, rows.planes

    def _record_at(self, index: ShardIndex) -> BlockRecord | None:
        record = self._records.get(index)
        return record if record is not None and record.state in _IN_RESULT else None

    def _count(self, index: BlockIndex) -> int:
        record = self._record_at(self.plan.shard_index(index))
        return (record.labels or 0) if record is not None else 0
