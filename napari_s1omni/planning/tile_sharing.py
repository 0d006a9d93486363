"""Which blocks need a tile. Pure integer geometry.

A tile over a face of a block, or in its halo, is needed by the blocks on both sides. It is drawn once, and counts for
the first of them in lexicographic order, so that the counts of all blocks add up to the tiles of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product

from napari_s1omni.core.tiling import Block, BlockIndex, TileGrid, TilePlace


class TileSharing:
    """The blocks of every tile of a run.

    Parameters
    ----------
    grid : TileGrid
    excludes : callable, optional
        Whether a block draws nothing, since it lies beside the region.
    """

    def __init__(self, grid: TileGrid, excludes: Callable[[Block], bool] = lambda block: False) -> None:
        self._grid = grid
        self._excludes = excludes
        self._excluded: dict[BlockIndex, bool] = {}
        _, _, k, i, j = grid.shape
        planes = (range(*grid.block((0, 0, n, 0, 0)).field_z) for n in range(k))
        rows = (grid.tile_rows(grid.block((0, 0, 0, n, 0)).field_y) for n in range(i))
        cols = (grid.tile_cols(grid.block((0, 0, 0, 0, n)).field_x) for n in range(j))
        self._blocks_of = tuple(_users(spans) for spans in (planes, rows, cols))

    def is_shared(self, place: TilePlace) -> bool:
        """Whether more than one block needs a tile."""
        return any(
            len(users[at]) > 1 for users, at in zip(self._blocks_of, (place.z, place.row, place.col), strict=True)
        )

    def blocks(self, place: TilePlace) -> Iterator[BlockIndex]:
        """Yield the blocks that need a tile, in lexicographic order; none for a place outside of the run."""
        at = (place.z, place.row, place.col)
        t = place.t - self._grid.t[0]
        if not (0 <= t < self._grid.shape[0] and 0 <= place.group < self._grid.groups):
            return
        for z, y, x in product(*(users.get(n, range(0)) for users, n in zip(self._blocks_of, at, strict=True))):
            yield BlockIndex(t, place.group, z, y, x)

    def owner(self, place: TilePlace) -> BlockIndex:
        """Return the block for which a tile counts: the first one that needs it and is not excluded."""
        return next((index for index in self.blocks(place) if not self._is_excluded(index)), next(self.blocks(place)))

    def of_block(self, block: Block) -> Iterator[TilePlace]:
        """Yield the tiles of a block that other blocks need too."""
        grid = self._grid
        for z, row, col in product(range(*block.field_z), grid.tile_rows(block.field_y), grid.tile_cols(block.field_x)):
            place = TilePlace(block.t, z, block.group, row, col)
            if self.is_shared(place):
                yield place

    def counted_elsewhere(self, block: Block) -> int:
        """Count the tiles of a block, in all its planes, that count for another one."""
        return sum(self.owner(place) != block.index for place in self.of_block(block))

    def _is_excluded(self, index: BlockIndex) -> bool:
        if index not in self._excluded:
            self._excluded[index] = self._excludes(self._grid.block(index))
        return self._excluded[index]


def _users(spans: Iterable[range]) -> dict[int, range]:
    """Return which blocks along one axis need each plane, row or column; `spans` has what each block needs."""
    users: dict[int, range] = {}
    for number, span in enumerate(spans):
        for at in span:
            known = users.get(at)
            users[at] = range(number if known is None else known.start, number + 1)
    return users
