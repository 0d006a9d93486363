"""Order: which block comes next. It never changes what becomes of any of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import TileGrid
from napari_s1omni.execution.run.control import Focus

Index5 = tuple[int, int, int, int, int]


class BlockOrder:
    """Blocks that are still to be run: nearest to the focus point first, in lexicographic order without one.

    Parameters
    ----------
    grid : TileGrid
    todo : sequence of int or of (t, group, z, y, x)
        Blocks by number in lexicographic order, or by index.
    """

    def __init__(self, grid: TileGrid, todo: Sequence[Index5] | Sequence[int]) -> None:
        self._grid = grid
        numbers = np.asarray(todo, np.int64)
        if numbers.ndim == 2:
            numbers = np.ravel_multi_index(tuple(numbers.T), grid.shape)
        # From the back, as a list is cut there for nothing.
        self._left = np.sort(numbers)[::-1]
        self._focus: Focus | None = None

    def __len__(self) -> int:
        """Count the blocks that are left."""
        return len(self._left)

    def next(self, focus: Focus | None = None) -> Index5 | None:
        """Take the next block; None when there is none."""
        taken = self.take(1, focus)
        return self.index(int(taken[0])) if len(taken) else None

    def take(self, count: int, focus: Focus | None = None) -> list[int]:
        """Take up to `count` blocks, by number."""
        if focus != self._focus:
            self._focus = focus
            self._sort()
        cut = max(0, len(self._left) - count)
        taken, self._left = self._left[cut:][::-1], self._left[:cut]
        return [int(number) for number in taken]

    def put_back(self, numbers: Sequence[int]) -> None:
        """Return blocks that were taken and not run."""
        self._left = np.concatenate([self._left, np.asarray(numbers, np.int64)])
        self._sort()

    def index(self, number: int) -> Index5:
        """Position (t, group, z, y, x) of a block by its number."""
        t, group, z, y, x = (int(i) for i in np.unravel_index(number, self._grid.shape))
        return t, group, z, y, x

    def _sort(self) -> None:
        left = np.sort(self._left)
        if self._focus is not None:
            grid = self._grid
            t, _, z, y, x = np.unravel_index(left, grid.shape)
            point = self._focus
            # Time and depth count in blocks, so that the plane in view comes before its neighbours.
            away = ((t + grid.t[0] - round(point[0])) * 4.0) ** 2
            away += (_beside(z, grid.z[0], grid.depth, point[1]) * 2.0) ** 2
            away += _beside(y, grid.y[0], grid.block_size, point[2]) ** 2
            away += _beside(x, grid.x[0], grid.block_size, point[3]) ** 2
            left = left[np.argsort(away, kind="stable")]
        self._left = left[::-1]


def _beside(at: NDArray[Any], start: int, edge: int, point: float) -> NDArray[Any]:
    """Distance of blocks to a point along one axis, in blocks, from their middle."""
    return np.asarray(at + 0.5 - (point - start) / edge)
