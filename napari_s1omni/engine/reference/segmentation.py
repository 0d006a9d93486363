"""Segmentation: bright or dark blobs and stained nuclei into three fields."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.core.watershed import watershed_from_h_maxima
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.reference.measurement import SIGNALS, TileMeasurement, ground_of, signal_of, smoothing
from napari_s1omni.engine.reference.recipe import Recipe

_FAINT = 0.02
_UNDECIDED = 0.45
_STEEPNESS = 16.0
_EVEN = 0.25
"""Share of the contrast below which the ground's variation is no slope worth following."""


def decide(image: NDArray[np.float32], seen: TileMeasurement, words: Instruction) -> dict[str, str]:
    """Choose the steps for one image. Values carry their reason in brackets; lengths are in tile px."""
    measured = None if seen.size is None else seen.size * words.view
    size = words.size or measured or 20.0
    why = "from the request" if words.size else "as measured" if measured else "nothing stands out, so a guess"
    stained = seen.signal == "stain"
    # Up to twice the smoothing where noise is a sixth of the contrast or more.
    sigma = smoothing(size) * (1 + min(6 * seen.noise / max(seen.contrast, 1e-6), 1.0))
    return {
        "signal": f"{seen.signal} ({_SIGNAL_WORDS[seen.signal]})",
        "object size": f"{size:.1f} px ({why})",
        "smoothing": f"{sigma:.2f} px (keeps gaps between objects of this size, quiets noise of {seen.noise:.3f})",
        **_ground(seen, 3 * size),
        "threshold": f"{seen.threshold:.3f} (above the ground; fainter px are no object)",
        "summit": "1.2 thresholds (an object whose brightest part is lower is left out)",
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
"""Steps of a thought that does not state them."""

_SIGNAL_WORDS = {
    "bright": "light above the ground",
    "dark": "light missing against the ground",
    "stain": "red and green light that hematoxylin takes away",
}


def draw(image: NDArray[np.float32], recipe: Recipe, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Compute foreground, interior and distance, float32 (3, H, W).

    Px above the threshold are divided along valleys of the signal. Each part is
    outlined at a share of its own summit, so that dim objects beside bright ones
    keep their true size. The drawn distance is the depth inside the outline,
    over twice the typical radius, less along valleys.
    """
    size = recipe.number("object size", 2, 2000)
    sigma = recipe.number("smoothing", 0, 50)
    level = recipe.number("threshold", 1e-4, 10)
    plane = signal_of(image, recipe.choice("signal", SIGNALS))
    flat = plane - _ground_under(plane, recipe)
    smooth = ndi.gaussian_filter(flat, sigma)
    mask = smooth > level
    coarse = np.maximum(ndi.gaussian_filter(flat, max(sigma, 0.15 * size)), _FAINT)
    parts = watershed_from_h_maxima(np.log(coarse), mask, 0.1)
    summit, strong = _summits(parts, smooth, coarse, level * recipe.number("summit", 0, 100))
    mask &= strong
    if not mask.any():
        return np.zeros((3, *shape), np.float32)
    weight = recipe.number("neighbours", 0, 1)
    if weight:
        near = ndi.gaussian_filter(ndi.maximum_filter(smooth, 2 * int(0.3 * size) + 1), 0.1 * size)
        summit = (1 - weight) * summit + weight * near
    outline = np.maximum(level, recipe.number("outline", 0, 1) * summit)
    foreground = _sigmoid(_STEEPNESS * (smooth - outline) / outline)
    inside = mask & (foreground >= 0.5)
    if size > 12:
        inside = ndi.binary_opening(inside)
    inside = _without_crumbs(inside, recipe.number("least area", 0, 1e7))
    foreground = np.where(inside, foreground, np.minimum(foreground, _UNDECIDED))
    depth = ndi.gaussian_filter(
        ndi.distance_transform_edt(_without_pits(inside, size)), recipe.number("rounding", 0, 200)
    )
    fine = np.maximum(ndi.gaussian_filter(flat, max(sigma, 0.1 * size)), _FAINT)
    height = (fine / np.maximum(summit, _FAINT)) ** recipe.number("valleys", 0, 20)
    distance = 0.5 * (2 * depth / size) ** recipe.number("necks", 0.1, 20) * height
    return np.stack([foreground, np.clip(depth - 1, 0, 1), np.clip(distance, 0, 1)]).astype(np.float32)


def _ground(seen: TileMeasurement, window: float) -> dict[str, str]:
    """Word the ground: one level where it hardly varies, which no cut through the image can change."""
    if seen.slope < _EVEN * seen.contrast:
        return {"ground": f"{seen.ground:.3f} (one level: it varies by {seen.slope:.3f}, little against the contrast)"}
    return {
        "ground": f"local (it varies by {seen.slope:.3f}, so it is found around each px)",
        "ground window": f"{window:.0f} px (three objects wide, so that no object is taken for ground)",
    }


def _ground_under(plane: NDArray[np.float32], recipe: Recipe) -> NDArray[np.float32] | float:
    if recipe.words("ground").casefold() == "local":
        return ground_of(plane, recipe.number("ground window", 3, 6000))
    return recipe.number("ground", -1e4, 1e4)


def _summits(
    parts: NDArray[np.int32], smooth: NDArray[np.float32], coarse: NDArray[np.float32], least: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return, for each px, the 85th percentile of its part, and whether the part's summit reaches `least`."""
    n = int(parts.max(initial=0))
    order = np.lexsort((smooth.ravel(), parts.ravel()))
    first = np.searchsorted(parts.ravel()[order], np.arange(1, n + 2))
    at = first[:-1] + (0.85 * (np.diff(first) - 1)).astype(np.intp)
    levels = np.append(np.float32(0), smooth.ravel()[order][at]).astype(np.float32)
    tops = np.asarray(ndi.maximum(coarse, parts, np.arange(n + 1)))
    strong = tops >= least
    strong[0] = False
    return levels[parts], strong[parts]


def _without_crumbs(mask: NDArray[np.bool_], least: float) -> NDArray[np.bool_]:
    """Drop connected parts smaller than `least` px, except those that the tile's border may have cut."""
    parts, n = ndi.label(mask)
    keep = np.bincount(parts.ravel(), minlength=n + 1) >= least
    for side in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
        keep[side] = True
    keep[0] = False
    return np.asarray(keep[parts])


def _without_pits(mask: NDArray[np.bool_], size: float) -> NDArray[np.bool_]:
    """Fill holes smaller than an object, so that dark nucleoli do not divide a nucleus."""
    holes, n = ndi.label(~mask)
    fill = np.bincount(holes.ravel(), minlength=n + 1) <= 0.8 * size**2
    fill[0] = False
    for side in (holes[0], holes[-1], holes[:, 0], holes[:, -1]):
        fill[side] = False
    return np.asarray(mask | fill[holes])


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))), np.float32)
