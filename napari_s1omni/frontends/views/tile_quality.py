"""Seam scores and confidence of the tiles of a block, from the quality maps of a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.result.quality_maps import CONFIDENCE, SEAMS, SURE, lattice
from napari_s1omni.storage.result.sharded_array import ShardedArray
from napari_s1omni.storage.result.store import ResultStore


@dataclass(frozen=True, slots=True)
class TileQuality:
    """Quality of the tiles of one block: float (D, rows, columns), NaN where unknown."""

    seams: NDArray[np.float64]
    """See :mod:`napari_s1omni.joining.seams`; a seam of about 1 is invisible."""
    confidence: NDArray[np.float64]
    """Mean over the tile's cell, 0 (undecided) to 1 (sure)."""


class QualityReader:
    """Reads the quality maps of a result, which may be unfinished.

    Parameters
    ----------
    plan : Plan
    store : ResultStore
    """

    def __init__(self, plan: Plan, store: ResultStore) -> None:
        self._plan = plan
        self._store = store
        shape, cells = lattice(plan)
        self._cells = cells
        self._seams = self._open(SEAMS, "float32", shape, cells)
        self._confidence = self._open(CONFIDENCE, "uint8", store.target.shape, store.block)

    @property
    def empty(self) -> bool:
        """Whether the run has written no map yet."""
        return self._seams is None

    def read(self, block: tuple[int, ...]) -> TileQuality | None:
        """Read one block, by its index along the axes of the target; None without maps."""
        if self._seams is None:
            return None
        seams = self._stacked(self._seams.read_block(block)).astype(np.float64)
        confidence = np.full(seams.shape, np.nan)
        if self._confidence is not None:
            whole = self._stacked(self._confidence.read_block(block))
            grid = self._plan.grid
            rows, cols = grid.step * grid.factor[0], grid.step * grid.factor[1]
            for i in range(seams.shape[1]):
                for j in range(seams.shape[2]):
                    part = whole[:, i * rows : (i + 1) * rows, j * cols : (j + 1) * cols]
                    if part.size:
                        confidence[:, i, j] = part.reshape(len(part), -1).mean(axis=1) / SURE
        return TileQuality(np.where(seams > 0, seams, np.nan), confidence)

    def _open(self, name: str, dtype: str, shape: tuple[int, ...], block: tuple[int, ...]) -> ShardedArray | None:
        if not (self._store.work / name / "zarr.json").is_file():
            return None
        return self._store.scratch(name, dtype, shape, block)

    def _stacked(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Bring pixels in the axes of the target to (D, rows, columns)."""
        axes = self._plan.target.axes
        kept = tuple(slice(None) if a in "zyx" else 0 for a in axes)
        found = pixels[kept]
        return found if "z" in axes else found[None]
