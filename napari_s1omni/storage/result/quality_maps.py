"""Quality maps of a result: confidence and expected error per pixel, visibility of the seams of each tile, and holes.

They are arrays under ``.s1omni/quality/``, written block by block by the writer of the block. Shards that are
all 0 are not stored, so the map of holes of a run without failures is only metadata.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import ShardIndex
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.result.sharded_array import ShardedArray
from napari_s1omni.storage.result.shards import digest
from napari_s1omni.storage.result.store import ResultStore

CONFIDENCE = "quality/confidence"
SEAMS = "quality/seams"
HOLES = "quality/holes"
EXPECTED_ERROR = "quality/expected_error"
"""Only of engines that say how far to trust what they draw."""

SURE = 255
"""Confidence of a certain pixel; 0 is undecided or not drawn."""
WHOLE_RANGE = 255
"""Stored error of a pixel whose error to expect is the whole model range."""

BINS = (0.0, 0.8, 0.95, 1.05, 1.2, 1.5, 2.0)
"""Lower ends of the bins of the histogram of seam scores. Seams of 0.95 to 1.05 are invisible."""


@dataclass(frozen=True, slots=True)
class BlockQuality:
    """The quality maps of one block."""

    confidence: NDArray[np.uint8] | None
    """In the axes of the target; None if the operation has no confidence or nothing was drawn."""
    seams: NDArray[np.float32]
    """Score of each tile whose cell is in the block, (D, rows, columns); 0 without a seam or without contrast."""
    holes: NDArray[np.uint8] | None = None
    """1 in the area of a failed tile, in the axes of the target; None if none failed."""
    error: NDArray[np.uint8] | None = None
    """Error to expect, in the axes of the target, of :data:`WHOLE_RANGE`; None if the engine does not say."""


class QualityMaps:
    """Writes and reads the quality maps of a run.

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
            self._confidence = store.require_array(CONFIDENCE, "uint8", store.target.shape, store.block)
        shape, cells = seam_map_shapes(plan)
        self._cells = cells
        self._seams = store.require_array(SEAMS, "float32", shape, cells)
        self._holes = store.require_array(HOLES, "uint8", store.target.shape, store.block)
        self._error: ShardedArray | None = None
        if plan.engine.expects_error:
            self._error = store.require_array(EXPECTED_ERROR, "uint8", store.target.shape, store.block)

    def put(self, index: ShardIndex, quality: BlockQuality) -> str:
        """Write the maps of one block, replacing earlier ones; return their digest."""
        px = tuple(i * b for i, b in zip(index, self._block, strict=True))
        if self._confidence is not None and quality.confidence is not None:
            self._confidence.put(px, quality.confidence)
        at = tuple(i * b for i, b in zip(index, self._cells, strict=True))
        box = zip(at, self._cells, self._seams.shape, strict=True)
        size = [min(n, total - start) for start, n, total in box]
        self._seams.put(at, quality.seams.reshape(size))
        if quality.holes is None:
            self._holes.clear(px)
        else:
            self._holes.put(px, quality.holes)
        if self._error is not None and quality.error is not None:
            self._error.put(px, quality.error)
        return _joint_digest(quality.confidence, quality.seams.reshape(size), quality.holes, *self._more(quality.error))

    def digest(self, index: ShardIndex) -> str:
        """Return the digest of the maps of one block as stored now.

        Raises
        ------
        StoreDamaged
            If a checksum does not match or a file is cut short.
        """
        confidence = None if self._confidence is None else self._confidence.read_block(index)
        error = None if self._error is None else self._error.read_block(index)
        maps = confidence, self._seams.read_block(index), self._holes.read_block(index)
        return _joint_digest(*maps, *self._more(error))

    def _more(self, error: NDArray[np.uint8] | None) -> tuple[NDArray[np.uint8] | None, ...]:
        """Return the maps that only some engines have; without them, digests are as they always were."""
        return () if self._error is None else (error,)

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


def _joint_digest(*maps: NDArray[Any] | None) -> str:
    """Return the digest of the maps of a block; a map of zeros counts like a missing one."""
    digests = (digest(pixels) if pixels is not None and pixels.any() else "" for pixels in maps)
    return hashlib.sha256("/".join(digests).encode()).hexdigest()[:32]


def seam_map_shapes(plan: Plan) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shape of the seam map, one value per tile, and of a block in it, in the axes of the target."""
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
