"""Rasterise polygons: which pixels of a box lie inside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Span = tuple[int, int]
"""First and one past last pixel along one axis."""


def fill_polygon(rings: tuple[NDArray[np.float64], ...], y: Span, x: Span) -> NDArray[np.bool_]:
    """Return which pixels of a box have their centre inside a polygon.

    By the even-odd rule: in every row whose centre line an edge crosses, it
    flips all pixels to the right of the crossing.

    Parameters
    ----------
    rings : tuple of array
        Closed lines, each (n, 2) of x, y in pixels; 0, 0 is the outer corner of the first pixel.
    y, x : (int, int)
        First and one past last row and column of the box.

    Returns
    -------
    bool array (H, W)
    """
    flips = np.zeros((y[1] - y[0], x[1] - x[0] + 1), np.uint8)
    for ring in rings:
        ends = np.stack([ring[:, 1], np.roll(ring[:, 1], -1)])
        # Half open, so that a row through a vertex meets only one of its two edges.
        firsts = np.maximum(np.ceil(ends.min(axis=0) - 0.5), y[0])
        lasts = np.minimum(np.ceil(ends.max(axis=0) - 0.5), y[1])
        # Outlines drawn by hand have thousands of edges; the rows of a tile meet only a few.
        for edge in np.flatnonzero(firsts < lasts):
            (x0, y0), (x1, y1) = ring[edge], ring[(edge + 1) % len(ring)]
            rows = np.arange(int(firsts[edge]), int(lasts[edge]))
            crossing = x0 + (rows + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
            columns = np.clip(np.ceil(crossing - 0.5).astype(np.int64) - x[0], 0, x[1] - x[0])
            flips[rows - y[0], columns] ^= 1
    return np.bitwise_xor.accumulate(flips[:, :-1], axis=1).astype(bool)
