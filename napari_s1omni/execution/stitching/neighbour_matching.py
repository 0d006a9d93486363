"""Compares the labels of neighbouring blocks over the voxels that both have seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.execution.stitching.block_labels import LocalLabels, box_of, halo_and_size
from napari_s1omni.execution.stitching.pair_file import LOCATED_PAIR, PairFile
from napari_s1omni.joining.stitching import PAIR, MatchRule, Offset, match_labels, neighbour_pairs, slabs


def match_neighbours(
    labels: LocalLabels, rule: MatchRule, joins: PairFile, doubts: PairFile, on_block: Callable[[str], None]
) -> None:
    """Compare every pair of neighbouring blocks.

    Parameters
    ----------
    labels : LocalLabels
    rule : MatchRule
        Thresholds for joining.
    joins, doubts : PairFile
        Receive the pairs of labels that are one object, and those that are uncertain.
    on_block : callable
        Called with ``match`` after each pair of blocks; may raise to stop.

    Raises
    ------
    StoreDamaged
        If the slabs of a block cannot be read.
    """
    halo, _ = halo_and_size(labels.plan)
    for i, j, offset in neighbour_pairs(labels.plan.grid.shape, (0, 0, *halo)):
        if not (labels.counts[i] and labels.counts[j]):
            continue
        direction = offset[2:]
        a = labels.scratch.slab(labels.index(i), direction)
        b = labels.scratch.slab(labels.index(j), tuple(-step for step in direction))
        across = tuple(axis for axis, step in enumerate(direction) if step)
        found = match_labels(a, b, int(labels.counts[i]), int(labels.counts[j]), rule, across)
        for file, rows in ((joins, found.joins), (doubts, found.uncertain)):
            file.append(_to_global(labels, (i, j), direction, rows, a.shape))
        on_block("match")


def _to_global(
    labels: LocalLabels, blocks: tuple[int, int], direction: Offset, rows: NDArray[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    """Turn local ids into global ones, and positions in the slab of the first block into px of the result."""
    out = np.zeros(len(rows), LOCATED_PAIR)
    for name in PAIR.names or ():
        out[name] = rows[name]
    for name, number in zip("ab", blocks, strict=True):
        out[name] += labels.offsets[number] - 1
    grid = labels.plan.grid
    block = grid.block(grid.unravel(blocks[0]))
    slab = slabs(box_of(block), *halo_and_size(labels.plan))[direction]
    places = np.unravel_index(rows["at"], shape)
    for name, place, side, region in zip("zyx", places, slab, (grid.z, grid.y, grid.x), strict=True):
        # Slabs reach beyond the region, the result does not.
        out[name] = np.clip(place + side.start, region[0], region[1] - 1) - region[0]
    out["t"] = block.index.t
    return out
