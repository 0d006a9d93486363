"""Looking at an image: the numbers a thought is built on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.engine.denoising import noise_sd

SIGNALS = ("bright", "dark", "stain")
"""What makes an object stand out: more light, less light, or the light a stain takes away."""

MIN_SIZE, MAX_SIZE = 8.0, 64.0
"""Object diameters in px that are told apart when measuring."""

_RED, _GREEN = 0.5, 0.5
_COLOUR = 0.02
_BRIGHT_GROUND = 0.35
_LEAST = 0.04
_DIVISIONS = ((0.5, "crowded"), (0.2, "dense"), (0.05, "scattered"), (0.0, "sparse"))


@dataclass(frozen=True, slots=True)
class TileMeasurement:
    """What was measured in one image, in model range and px of that image."""

    colour: bool
    """Whether the three channels differ."""
    signal: str
    """One of :data:`SIGNALS`."""
    ground: float
    """Median of the ground, of the signal."""
    slope: float
    """Range of the smoothed ground over the image."""
    noise: float
    """Standard deviation of the noise."""
    contrast: float
    """Median of objects minus ground."""
    threshold: float
    """Level above the ground that parts objects from it."""
    size: float | None
    """Typical object diameter in px; None where nothing stands out."""
    cover: float
    """Share of the px inside objects, 0 to 1."""

    @property
    def crowding(self) -> str:
        """`cover` in a word."""
        return next(word for least, word in _DIVISIONS if self.cover >= least)


def measure_tile(image: NDArray[np.float32], polarity: str | None = None) -> TileMeasurement:
    """Measure one image.

    Scale and threshold depend on each other through the smoothing and the
    ground that fit the scale, so both are found in two rounds.

    Parameters
    ----------
    image : float32 (3, H, W), model range
    polarity : {"bright", "dark"}, optional
        What the user said about the objects.
    """
    colour = is_colour(image)
    name = kind_of_signal(image, colour, polarity)
    plane = signal_of(image, name)
    size: float | None = None
    for _ in range(2):
        flat, ground, level = _flatten(plane, size or 20.0, name)
        size = object_size(flat, level)
    flat, ground, level = _flatten(plane, size or 20.0, name)
    objects = ndi.gaussian_filter(flat, smoothing(size or 20.0)) > level
    wide = ndi.gaussian_filter(ground, max(min(plane.shape) / 8, 1.0))
    return TileMeasurement(
        colour=colour,
        signal=name,
        ground=float(np.median(ground)),
        slope=float(np.ptp(wide)),
        noise=noise_sd(plane),
        contrast=float(np.median(flat[objects]) - np.median(flat[~objects])) if 0 < objects.mean() < 1 else 0.0,
        threshold=level,
        size=size if objects.any() else None,
        cover=float(objects.mean()),
    )


def is_colour(image: NDArray[np.float32]) -> bool:
    """Whether the three channels differ by more than 2 % of the range in at least a tenth of the px."""
    return bool(np.percentile(image.max(axis=0) - image.min(axis=0), 90) > _COLOUR)


def kind_of_signal(image: NDArray[np.float32], colour: bool, polarity: str | None) -> str:
    """Tell bright from dark objects, and a stained section from fluorescence.

    Colour on a bright ground is a section in transmitted light. Otherwise the
    ground is what most px show: objects are bright where the median lies in the
    lower half of the range between the extreme percentiles, dark where not.
    """
    if colour and polarity is None and float(np.median(image.mean(axis=0))) > _BRIGHT_GROUND:
        return "stain"
    if polarity is not None:
        return polarity
    plane = ndi.gaussian_filter(_brightness(image), 2.0)
    low, middle, high = (float(v) for v in np.percentile(plane, (1, 50, 99)))
    return "dark" if middle - low > 0.6 * (high - low) else "bright"


def signal_of(image: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """Return the plane (H, W) in which objects are high.

    For ``stain`` it is the share of red and green light that is missing:
    hematoxylin takes these two and leaves blue.
    """
    if name == "stain":
        return np.asarray(1 - (_RED * image[0] + _GREEN * image[1]), np.float32)
    plane = _brightness(image)
    return plane if name == "bright" else np.asarray(1 - plane, np.float32)


def smoothing(size: float) -> float:
    """Sigma in px of the smoothing that fits objects of a diameter."""
    return float(np.clip(0.04 * size, 0.5, 2.0))


def ground_of(plane: NDArray[np.float32], window: float) -> NDArray[np.float32]:
    """Ground under the objects: a grey opening with a square of `window` px, smoothed (Sternberg, 1983)."""
    edge = 2 * int(window / 2) + 1
    low = ndi.minimum_filter(ndi.gaussian_filter(plane, 2.0), edge)
    return np.asarray(ndi.gaussian_filter(ndi.maximum_filter(low, edge), window / 3), np.float32)


def otsu(values: NDArray[Any]) -> float:
    """Threshold of the largest variance between two classes (Otsu, 1979)."""
    counts, centres = _histogram(values)
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    total = np.cumsum(counts * centres)
    between = below * above * (total[:-1] / below - (total[-1] - total[:-1]) / above) ** 2
    return float(centres[int(np.argmax(between))])


def minimum_cross_entropy(values: NDArray[Any]) -> float:
    """Threshold of the least cross entropy (Li and Lee, 1993): kinder to dim objects than Otsu's."""
    counts, centres = _histogram(values)
    centres = centres - centres[0] + 1e-6
    below = np.cumsum(counts)[:-1]
    mass = np.cumsum(counts * centres)
    low, high = mass[:-1] / below, (mass[-1] - mass[:-1]) / (counts.sum() - below)
    entropy = mass[:-1] * np.log(low) + (mass[-1] - mass[:-1]) * np.log(high)
    return float(_histogram(values)[1][int(np.argmax(entropy))])


def object_size(flat: NDArray[np.float32], level: float) -> float | None:
    """Typical diameter in px of what lies above `level`: twice the depth of its centres, wider ones counting more."""
    size: float | None = None
    for sigma in (1.0, None):
        mask = ndi.gaussian_filter(flat, sigma or smoothing(size or 15.0)) > level
        depth = ndi.gaussian_filter(ndi.distance_transform_edt(mask), max(0.5, 0.05 * (size or 15.0)))
        window = 2 * int(max(2.0, 0.3 * (size or 15.0))) + 1
        centres = np.sort(depth[(depth == ndi.maximum_filter(depth, window)) & (depth > 1.5)])
        if not centres.size:
            return size
        weight = np.cumsum(centres)
        size = float(np.clip(2.1 * centres[np.searchsorted(weight, weight[-1] / 2)], MIN_SIZE, MAX_SIZE))
    return size


def _flatten(plane: NDArray[np.float32], size: float, name: str) -> tuple[NDArray[np.float32], Any, float]:
    """Return the signal above its ground, the ground, and the level of objects."""
    ground = ground_of(plane, 3 * size)
    flat = plane - ground
    smooth = ndi.gaussian_filter(flat, smoothing(size))
    level = 0.65 * otsu(smooth) if name == "stain" else 0.8 * minimum_cross_entropy(smooth)
    return flat, ground, max(level, _LEAST)


def _brightness(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(image.max(axis=0) if is_colour(image) else image.mean(axis=0, dtype=np.float32), np.float32)


def _histogram(values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts, none of them 0 at the ends, and bin centres."""
    low, high = float(values.min()), float(values.max())
    counts, edges = np.histogram(values, bins=512, range=(low, max(high, low + 1e-6)))
    counts = counts.astype(np.float64)
    counts[[0, -1]] += 1e-9
    return counts, (edges[:-1] + edges[1:]) / 2
