"""The order in which blocks are run. It never changes the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import TileGrid
from napari_s1omni.execution.run.control import Focus


class BlockOrder:
    """The blocks that are still to be run: nearest to the focus point first, else in lexicographic order.

    Parameters
    ----------
    grid : TileGrid
    blocks : sequence of int
        Blocks by number, see :meth:`~napari_s1omni.core.tiling.TileGrid.ravel`.
    """

    def __init__(self, grid: TileGrid, blocks: Sequence[int]) -> None:
        self._grid = grid
        # In reverse, because a list is cut at its end without copying.
        self._reversed = np.sort(np.asarray(blocks, np.int64))[::-1]
        self._focus: Focus | None = None

    def __len__(self) -> int:
        """Count the blocks that are left."""
        return len(self._reversed)

    def take(self, count: int, focus: Focus | None = None) -> list[int]:
        """Take up to `count` blocks, by number."""
        if focus != self._focus:
            self._focus = focus
            self._sort()
        cut = max(0, len(self._reversed) - count)
        taken, self._reversed = self._reversed[cut:][::-1], self._reversed[:cut]
        return [int(number) for number in taken]

    def put_back(self, blocks: Sequence[int]) -> None:
        """Return blocks that were taken but not run."""
        self._reversed = np.concatenate([self._reversed, np.asarray(blocks, np.int64)])
        self._sort()

    def _sort(self) -> None:
        numbers = np.sort(self._reversed)
        if self._focus is not None:
            grid = self._grid
            t, _, z, y, x = np.unravel_index(numbers, grid.shape)
            point = self._focus
            # Distances count in blocks, more along t and z, so that the plane in view comes before its neighbours.
            distance = ((t + grid.t[0] - round(point[0])) * 4.0) ** 2
            distance += (_distance(z, grid.z[0], grid.depth, point[1]) * 2.0) ** 2
            distance += _distance(y, grid.y[0], grid.block_size, point[2]) ** 2
            distance += _distance(x, grid.x[0], grid.block_size, point[3]) ** 2
            numbers = numbers[np.argsort(distance, kind="stable")]
        self._reversed = numbers[::-1]


def _distance(position: NDArray[Any], start: int, edge: int, point: float) -> NDArray[Any]:
    """Distance from the middle of blocks to a point along one axis, in blocks."""
    return np.asarray(position + 0.5 - (point - start) / edge)
