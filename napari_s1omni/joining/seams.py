"""Seam scores: how visible the seams between tiles are.

The score of a seam is the mean absolute difference across it, divided by the
mean absolute difference across parallel lines nearby. About 1 (0.95 to 1.05)
means that the seam is invisible; 2 means that differences are twice as large.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Block, TileGrid
from napari_s1omni.core.unknown_pixels import mean_of_known

_NEAR = 2
"""Lines this close to a seam are not compared with it, in px."""


def seam_score(pixels: NDArray[np.float32], rows: list[int], cols: list[int]) -> float | None:
    """Score the seams of one image.

    Parameters
    ----------
    pixels : float32 (channels, H, W)
    rows : list of int
        A seam lies between rows ``r - 1`` and ``r``.
    cols : list of int
        Likewise for columns.

    Returns
    -------
    float or None
        The mean over both directions; None if there is no seam, or nothing varies.
    """
    scores = [s for s in (_score(pixels, 1, rows), _score(pixels, 2, cols)) if s is not None]
    return float(np.mean(scores)) if scores else None


def tile_scores(fields: NDArray[np.float32], grid: TileGrid, block: Block) -> dict[tuple[int, int], float]:
    """Score the seams between each tile whose cell lies in a block and its neighbours above and to the left.

    Parameters
    ----------
    fields : float32 (channels, H, W)
        Blended over the block's field box.
    grid : TileGrid
    block : Block

    Returns
    -------
    dict of (row, column) in the lattice to score
        Without tiles that have no seam inside the field box, or in which nothing varies.
    """
    found = {}
    for row in grid.tile_rows(block.y):
        for col in grid.tile_cols(block.x):
            y = _cell(row, grid, grid.factor[0], block.field_y, fields.shape[1])
            x = _cell(col, grid, grid.factor[1], block.field_x, fields.shape[2])
            piece = fields[:, y[0] : y[1], x[0] : x[1]]
            score = seam_score(piece, [y[2] - y[0]] if row else [], [x[2] - x[0]] if col else [])
            if score is not None:
                found[row, col] = score
    return found


def _cell(k: int, grid: TileGrid, factor: int, field: tuple[int, int], size: int) -> tuple[int, int, int]:
    """Start and end of the surroundings of a tile's first seam, and the seam itself, in field px."""
    seam = (k * grid.step + grid.overlap // 2 - field[0]) * factor
    half = grid.step // 2 * factor
    return max(0, seam - half), min(size, seam + grid.step * factor), seam


def _score(pixels: NDArray[np.float32], axis: int, lines: list[int]) -> float | None:
    inside = [n - 1 for n in lines if 1 <= n < pixels.shape[axis]]
    if not inside:
        return None
    differences = np.abs(np.diff(pixels.astype(np.float64), axis=axis))
    across = (0, 3 - axis)
    known = not np.isnan(differences).any()
    steps = differences.mean(axis=across) if known else mean_of_known(differences, across)
    ordinary = ~np.isnan(steps)
    inside = [n for n in inside if ordinary[n]]
    if not inside:
        return None
    for line in inside:
        ordinary[max(0, line - _NEAR) : line + _NEAR + 1] = False
    usual = steps[ordinary].mean() if ordinary.any() else 0.0
    return float(steps[inside].mean() / usual) if usual > 0 else None
