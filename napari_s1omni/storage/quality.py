"""Quality maps of a result: how sure each px is, and how visible the joins of each tile are.

Two arrays under ``.s1omni/quality/``, written block by block by the one writer of that block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.plan import Plan
from napari_s1omni.storage.arrays import ShardedArray
from napari_s1omni.storage.sink import BlockIndex
from napari_s1omni.storage.store import ResultStore

CONFIDENCE = "quality/confidence"
SEAMS = "quality/seams"

SURE = 255
"""Confidence of a px that is certain; 0 is one that is undecided or was not drawn."""

BINS = (0.0, 0.8, 0.95, 1.05, 1.2, 1.5, 2.0)
"""Where the bins of the histogram of seam scores begin; the last one has no end. 0.95 to 1.05 cannot be seen."""


@dataclass(frozen=True, slots=True)
class BlockQuality:
    """What is known of one block beside its px."""

    confidence: NDArray[np.uint8] | None
    """In the axes of the target; None where the operation has none or nothing was drawn."""
    seams: NDArray[np.float32]
    """Score of each tile whose cell is in the block, (D, rows, columns); 0 where there is no join or nothing varies."""


class QualityMaps:
    """Writes the maps of a run.

    Parameters
    ----------
    plan : Plan
    store : ResultStore
        Opened for writing.
    """

    def __init__(self, plan: Plan, store: ResultStore) -> None:
        self._block = store.block
        self._confidence: ShardedArray | None = None
        if plan.target.kind == "labels":
            self._confidence = store.scratch(CONFIDENCE, "uint8", store.target.shape, store.block)
        shape, cells = lattice(plan)
        self._cells = cells
        self._seams = store.scratch(SEAMS, "float32", shape, cells)

    def put(self, index: BlockIndex, quality: BlockQuality) -> None:
        """Write the maps of one block; again, where it is run again."""
        if self._confidence is not None and quality.confidence is not None:
            at = tuple(i * b for i, b in zip(index, self._block, strict=True))
            self._confidence.put(at, quality.confidence)
        at = tuple(i * b for i, b in zip(index, self._cells, strict=True))
        box = zip(at, self._cells, self._seams.shape, strict=True)
        size = [min(n, total - start) for start, n, total in box]
        self._seams.put(at, quality.seams.reshape(size))

    def summary(self, counts: tuple[int, ...]) -> dict[str, object]:
        """Return the mean seam score, the number of tiles that have one, and their histogram.

        Parameters
        ----------
        counts : tuple of int
            Blocks along each axis of the target.
        """
        total, tiles = 0.0, 0
        histogram = np.zeros(len(BINS), np.int64)
        for index in np.ndindex(*counts):
            scores = self._seams.read_block(index)
            scores = scores[scores > 0].astype(np.float64)
            total, tiles = total + float(scores.sum()), tiles + scores.size
            histogram += np.histogram(scores, [*BINS, np.inf])[0]
        return {
            "score": round(total / tiles, 4) if tiles else None,
            "tiles": tiles,
            "histogram": {f"from {low:g}": int(n) for low, n in zip(BINS, histogram, strict=True)},
        }


def lattice(plan: Plan) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shape of the map of seams, one px per tile, and of a block in it, along the axes of the target."""
    grid = plan.grid
    step = grid.step
    whole = {
        "t": grid.t[1] - grid.t[0],
        "c": grid.groups,
        "z": grid.z[1] - grid.z[0],
        "y": -(-(grid.y[1] - grid.y[0]) // step),
        "x": -(-(grid.x[1] - grid.x[0]) // step),
    }
    edge = grid.block_size // step
    block = {"t": 1, "c": 1, "z": grid.depth, "y": edge, "x": edge}
    axes = plan.target.axes
    return tuple(whole[a] for a in axes), tuple(block[a] for a in axes)
