"""Stand-ins for an engine: functions from the true labels of one window to that window's own labels.

Like a model, each sees one window at a time and numbers the objects of that window independently.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Labels = NDArray[Any]
"""Integer labels of any dimension; 0 is background."""
WindowEngine = Callable[[Labels], Labels]
"""Turns the true labels of a window into the window's own labels."""


def components(connectivity: int) -> WindowEngine:
    """Label connected components; connectivity 1 joins voxels by faces, up to the number of axes by corners."""

    def engine(labels: Labels) -> Labels:
        found, _ = ndimage.label(labels > 0, ndimage.generate_binary_structure(labels.ndim, connectivity))
        return np.asarray(found)

    return engine


def known_ids(seed: int = 0) -> WindowEngine:
    """Return the true objects, with ids drawn at random for every window."""
    calls = itertools.count()

    def engine(labels: Labels) -> Labels:
        names, index = np.unique(labels, return_inverse=True)
        ids = np.random.default_rng((seed, next(calls))).permutation(len(names)).astype(np.int64) + 1
        ids[names == 0] = 0
        return np.asarray(ids[index.reshape(labels.shape)])

    return engine


def jittered_ids(reach: float, seed: int = 0) -> WindowEngine:
    """Return the true objects with borders jittered by up to `reach` pixels, differently in every window."""
    calls = itertools.count()
    relabel = known_ids(seed)

    def engine(labels: Labels) -> Labels:
        rng = np.random.default_rng((seed, next(calls)))
        shifts = [ndimage.gaussian_filter(rng.standard_normal(labels.shape), 4) for _ in labels.shape]
        moved = tuple(
            np.clip(np.rint(place + reach * shift / np.abs(shift).max()), 0, size - 1).astype(np.intp)
            for place, shift, size in zip(np.indices(labels.shape), shifts, labels.shape, strict=True)
        )
        return relabel(labels[moved])

    return engine
