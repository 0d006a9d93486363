"""Perimeter of touching objects, with the weights of scikit-image."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WEIGHTS = np.zeros(50)
_WEIGHTS[[5, 7, 15, 17, 25, 27]] = 1
_WEIGHTS[[21, 33]] = math.sqrt(2)
_WEIGHTS[[13, 23]] = (1 + math.sqrt(2)) / 2
"""Length that a border pixel adds, by the pattern of border pixels around it (Benkrid and Crookes, 2000)."""
_NEIGHBOURS = [(-1, -1, 10), (-1, 0, 2), (-1, 1, 10), (0, -1, 2), (0, 1, 2), (1, -1, 10), (1, 0, 2), (1, 1, 10)]
"""Offset along y and x, and the share of a neighbour in the pattern."""


def perimeter_map(labels: NDArray[Any]) -> NDArray[np.float64]:
    """Return the length of outline that each pixel adds to its own object.

    Parameters
    ----------
    labels : integer array, (H, W)
        0 is background.

    Returns
    -------
    float64 array, (H, W)
        In pixels. The sum over an object is its perimeter, also where it touches another one.
    """
    padded = np.pad(labels, 2)
    height, width = labels.shape
    own = padded[1:-1, 1:-1]
    border = own != 0
    # The border of an object: pixels with one of their four neighbours outside.
    border &= (
        (padded[:-2, 1:-1] != own) | (padded[2:, 1:-1] != own) | (padded[1:-1, :-2] != own) | (padded[1:-1, 2:] != own)
    )
    rows, cols = np.nonzero(border[1:-1, 1:-1])
    mine = own[rows + 1, cols + 1]
    pattern = np.ones(len(rows), np.int64)
    for dy, dx, share in _NEIGHBOURS:
        at = rows + 1 + dy, cols + 1 + dx
        pattern += share * (border[at] & (own[at] == mine))
    out = np.zeros((height, width))
    out[rows, cols] = _WEIGHTS[pattern]
    return out
