"""Whether a tile holds anything but noise."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

_OCTAVES = 5
_LEAST = 16
"""Shortest edge in pixels of an octave that is looked at."""
_INDEPENDENT = 12.0
"""Pixels of a band that hold one independent value."""
_TIMES = 4.5
"""Standard errors that skewness and kurtosis of noise hardly ever reach."""
_BOUNDED = 0.4
"""By how much the kurtosis of a band of noise of few values, such as black and white, may be lower besides."""
_WIDER = 3.0
"""Standard errors by which a wider band may be stronger than that of noise."""


def is_mere_noise(image: NDArray[np.float32]) -> bool:
    """Return whether a tile looks like independent noise of its pixels, of any distribution, at every size.

    Then each octave has half the standard deviation of the one before, and its values are nearly normal. Objects on a
    ground are sparse or skewed, and stronger than that at their own size.

    Parameters
    ----------
    image : float32 (3, h, w)
        Model range.
    """
    planes = image[:1] if (image == image[:1]).all() else (*image, image.mean(axis=0))
    return all(_is_noise(np.asarray(plane, np.float64)) for plane in planes)


def _is_noise(level: NDArray[np.float64]) -> bool:
    before = math.inf
    for _ in range(_OCTAVES):
        if min(level.shape) < _LEAST:
            break
        band = ndi.gaussian_filter(level, 1.0) - ndi.gaussian_filter(level, 2.0)
        spread, count = float(band.std()), level.size / _INDEPENDENT
        # The standard error of a ratio of two standard deviations is mostly that of the wider band.
        if not 0 < spread <= before / 2 * (1 + _WIDER / math.sqrt(2 * count)):
            return False
        unit = band / spread
        if abs(float((unit**3).mean())) > _TIMES * math.sqrt(6 / count):
            return False
        excess, limit = float((unit**4).mean()) - 3, _TIMES * math.sqrt(24 / count)
        if not -limit - _BOUNDED < excess < limit:
            return False
        before = spread
        height, width = (n // 2 * 2 for n in level.shape)
        level = level[:height, :width].reshape(height // 2, 2, width // 2, 2).mean((1, 3))
    # A tile of a few pixels says nothing.
    return before < math.inf
