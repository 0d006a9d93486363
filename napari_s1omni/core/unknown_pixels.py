"""Pixels that are NaN or infinite: what an engine sees in their place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

_NEAR = np.array([[0.5, 1, 0.5], [1, 0, 1], [0.5, 1, 0.5]], np.float32)
"""Weights of the neighbours of a single unknown pixel."""
_NEIGHBOURS = 5
"""Known neighbours, of eight, from which a pixel is interpolated instead of mirrored."""


def fill_unknown(image: NDArray[np.float32], unknown: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Mirror the image over its unknown pixels, as it is mirrored beyond its edge.

    So there is neither a step at which an interpolation rings, nor an object cut in two, nor a flat area that
    changes what is measured.

    Parameters
    ----------
    image : float32 (3, h, w)
        Holds the ground where it is unknown; it stays there if nothing is known.
    unknown : bool (C, h, w)
        One mask for all of the image, or one for each of its first C channels.

    Returns
    -------
    float32 (3, h, w)
    """
    filled = image.copy()
    if len(unknown) == 1:
        _mirror(filled, unknown[0])
    else:
        for channel, mask in zip(filled, unknown, strict=False):
            _mirror(channel[None], mask)
    return filled


def mean_of_known(pixels: NDArray[Any], axis: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the mean over axes, of the pixels that are not NaN; NaN where there are none."""
    known = ~np.isnan(pixels)
    total = np.where(known, pixels, 0).sum(axis=axis, dtype=np.float64)
    count = known.sum(axis=axis).astype(np.float64)
    count[count == 0] = np.nan
    return np.asarray(total / count)


def _mirror(channels: NDArray[np.float32], unknown: NDArray[np.bool_]) -> None:
    """Fill unknown pixels of (channels, h, w) in place, each with the pixel opposite its nearest known one."""
    left = _fill_small_gaps(channels, unknown)
    while left.any() and not left.all():
        nearest = ndi.distance_transform_edt(left, return_distances=False, return_indices=True)
        rows, cols = np.nonzero(left)
        near_rows, near_cols = nearest[0][rows, cols], nearest[1][rows, cols]
        y, x = 2 * near_rows - rows, 2 * near_cols - cols
        inside = (y >= 0) & (y < left.shape[0]) & (x >= 0) & (x < left.shape[1])
        y, x = np.where(inside, y, near_rows), np.where(inside, x, near_cols)
        mirrored = inside & ~left[y, x]
        if not mirrored.any():
            channels[:, rows, cols] = channels[:, near_rows, near_cols]
            return
        to = rows[mirrored], cols[mirrored]
        channels[:, to[0], to[1]] = channels[:, y[mirrored], x[mirrored]]
        left[to] = False


def _fill_small_gaps(channels: NDArray[np.float32], unknown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill pixels in place whose neighbours are mostly known with their mean; return those that are left."""
    known = (~unknown).astype(np.float32)
    near = ndi.convolve(known, np.ones((3, 3), np.float32), mode="constant")
    gaps = unknown & (near >= _NEIGHBOURS)
    if gaps.any():
        share = ndi.convolve(known, _NEAR, mode="constant")[gaps]
        for channel in channels:
            channel[gaps] = ndi.convolve(np.where(unknown, 0, channel), _NEAR, mode="constant")[gaps] / share
    return np.asarray(unknown & ~gaps)
