"""Segmentation of bright or dark blobs and stained nuclei into three fields."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.core.watershed import watershed_from_h_maxima
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.margin import window_inside
from napari_s1omni.engine.reference.description import MAX_MARGIN
from napari_s1omni.engine.reference.ground import find_ground, ground_margin, ground_steps
from napari_s1omni.engine.reference.measurement import (
    LIGHTS,
    SIGNALS,
    SPECKLE_WIDTH,
    TileMeasurement,
    signal_plane,
    smoothing_sigma,
    summit_sigma,
)
from napari_s1omni.engine.reference.significance import noise_height, remove_speckles
from napari_s1omni.engine.reference.steps import Steps

_MIN_SIGNAL = 0.02
_MAX_UNDECIDED = 0.45
"""Highest foreground of pixels that are not part of an object."""
_SMALLEST, _LARGEST = 2.0, 2000.0
"""Objects that can be drawn, in tile pixels across."""
_STEEPNESS = 16.0
_ABOVE = 1.5
"""Factor by which an object must be higher than all of a view in which nothing stands out."""
_SUMMIT = 1.2
"""Least summit of an object, in thresholds."""


def choose_steps(image: NDArray[np.float32], measured: TileMeasurement, instruction: Instruction) -> dict[str, str]:
    """Return the steps for one image, by name. Values give their reason in brackets; lengths are in tile pixels."""
    measured_size = None if measured.size is None else measured.size * instruction.view
    asked = instruction.object_size
    size = asked or measured_size or 20.0
    why = "from the request" if asked else "as measured" if measured_size else "nothing stands out, so a guess"
    if not _SMALLEST <= size <= _LARGEST:
        size, why = min(max(size, _SMALLEST), _LARGEST), f"nearest possible to {size:.1f} px {why}"
    stained = measured.signal == "stain"
    # Up to twice the smoothing if the noise is a sixth of the contrast or more.
    sigma = smoothing_sigma(size) * (1 + min(6 * measured.noise / max(measured.contrast, 1e-6), 1.0))
    return {
        "signal": f"{measured.signal} ({_SIGNAL_TEXTS[measured.signal]})",
        **_image_steps(measured),
        "object size": f"{size:.1f} px ({why})",
        "smoothing": f"{sigma:.2f} px (keeps gaps between objects of this size, quiets noise of {measured.noise:.3f})",
        **ground_steps(measured, 3 * size),
        "threshold": f"{measured.threshold:.3f} (above the ground; fainter px are no object)",
        "summit": _summit(measured, max(sigma, summit_sigma(size))),
        "least area": f"{0.06 * size**2:.0f} px (crumbs smaller than that are no object)",
        "outline": "0.45 of the summit (near half height, where a blurred edge truly lies)",
        "neighbours": "0.00 (each object has a summit of its own)"
        if stained
        else "0.30 (weight of brighter neighbours in the summit, against their glare)",
        "valleys": "0.20 (texture inside stained nuclei is no division)"
        if stained
        else "0.80 (weight of darker lines between objects)",
        "rounding": f"{(0.08 if stained else 0.03) * size:.2f} px (smaller bays in an outline are no neck)",
        "necks": "1.3 (weight of narrow places)" if stained else "2.5 (weight of narrow places)",
    }


DEFAULTS = {
    "signal": "bright",
    "object size": "20 px",
    "smoothing": "0.8 px",
    "ground": "local",
    "ground window": "60 px",
    "threshold": "0.15",
    "summit": "1.2",
    "least area": "20 px",
    "outline": "0.45",
    "neighbours": "0.3",
    "valleys": "0.8",
    "rounding": "1.0 px",
    "necks": "2.5",
}
"""Values of steps that a thought does not state."""

_SIGNAL_TEXTS = {
    "bright": "light above the ground",
    "dark": "light missing against the ground",
    "stain": "red and green light that hematoxylin takes away",
}


def draw(image: NDArray[np.float32], steps: Steps, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Compute foreground, interior and distance, float32 (3, H, W).

    Pixels above the threshold are divided along valleys of the signal. Each part is outlined at a fraction of its own
    peak, so that dim objects beside bright ones keep their true size. The drawn distance is the depth inside the
    outline divided by twice the typical radius, and lower along valleys.

    Parameters
    ----------
    image : float32 (3, H + 2 margin, W + 2 margin)
        The tile with the margin that the thought asks for.
    steps : Steps
    shape : (H, W)

    Raises
    ------
    ThoughtError
        If a step is missing or cannot be used.
    """
    size = steps.number("object size", _SMALLEST, _LARGEST)
    level = steps.number("threshold", 1e-4, 10)
    out = np.zeros((3, *shape), np.float32)
    inside = window_inside(image, shape, math.ceil(size))
    pixels = image[:, inside.rows, inside.columns]
    if "speckles" in steps.values:
        pixels = remove_speckles(pixels, int(steps.number("speckles", 0, 99)))
    light = steps.choice("light", LIGHTS) if "light" in steps.values else None
    plane = signal_plane(pixels, steps.choice("signal", SIGNALS), light)
    flat = (plane - find_ground(plane, steps))[inside.seen]
    fields = _draw_fields(flat, steps, size, level)
    if fields is not None:
        out[(slice(None), *inside.tile)] = fields[(slice(None), *inside.drawn)]
    return out


def _draw_fields(flat: NDArray[np.float32], steps: Steps, size: float, level: float) -> NDArray[np.float32] | None:
    """Return the fields (3, H, W) of a signal above its ground; None if nothing reaches the threshold."""
    sigma = steps.number("smoothing", 0, 50)
    smooth = ndi.gaussian_filter(flat, sigma)
    mask = smooth > level
    coarse = np.maximum(ndi.gaussian_filter(flat, max(sigma, summit_sigma(size))), _MIN_SIGNAL)
    parts = watershed_from_h_maxima(np.log(coarse), mask, 0.1)
    summit, strong = _part_peaks(parts, smooth, coarse, level * steps.number("summit", 0, 100))
    mask &= strong
    if not mask.any():
        return None
    weight = steps.number("neighbours", 0, 1)
    if weight:
        near = ndi.gaussian_filter(ndi.maximum_filter(smooth, 2 * int(0.3 * size) + 1), 0.1 * size)
        summit = (1 - weight) * summit + weight * near
    outline = np.maximum(level, steps.number("outline", 0, 1) * summit)
    foreground = _sigmoid(_STEEPNESS * (smooth - outline) / outline)
    inside = mask & (foreground >= 0.5)
    if size > 12:
        inside = ndi.binary_opening(inside)
    inside = _remove_small_parts(inside, steps.number("least area", 0, 1e7))
    foreground = np.where(inside, foreground, np.minimum(foreground, _MAX_UNDECIDED))
    depth = ndi.gaussian_filter(ndi.distance_transform_edt(_fill_holes(inside, size)), steps.number("rounding", 0, 200))
    fine = np.maximum(ndi.gaussian_filter(flat, max(sigma, 0.1 * size)), _MIN_SIGNAL)
    height = (fine / np.maximum(summit, _MIN_SIGNAL)) ** steps.number("valleys", 0, 20)
    distance = 0.5 * (2 * depth / size) ** steps.number("necks", 0.1, 20) * height
    return np.stack([foreground, np.clip(depth - 1, 0, 1), np.clip(distance, 0, 1)]).astype(np.float32)


def _image_steps(measured: TileMeasurement) -> dict[str, str]:
    """Return the steps that only some images need: of several colours, or with black and white dots."""
    steps = {}
    if measured.many_colours and measured.signal != "stain":
        steps["light"] = "brightest (of the colours)" if measured.colour else "mean (of the colours, which are alike)"
    if measured.speckles:
        steps["speckles"] = f"{SPECKLE_WIDTH} px (median, as {measured.speckles:.1%} of the px are black or white dots)"
    return steps


def _summit(measured: TileMeasurement, sigma: float) -> str:
    """Return the step for the least summit of an object: above the threshold, and above what noise reaches."""
    noise = (measured.rest + noise_height(measured.noise, sigma)) / measured.threshold
    if measured.size is None and _ABOVE * measured.highest > max(_SUMMIT, noise) * measured.threshold:
        least = _ABOVE * measured.highest / measured.threshold
        return f"{least:.2f} thresholds (nothing here stands out, so an object must be higher than all of it)"
    if noise > _SUMMIT:
        return f"{noise:.2f} thresholds (noise alone stays below that, so what is lower is no object)"
    return f"{_SUMMIT} thresholds (an object whose brightest part is lower is left out)"


def margin(steps: Steps) -> int:
    """Return how many pixels around a tile decide what is drawn in it: one object across, and what the ground needs."""
    near = min(math.ceil(steps.number("object size", _SMALLEST, _LARGEST)), MAX_MARGIN)
    return max(near, ground_margin(steps))


def _part_peaks(
    parts: NDArray[np.int32], smooth: NDArray[np.float32], coarse: NDArray[np.float32], least: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return, for each pixel, the 85th percentile of its part, and whether the part's peak reaches `least`."""
    n = int(parts.max(initial=0))
    order = np.lexsort((smooth.ravel(), parts.ravel()))
    first = np.searchsorted(parts.ravel()[order], np.arange(1, n + 2))
    at = first[:-1] + (0.85 * (np.diff(first) - 1)).astype(np.intp)
    levels = np.append(np.float32(0), smooth.ravel()[order][at]).astype(np.float32)
    tops = np.asarray(ndi.maximum(coarse, parts, np.arange(n + 1)))
    strong = tops >= least
    strong[0] = False
    return levels[parts], strong[parts]


def _remove_small_parts(mask: NDArray[np.bool_], least: float) -> NDArray[np.bool_]:
    """Remove connected parts smaller than `least` pixels, except those that the tile's border may have cut."""
    parts, n = ndi.label(mask)
    keep = np.bincount(parts.ravel(), minlength=n + 1) >= least
    for side in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
        keep[side] = True
    keep[0] = False
    return np.asarray(keep[parts])


def _fill_holes(mask: NDArray[np.bool_], size: float) -> NDArray[np.bool_]:
    """Fill holes smaller than an object, so that dark nucleoli do not divide a nucleus."""
    holes, n = ndi.label(~mask)
    fill = np.bincount(holes.ravel(), minlength=n + 1) <= 0.8 * size**2
    fill[0] = False
    for side in (holes[0], holes[-1], holes[:, 0], holes[:, -1]):
        fill[side] = False
    return np.asarray(mask | fill[holes])


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))), np.float32)
