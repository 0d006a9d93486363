"""Blending the tiles of a block: linear interpolation with Hann ramps, in lattice order.

In the overlap of two tiles the blended value is ``a + w (b - a)`` with a Hann
ramp w. Two equal values give exactly that value for every w, so an identity
engine is exact. Tiles are always added in lattice order, so the order in which
they were computed never changes a bit. The ramps of two neighbours sum to 1
everywhere, so no weight map is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Block, Span, Tile, TileGrid

_Px = TypeVar("_Px", bound=np.generic)


def ramp(length: int) -> NDArray[np.float32]:
    """Return the weights of the later tile over `length` shared pixels.

    The outer quarter of each tile has weight 0, since an engine sees least
    context there; a Hann ramp spans the half between. So an engine whose output
    depends on pixels at most ``length // 4`` away gives the same result tiled as
    on the whole image, to rounding.
    """
    margin = length // 4
    inner = length - 2 * margin
    phase = np.clip((np.arange(length) - margin + 0.5) / max(inner, 1), 0, 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * phase), np.float32)


class Join:
    """One plane of a block that is blended from its tiles.

    Parameters
    ----------
    grid : TileGrid
    block : Block
    channels : int
        Channels of the fields.

    Notes
    -----
    Tiles are added in lattice order. A row of tiles is blended along x into a
    strip; strips are blended along y. Memory is one canvas and one strip.
    """

    def __init__(self, grid: TileGrid, block: Block, channels: int) -> None:
        self._fy, self._fx = grid.factor
        self._grid = grid
        self._top = _scaled(block.field_y, self._fy)
        self._left = _scaled(block.field_x, self._fx)
        self._rows, self._cols = grid.tile_rows(block.field_y), grid.tile_cols(block.field_x)
        height, width = self._top[1] - self._top[0], self._left[1] - self._left[0]
        self._canvas = np.zeros((channels, height, width), np.float32)
        self._strip = np.zeros((channels, grid.tile_size * self._fy, width), np.float32)
        self._ramps = ramp(grid.overlap * self._fy), ramp(grid.overlap * self._fx)
        self._expected = iter([(r, c) for r in self._rows for c in self._cols])

    def add(self, tile: Tile, fields: NDArray[np.float32]) -> None:
        """Add the next tile.

        Parameters
        ----------
        tile : Tile
        fields : float32 (channels, tile_size * fy, tile_size * fx)
            The whole tile, in field px.

        Raises
        ------
        ValueError
            If tiles are not added in lattice order.
        """
        if tile.index != next(self._expected, None):
            raise ValueError(f"tile {tile.index} is not the next one in lattice order")
        row, col = tile.index
        step = self._grid.step
        _blend(self._strip, fields, 2, col * step * self._fx - self._left[0], self._ramps[1], col == self._cols[0])
        if col == self._cols[-1]:
            top = row * step * self._fy - self._top[0]
            _blend(self._canvas, self._strip, 1, top, self._ramps[0], row == self._rows[0])

    def result(self) -> NDArray[np.float32]:
        """Return the blended fields over the block's field box: float32 (channels, height, width)."""
        if next(self._expected, None) is not None:
            raise ValueError("not all tiles of the block were added")
        return self._canvas


def _blend(
    canvas: NDArray[np.float32],
    piece: NDArray[np.float32],
    axis: int,
    at: int,
    weights: NDArray[np.float32],
    first: bool,
) -> None:
    """Write `piece` to `canvas` at position `at` along `axis`, blended with its predecessor unless it is the first."""
    size = canvas.shape[axis]
    shared = 0 if first else len(weights)
    start, stop = max(at, 0), min(at + piece.shape[axis], size)
    middle = min(max(at + shared, 0), stop)
    if start < middle:
        # a + w (b - a) is exactly a for w = 0, but b only to rounding for w = 1: copy b there.
        w = weights[start - at : middle - at]
        w = w[:, None] if axis == 1 else w
        old = canvas[_along(axis, (start, middle))]
        new = piece[_along(axis, (start - at, middle - at))]
        np.copyto(old, np.where(w == 1, new, old + w * (new - old)))
    if middle < stop:
        canvas[_along(axis, (middle, stop))] = piece[_along(axis, (middle - at, stop - at))]


def _along(axis: int, span: Span) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, slice(*span))


def _scaled(span: Span, factor: int) -> Span:
    return span[0] * factor, span[1] * factor


def cut_tile(pixels: NDArray[_Px], origin: Sequence[int], tile: Tile) -> NDArray[_Px]:
    """Cut one tile from the pixels of a block's read box.

    Parameters
    ----------
    pixels : (channels, rows, columns)
        The read box.
    origin : (row, column)
        Its first pixel, in source px.
    tile : Tile

    Returns
    -------
    (channels, tile_size, tile_size)
        Reflected beyond the source's edge.
    """
    part = pixels[:, tile.y[0] - origin[0] : tile.y[1] - origin[0], tile.x[0] - origin[1] : tile.x[1] - origin[1]]
    if any(tile.pad):
        part = np.pad(part, ((0, 0), (0, tile.pad[0]), (0, tile.pad[1])), mode="reflect")
    return np.ascontiguousarray(part)
