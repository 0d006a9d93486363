"""The coarse levels of a live result, kept in memory and updated in place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.storage.result.pyramid import Pyramid
from napari_s1omni.storage.result.store import ResultStore

_KEPT = 48 * 2**20
"""Largest size in bytes of the finest level in memory."""


class MemoryLevels:
    """Levels in memory, and the geometry of all levels of a result.

    Viewers never fetch the coarsest level again, so at least that one is a NumPy array that changes in place. Levels
    are halved beyond those of the store until one is small enough.

    Parameters
    ----------
    target : LayerSpec
    pyramid : Pyramid
        Levels of the store.

    Attributes
    ----------
    shapes, steps : list of tuple of int
        Shape of each level and full-resolution pixels per pixel of the level, along the axes of the target.
    first : int
        The finest level in memory.
    arrays : list of array
        The levels from `first` on.
    """

    def __init__(self, target: LayerSpec, pyramid: Pyramid) -> None:
        self.steps = [level.factor for level in pyramid.levels]
        self.shapes = [level.shape for level in pyramid.levels]
        itemsize = target.np_dtype.itemsize
        halved = [a in "yx" for a in target.axes]
        while math.prod(self.shapes[-1]) * itemsize > _KEPT:
            self.shapes.append(tuple(-(-n // 2) if h else n for n, h in zip(self.shapes[-1], halved, strict=True)))
            self.steps.append(tuple(s * 2 if h else s for s, h in zip(self.steps[-1], halved, strict=True)))
        owned = [level.with_blocks for level in pyramid.levels] + [False] * (len(self.shapes) - len(pyramid.levels))
        first = len(self.shapes) - 1
        # Levels that blocks write themselves are read from the store.
        while first and not owned[first - 1] and math.prod(self.shapes[first - 1]) * itemsize <= _KEPT:
            first -= 1
        self.first = first
        self.arrays = [np.zeros(shape, target.np_dtype) for shape in self.shapes[first:]]

    def insert(self, spans: Sequence[tuple[int, int]], pixels: NDArray[Any], step: tuple[int, ...]) -> None:
        """Put every n-th pixel of a box into the levels in memory.

        Parameters
        ----------
        spans : sequence of (start, stop)
            The box, in pixels of the level that `pixels` come from, along the axes of the target.
        pixels : array
        step : tuple of int
            Full-resolution pixels per pixel of that level.
        """
        for level, coarse in zip(self.arrays, self.steps[self.first :], strict=True):
            ratio = [max(1, c // s) for c, s in zip(coarse, step, strict=True)]
            first = [-(-start // r) for (start, _), r in zip(spans, ratio, strict=True)]
            part = pixels[tuple(slice(f * r - a, None, r) for f, r, (a, _) in zip(first, ratio, spans, strict=True))]
            room = level[tuple(slice(f, f + n) for f, n in zip(first, part.shape, strict=True))]
            room[...] = part[tuple(slice(0, n) for n in room.shape)]

    def read(self, level: int, box: Sequence[slice]) -> NDArray[Any]:
        """Return a box of a level, enlarged from the finest level in memory."""
        step, coarse = self.steps[level], self.steps[self.first]
        index = [
            np.minimum(np.arange(b.start, b.stop) * s // c, n - 1)
            for b, s, c, n in zip(box, step, coarse, self.arrays[0].shape, strict=True)
        ]
        return self.arrays[0][np.ix_(*index)]

    def replace(self, store: ResultStore) -> None:
        """Take over the final levels of a store."""
        for array, step in zip(self.arrays, self.steps[self.first :], strict=True):
            array[...] = store.sample(step, tuple(slice(0, n) for n in array.shape))
