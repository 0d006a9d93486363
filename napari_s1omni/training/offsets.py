"""Offsets: where each px of an object lies in it, as the way to its middle."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_PX = 1 / 12
"""Variance of a place within one px."""


def offsets_of(labels: NDArray[Any]) -> NDArray[np.float32]:
    """Return the way from each px to the centroid of its object, in units of that object's half axes.

    The difference to the centroid is whitened by the covariance of the object's px (half its inverse square root, so
    that the border of any ellipse is at 1). Between two objects that touch it jumps from 1 to -1, whatever their size
    and shape; everywhere else it is smooth. Votes for centres are known from Hough voting, and as learned fields from
    Stringer et al., "Cellpose", 2021.

    Parameters
    ----------
    labels : integer (H, W)
        0 is background.

    Returns
    -------
    float32 (2, H, W)
        Along y and x, -1 to 1; 0 in the background.
    """
    offsets = np.zeros((2, *labels.shape), np.float32)
    at = np.nonzero(labels)
    if not len(at[0]):
        return offsets
    _, which, count = np.unique(labels[at], return_inverse=True, return_counts=True)
    y, x = (np.asarray(v, np.float64) for v in at)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(which, values) / count)

    dy, dx = mean(y)[which] - y, mean(x)[which] - x
    yy, xx, yx = mean(dy * dy) + _PX, mean(dx * dx) + _PX, mean(dy * dx)
    # Square root of a 2 x 2 matrix M: (M + s) / t with s = sqrt(det M), t = sqrt(trace M + 2 s); its inverse turns it.
    s = np.sqrt(yy * xx - yx * yx)
    t = np.sqrt(yy + xx + 2 * s)
    scale = (0.5 / (s * t))[which]
    offsets[0][at] = scale * ((xx + s)[which] * dy - yx[which] * dx)
    offsets[1][at] = scale * ((yy + s)[which] * dx - yx[which] * dy)
    return np.clip(offsets, -1, 1)


def turned_along(along_y: Any, along_x: Any, turns: int, mirrored: bool) -> tuple[Any, Any]:
    """Turn the values of drawn offsets (0 to 1, 0.5 is none) along with planes that ``rot90`` and ``flip`` have turned.

    Parameters
    ----------
    along_y, along_x : array or tensor (..., H, W)
        Turned already as planes; what they say still points as before.
    turns : int
        Quarter turns from y towards x, as of ``rot90`` with axes (-2, -1).
    mirrored : bool
        Whether x was flipped afterwards.
    """
    for _ in range(turns % 4):
        along_y, along_x = 1 - along_x, along_y
    return along_y, 1 - along_x if mirrored else along_x
