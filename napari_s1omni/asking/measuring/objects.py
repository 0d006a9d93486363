"""Finds and measures the objects of a plane. This file is run in the sandbox, and shown with the answer.

It uses numpy, scipy and scikit-image alone, and gets its pixels from the function `region`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import ndimage as ndi
from skimage.filters import gaussian, threshold_otsu
from skimage.measure import regionprops_table
from skimage.morphology import h_maxima
from skimage.segmentation import watershed

SMOOTHING = 1.5
"""Width (sigma) of the Gaussian that the plane is smoothed with, in px."""


def find_objects(plane: Any, polarity: str | None) -> tuple[Any, str]:
    """Threshold the flattened plane (Otsu, 1979), and part what touches by the distance to the edge.

    Returns labels, and whether the objects are bright or dark: what covers less than half is an object. What is no
    more than noise is no object.
    """
    nothing = np.zeros(plane.shape, np.int32)
    values = plane.astype(np.float32)
    smooth = gaussian(values, SMOOTHING, preserve_range=True)
    # Uneven light is wider than a quarter of the plane.
    smooth = smooth - gaussian(smooth, min(plane.shape) / 4, preserve_range=True)
    level = threshold_otsu(smooth)
    polarity = polarity or ("bright" if np.mean(smooth > level) < 0.5 else "dark")
    mask = smooth > level if polarity == "bright" else smooth < level
    if not mask.any() or mask.all():
        return nothing, polarity
    contrast = abs(smooth[mask].mean() - smooth[~mask].mean())
    if contrast < 6 * _noise(values) / (2 * np.sqrt(np.pi) * SMOOTHING):
        return nothing, polarity
    mask = ndi.binary_fill_holes(ndi.binary_opening(mask))
    parts, count = ndi.label(mask)
    if not count:
        return nothing, polarity
    edge = ndi.distance_transform_edt(mask)
    radii = ndi.maximum(edge, parts, range(1, count + 1))
    typical = max(2.0, np.median(radii[radii >= 2])) if (radii >= 2).any() else 2.0
    distance = gaussian(edge, max(0.5, typical / 6))
    seeds, _ = ndi.label(h_maxima(distance, 0.075 * typical))
    labels = watershed(-distance, seeds, mask=mask)
    # Crumbs are a tenth of a typical disc.
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    kept = areas >= 0.1 * np.pi * typical**2
    return np.where(kept, np.cumsum(kept), 0)[labels].astype(np.int32), polarity


def _noise(plane: Any) -> float:
    """Return the standard deviation of the noise, from the median absolute Laplacian (Immerkaer, 1996)."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    return float(np.median(np.abs(ndi.convolve(plane, kernel))) / (0.6745 * 6))


def measure(
    region: Callable[..., Any],
    note: Callable[[str, float, str], None],
    boxes: Mapping[str, tuple[int, int, int, int]],
    *,
    polarity: str | None,
    extreme: str | None,
    pixel: float,
    unit: str,
    sampled: bool,
    **plane: int,
) -> None:
    """Measure the objects of each box (y0, x0, y1, x1) in px; `pixel` is the size of a pixel in `unit`.

    Boxes that are `sampled` stand for more: objects cut by their upper or left edge are left out, so that each object
    would be counted in one box (the unbiased counting frame; Gundersen, 1977).
    """
    for name, (y0, x0, y1, x1) in boxes.items():
        values = region(y0, x0, y1 - y0, x1 - x0, **plane)
        labels, found = find_objects(values, polarity)
        table = regionprops_table(labels, values, properties=("area", "bbox", "mean_intensity"))
        if sampled:
            whole = (table["bbox-0"] > 0) & (table["bbox-1"] > 0)
            table = {key: column[whole] for key, column in table.items()}
        count, area = len(table["area"]), values.size * pixel**2
        print(f"{name}: {count} {found} objects in {values.shape[1]} x {values.shape[0]} px")
        note(f"{name}: count", count, "")
        note(f"{name}: bright against the ground", found == "bright", "")
        note(f"{name}: field area", area, f"{unit}^2")
        note(f"{name}: density", count / area, f"1/{unit}^2")
        if not count:
            continue
        diameters = 2 * np.sqrt(table["area"] / np.pi) * pixel
        note(f"{name}: median diameter", float(np.median(diameters)), unit)
        note(f"{name}: 10 % are below", float(np.percentile(diameters, 10)), unit)
        note(f"{name}: 90 % are below", float(np.percentile(diameters, 90)), unit)
        note(f"{name}: mean intensity", float(table["mean_intensity"].mean()), "")
        if extreme is None:
            continue
        ranked = diameters if extreme in ("largest", "smallest") else table["mean_intensity"]
        chosen = int((np.argmin if extreme in ("smallest", "darkest") else np.argmax)(ranked))
        for corner, edge in enumerate((y0, x0, y0, x0)):
            key = ("y0", "x0", "y1", "x1")[corner]
            note(f"{name}: {extreme} {key}", edge + int(table[f"bbox-{corner}"][chosen]), "px")
        note(f"{name}: {extreme} diameter", float(diameters[chosen]), unit)
        note(f"{name}: {extreme} intensity", float(table["mean_intensity"][chosen]), "")
