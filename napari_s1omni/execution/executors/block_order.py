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

    Without a focus point each worker has a stretch of its own, so that neighbouring blocks are run one after the other
    by one worker, and two workers do not draw the tiles of the same face at the same time. A worker that has finished
    its stretch takes the second half of the longest one.

    Parameters
    ----------
    grid : TileGrid
    blocks : sequence of int
        Blocks by number, see :meth:`~napari_s1omni.core.tiling.TileGrid.ravel`.
    """

    def __init__(self, grid: TileGrid, blocks: Sequence[int]) -> None:
        self._grid = grid
        # Stretches in reverse, because an array is cut at its end without copying.
        self._free = [np.sort(np.asarray(blocks, np.int64))[::-1]]
        self._stretches: dict[str, NDArray[np.int64]] = {}
        self._focus: Focus | None = None

    def __len__(self) -> int:
        """Count the blocks that are left."""
        return sum(map(len, (*self._free, *self._stretches.values())))

    def take(self, count: int, focus: Focus | None = None, worker: str = "") -> list[int]:
        """Take up to `count` blocks for a worker, by number."""
        if focus != self._focus:
            self._focus = focus
            self._sort()
        if self._focus is not None and self._stretches:
            self._sort()
        stretch = self._stretch_of(worker)
        cut = max(0, len(stretch) - count)
        taken, left = stretch[cut:][::-1], stretch[:cut]
        if self._focus is None:
            self._stretches[worker] = left
        else:
            self._free = [left]
        return [int(number) for number in taken]

    def put_back(self, blocks: Sequence[int]) -> None:
        """Return blocks that were taken but not run."""
        self._free.append(np.sort(np.asarray(blocks, np.int64))[::-1])
        if self._focus is not None:
            self._sort()

    def _stretch_of(self, worker: str) -> NDArray[np.int64]:
        """Return what is left of the stretch of a worker, or a new one, which is no longer free."""
        if self._focus is not None:
            return self._free[0]
        own = self._stretches.pop(worker, None)
        if own is not None and len(own):
            return own
        self._free = [stretch for stretch in self._free if len(stretch)]
        if self._free:
            return self._free.pop()
        if not self._stretches:
            return np.zeros(0, np.int64)
        longest = max(self._stretches, key=lambda name: len(self._stretches[name]))
        stretch = self._stretches[longest]
        half = (len(stretch) + 1) // 2
        # The blocks that come last stand first.
        self._stretches[longest] = stretch[half:]
        return stretch[:half]

    def _sort(self) -> None:
        """Put all blocks into one stretch, nearest to the focus point first."""
        numbers = np.sort(np.concatenate([*self._free, *self._stretches.values()]))
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
        self._free, self._stretches = [numbers[::-1]], {}


def _distance(position: NDArray[Any], start: int, edge: int, point: float) -> NDArray[Any]:
    """Distance from the middle of blocks to a point along one axis, in blocks."""
    return np.asarray(position + 0.5 - (point - start) / edge)
