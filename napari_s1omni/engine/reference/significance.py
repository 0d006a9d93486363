"""What stands out from noise, from a slope of the ground, and from single black and white pixels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

_TIMES = 5.0
"""Height that noise does not reach in a layer of a thousand million pixels, in standard deviations."""
_VISIBLE = 0.03
"""Height above a smooth ground that an object must have besides, in model range."""
_DEGREE = 3
"""Degree of the polynomial in y and x that counts as a smooth ground."""
_DOT = 0.25
"""Difference from its neighbourhood, in model range, above which a pixel may be a black or white dot."""
_FEWEST_DOTS = 0.003
"""Least share of black dots, and of white ones, that make speckles; of one kind alone they may be objects."""


def noise_height(noise: float, sigma: float) -> float:
    """Return the height that white noise hardly ever reaches after a Gaussian filter.

    Parameters
    ----------
    noise : float
        Standard deviation.
    sigma : float
        Of the filter, in pixels.
    """
    return _TIMES * noise / max(2 * math.sqrt(math.pi) * sigma, 1.0)


def stands_out(plane: NDArray[np.float32], noise: float, sigma: float) -> bool:
    """Return whether anything rises above noise and a smooth ground.

    Parameters
    ----------
    plane : float32 (H, W)
        Objects are high.
    noise : float
        Standard deviation.
    sigma : float
        Gaussian filter that suits the objects, in pixels.
    """
    smooth = ndi.gaussian_filter(plane - _smooth_ground(plane), sigma)
    return float(smooth.max()) > noise_height(noise, sigma) + _VISIBLE


def speckle_share(plane: NDArray[np.float32], noise: float) -> float:
    """Return the share of pixels that are black or white dots, 0 to 1; 0 if they are few, or of one kind only."""
    difference = plane - ndi.median_filter(plane, 3)
    limit = max(_DOT, 8 * noise)
    white, black = float((difference > limit).mean()), float((difference < -limit).mean())
    return white + black if min(white, black) >= _FEWEST_DOTS else 0.0


def remove_speckles(image: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Return an image (C, H, W), each channel filtered by the median of squares of `width` pixels."""
    return np.stack([ndi.median_filter(plane, width) for plane in image]) if width > 1 else image


def _smooth_ground(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the polynomial in y and x that is nearest to a plane, fitted to at most some 64 x 64 of its pixels."""
    step = max(1, max(plane.shape) // 64)
    rows, cols = (np.linspace(-1, 1, n) for n in plane.shape)
    powers = [(i, j) for i in range(_DEGREE + 1) for j in range(_DEGREE + 1 - i)]

    def terms(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([np.multiply.outer(y**i, x**j) for i, j in powers], axis=-1)

    sampled = terms(rows[::step], cols[::step]).reshape(-1, len(powers))
    weights = np.linalg.lstsq(sampled, plane[::step, ::step].ravel().astype(np.float64), rcond=None)[0]
    out = np.zeros(plane.shape, np.float32)
    for (i, j), weight in zip(powers, weights, strict=True):
        out += np.multiply.outer(rows**i * weight, cols**j).astype(np.float32)
    return out
