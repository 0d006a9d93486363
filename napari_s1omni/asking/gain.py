"""Visual information gain: what a picture shows that an earlier one did not.

The new picture is predicted from the best earlier one that covers it: resampled to the new grid, then by the mean of
the new grey values at each old one, so that another contrast or a mere enlargement predict it whole. What is left,
without the noise, is new.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.asking.view import Picture
from napari_s1omni.engine.denoising import plane_noise

MIN_ENERGY = 4.0
"""Smallest unexplained variance that a viewer can see, in squared grey levels of 8 bit."""
MIN_SHARE = 0.05
"""Smallest share of the picture's variance that is worth a look."""
_NOISE_ONLY = 0.25
"""Share of the variance without noise below which a picture is noise only."""


@dataclass(frozen=True, slots=True)
class Gain:
    """How much a picture shows that was not seen before."""

    energy: float
    """Variance that no earlier picture explains, without noise, in squared grey levels."""
    share: float
    """The same as a share of the whole variance without noise; 0 for noise alone."""

    @property
    def counts(self) -> bool:
        """Whether the picture shows anything new."""
        return self.energy >= MIN_ENERGY and self.share >= MIN_SHARE


def visual_gain(new: Picture, shown: Iterable[Picture]) -> Gain:
    """Return what a picture adds to those that were shown before, in any order."""
    grey = _grey(new.pixels)
    covering = [one for one in shown if _covers(one, new)]
    gains = [_gain(grey, _resampled(one, new)) for one in covering] or [_gain(grey, np.zeros_like(grey))]
    return min(gains, key=lambda gain: gain.energy)


def _covers(old: Picture, new: Picture) -> bool:
    a, b = old.record, new.record
    same = (a.t, a.z) == (b.t, b.z) and set(a.channels) >= set(b.channels)
    return same and a.box.contains(b.box)


def _gain(grey: NDArray[np.float32], predictor: NDArray[np.float32]) -> Gain:
    noise = plane_noise(grey) ** 2
    variance = float(grey.var())
    signal = max(0.0, variance - noise)
    bins = np.clip(np.rint(predictor), 0, 255).astype(np.intp).ravel()
    sums, counts = (np.bincount(bins, weights, 256) for weights in (grey.ravel().astype(float), None))
    means = sums / np.maximum(counts, 1)
    left = float(np.mean((grey.ravel() - means[bins]) ** 2))
    # Each mean that is fitted takes its part of the noise with it.
    energy = max(0.0, left - noise * (1 - np.count_nonzero(counts) / grey.size))
    if signal <= _NOISE_ONLY * variance:
        return Gain(energy, 0.0)
    return Gain(energy, min(1.0, energy / signal))


def _resampled(old: Picture, new: Picture) -> NDArray[np.float32]:
    """Return the grey values of an old picture on the grid of the new one."""
    grids = []
    for axis in range(2):
        steps = old.record.step[axis], new.record.step[axis]
        offset = new.record.box[axis] - old.record.box[axis]
        grids.append((offset + (np.arange(new.pixels.shape[axis]) + 0.5) * steps[1]) / steps[0] - 0.5)
    places = np.meshgrid(*grids, indexing="ij")
    return np.asarray(ndi.map_coordinates(_grey(old.pixels), places, order=3, mode="nearest"), np.float32)


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(pixels.mean(axis=-1, dtype=np.float32))
