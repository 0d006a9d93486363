"""The ground on which objects lie: one level, or found around each pixel from a margin that is read with the tile."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.engine.reference.description import MAX_MARGIN
from napari_s1omni.engine.reference.measurement import TileMeasurement, background
from napari_s1omni.engine.reference.steps import Steps

AROUND, LOCAL = "around", "local"
"""Words of the step ``ground`` besides a level: found around each pixel, in its surroundings or in its tile alone."""

_EVEN = 0.25
"""Variation of the background, relative to the contrast, below which one level is used for all of it."""
_BLUR = 2.0
"""Sigma of the smoothing before the opening, in pixels."""
_TRUNCATE = 3.0
"""Reach of the smoothing after the opening, in sigmas; it decides how wide the margin must be."""
_WIDE = 64.0
"""Least sigma, in pixels, that a smoothing on fewer pixels keeps."""


def ground_steps(measured: TileMeasurement, window: float) -> dict[str, str]:
    """Return the steps for the background: one level if it hardly varies, since that is the same in any crop."""
    if measured.slope < _EVEN * measured.contrast:
        return {
            "ground": f"{measured.ground:.3f} "
            f"(one level: it varies by {measured.slope:.3f}, little against the contrast)"
        }
    kind, where = (AROUND, ", also beyond its tile") if measured.layer else (LOCAL, "")
    return {
        "ground": f"{kind} (it varies by {measured.slope:.3f}, so it is found around each px{where})",
        "ground window": f"{window:.0f} px (three objects wide, so that no object is taken for ground)",
    }


def ground_margin(steps: Steps) -> int:
    """Return how many pixels around a tile the ground depends on; 0 if it is one level, or found in the tile alone."""
    if steps.values.get("ground", "").casefold() != AROUND:
        return 0
    window = _window(steps)
    return min(MAX_MARGIN, math.ceil(4 * _BLUR) + 2 * int(window / 2) + math.ceil(_TRUNCATE * window / 3))


def find_ground(plane: NDArray[np.float32], steps: Steps) -> NDArray[np.float32] | float:
    """Return the level of the ground, or the ground at each pixel of `plane`.

    Raises
    ------
    ThoughtError
        If a step is missing or cannot be used.
    """
    kind = steps.text("ground").casefold()
    if kind == LOCAL:
        return background(plane, _window(steps))
    if kind != AROUND:
        return steps.number("ground", -1e4, 1e4)
    window = _window(steps)
    edge = 2 * int(window / 2) + 1
    low = ndi.minimum_filter(ndi.gaussian_filter(plane, _BLUR), edge)
    return np.asarray(_smooth(ndi.maximum_filter(low, edge), window / 3), np.float32)


def _smooth(plane: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Return a plane after a Gaussian; a wide one is computed on fewer pixels, as its cost grows with its width."""
    step = max(1, int(sigma / _WIDE))
    if step == 1:
        return np.asarray(ndi.gaussian_filter(plane, sigma, truncate=_TRUNCATE))
    height, width = plane.shape
    padded = np.pad(plane, ((0, -height % step), (0, -width % step)), "edge")
    means = padded.reshape(padded.shape[0] // step, step, -1, step).mean((1, 3))
    smooth = ndi.gaussian_filter(means, sigma / step, truncate=_TRUNCATE)
    return np.asarray(ndi.zoom(smooth, step, order=1, mode="nearest", grid_mode=True))[:height, :width]


def _window(steps: Steps) -> float:
    return steps.number("ground window", 3, 6000)
