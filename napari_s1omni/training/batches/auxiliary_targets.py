"""Targets of the thinker's auxiliary heads: objects per vision token, noise and blur."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.training.data.samples import Sample

OBJECT_CLASSES = 4
"""Bright small, bright large, dark small and dark large objects."""
SMALL_DIAMETER = 16.0
"""Diameter in pixels that separates small from large objects."""


def optics_target(sample: Sample) -> list[float]:
    """Return log noise and log blur of a sample; NaN where unknown."""
    return [_log(sample.noise, 0.003), _log(sample.blur, 0.3)]


def object_targets(sample: Sample, cell: int) -> NDArray[np.float32]:
    """Return the targets per merged vision token, (rows * cols, 3 * OBJECT_CLASSES).

    Parameters
    ----------
    sample : Sample
    cell : int
        Edge in pixels of the area of one merged token.

    Returns
    -------
    float32 array
        Per class: square root of the number of centroids in the cell, share of covered pixels, and log of the median
        diameter over :data:`SMALL_DIAMETER`, NaN where the class has no object.
    """
    height, width = sample.source.shape[1:]
    rows, cols = height // cell, width // cell
    out = np.zeros((3 * OBJECT_CLASSES, rows, cols), np.float32)
    out[2 * OBJECT_CLASSES :] = np.nan
    for labels, bright in sample.layers:
        if labels.shape != (height, width):
            continue
        area = np.bincount(labels.ravel())
        area[0] = 0
        present = np.flatnonzero(area)
        if not len(present):
            continue
        diameter = 2 * np.sqrt(float(np.median(area[present])) / np.pi)
        kind = (0 if bright else 2) + int(diameter >= SMALL_DIAMETER)
        ys = np.bincount(labels.ravel(), np.repeat(np.arange(height), width))[present] / area[present]
        xs = np.bincount(labels.ravel(), np.tile(np.arange(width), height))[present] / area[present]
        np.add.at(out[kind], ((ys // cell).astype(int), (xs // cell).astype(int)), 1)
        share = (labels > 0).reshape(rows, cell, cols, cell).mean((1, 3))
        out[OBJECT_CLASSES + kind] = np.maximum(out[OBJECT_CLASSES + kind], share)
        out[2 * OBJECT_CLASSES + kind][share > 0.15] = np.log(diameter / SMALL_DIAMETER)
    out[:OBJECT_CLASSES] = np.sqrt(out[:OBJECT_CLASSES])
    return out.reshape(3 * OBJECT_CLASSES, -1).T.copy()


def _log(value: float | None, floor: float) -> float:
    return float("nan") if value is None else float(np.log(max(value, floor)))
