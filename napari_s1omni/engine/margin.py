"""Tiles with a margin: which part of them lies inside the layer, and where the tile itself is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Window = tuple[slice, slice]
"""Rows and columns."""


@dataclass(frozen=True, slots=True)
class InsideWindow:
    """The part of a tile with its margin that lies inside the layer. Beyond the layer's edge, pixels are NaN."""

    rows: slice
    """Rows inside, counted in the image."""
    columns: slice
    """Columns inside, counted in the image."""
    seen: Window
    """The tile and what is near it, counted from the first pixel inside."""
    drawn: Window
    """The tile inside the layer, counted from the first pixel of `seen`."""
    tile: Window
    """The same pixels, counted from the first pixel of the tile."""


def window_inside(image: NDArray[np.float32], shape: tuple[int, int], near: int) -> InsideWindow:
    """Find the part of a tile with its margin that lies inside the layer.

    Parameters
    ----------
    image : float32 (3, H + 2 margin, W + 2 margin)
    shape : (H, W)
        Of the tile.
    near : int
        Pixels around the tile that count as seen, at most the margin.
    """
    known = np.isfinite(image[0])
    inside, seen, drawn, tile = [], [], [], []
    for axis, size in enumerate(shape):
        numbers = np.flatnonzero(known.any(axis=1 - axis))
        first, last = int(numbers[0]), int(numbers[-1]) + 1
        start = (image.shape[axis + 1] - size) // 2
        begin, end = max(first, start), min(last, start + size)
        origin = max(first, start - near)
        inside.append(slice(first, last))
        seen.append(slice(origin - first, min(last, start + size + near) - first))
        drawn.append(slice(begin - origin, end - origin))
        tile.append(slice(begin - start, end - start))
    return InsideWindow(inside[0], inside[1], (seen[0], seen[1]), (drawn[0], drawn[1]), (tile[0], tile[1]))
