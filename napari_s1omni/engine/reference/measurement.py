"""Measurements of an image on which the reference engine bases its thoughts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.engine.denoising import is_grey_image, plane_noise
from napari_s1omni.engine.reference.significance import noise_height, remove_speckles, speckle_share, stands_out

SIGNALS = ("bright", "dark", "stain")
"""How objects differ from the background: more light, less light, or the light that a stain absorbs."""

LIGHTS = ("brightest", "mean")
"""What is the light of a pixel: its brightest colour, or the mean of its colours."""

MIN_OBJECT_SIZE, MAX_OBJECT_SIZE = 8.0, 64.0
"""Range of object diameters, in pixels, that can be measured."""

SPECKLE_WIDTH = 5
"""Width in pixels of the median filter against black and white dots."""

_RED, _GREEN = 0.5, 0.5
_COLOUR_RANGE = 0.02
_BRIGHTFIELD_MEDIAN = 0.35
_MIN_THRESHOLD = 0.04
_CROWDING = ((0.5, "crowded"), (0.2, "dense"), (0.05, "scattered"), (0.0, "sparse"))


@dataclass(frozen=True, slots=True)
class TileMeasurement:
    """Measurements of one image, in model range and in pixels of that image."""

    colour: bool
    """Whether the three channels differ."""
    signal: str
    """One of :data:`SIGNALS`."""
    ground: float
    """Median of the background of the signal."""
    slope: float
    """Range of the smoothed background over the image."""
    noise: float
    """Standard deviation of the noise."""
    contrast: float
    """Median of the objects minus median of the background."""
    threshold: float
    """Level above the background that separates objects from it."""
    size: float | None
    """Typical object diameter in pixels; None if no object was found."""
    cover: float
    """Fraction of the pixels that lie in objects, 0 to 1."""
    rest: float
    """Median of what is not an object, above the background."""
    highest: float
    """Highest value of the smoothed signal above the background, where nothing stands out; else 0."""
    speckles: float
    """Fraction of the pixels that are black or white dots, 0 to 1."""
    many_colours: bool
    """Whether the three channels are not all the same."""
    layer: bool
    """Whether the image is a view of the layer, for all of its tiles, rather than one tile or region of tiles."""

    @property
    def crowding(self) -> str:
        """`cover` as a word."""
        return next(word for least, word in _CROWDING if self.cover >= least)


def measure_tile(image: NDArray[np.float32], polarity: str | None = None, layer: bool = False) -> TileMeasurement:
    """Measure one image.

    Object size and threshold depend on each other: smoothing and background need the size. So both are found in two
    rounds.

    Parameters
    ----------
    image : float32 (3, H, W), model range
    polarity : {"bright", "dark"}, optional
        Polarity that the user stated.
    layer : bool
        Whether the image is a view of the layer, for all of its tiles.
    """
    colour = is_colour_image(image)
    many_colours = not is_grey_image(image)
    raw = _brightness(image)
    speckles = speckle_share(raw, plane_noise(raw))
    if speckles:
        image = remove_speckles(image, SPECKLE_WIDTH)
    name = detect_signal(image, colour, polarity)
    plane = signal_plane(image, name)
    noise = plane_noise(plane)
    size: float | None = None
    for _ in range(2):
        flat, ground, level = _flatten(plane, size or 20.0, name)
        size = object_size(flat, level)
    flat, ground, level = _flatten(plane, size or 20.0, name)
    objects = ndi.gaussian_filter(flat, smoothing_sigma(size or 20.0)) > level
    wide = ndi.gaussian_filter(ground, max(min(plane.shape) / 8, 1.0))
    coarse = summit_sigma(size or 20.0)
    found = bool(objects.any()) and stands_out(plane, noise, coarse)
    return TileMeasurement(
        colour=colour,
        signal=name,
        ground=float(np.median(ground)),
        slope=float(np.ptp(wide)),
        noise=noise,
        contrast=float(np.median(flat[objects]) - np.median(flat[~objects])) if 0 < objects.mean() < 1 else 0.0,
        threshold=level,
        size=size if found else None,
        cover=float(objects.mean()) if found else 0.0,
        rest=_rest(flat, objects, noise_height(noise, smoothing_sigma(size or 20.0)) > level),
        highest=0.0 if found else float(ndi.gaussian_filter(flat, coarse).max()),
        speckles=speckles,
        many_colours=many_colours,
        layer=layer,
    )


def is_colour_image(image: NDArray[np.float32]) -> bool:
    """Return whether the channels differ by more than 2 % of the range in at least a tenth of the pixels."""
    return bool(np.percentile(image.max(axis=0) - image.min(axis=0), 90) > _COLOUR_RANGE)


def detect_signal(image: NDArray[np.float32], colour: bool, polarity: str | None) -> str:
    """Return which of :data:`SIGNALS` an image shows.

    Colour on a bright background is a stained section in transmitted light. Otherwise the background is assumed to be
    the majority: objects are bright if the median lies in the lower part of the range between the 1st and the 99th
    percentile, else dark.
    """
    if colour and polarity is None and float(np.median(image.mean(axis=0))) > _BRIGHTFIELD_MEDIAN:
        return "stain"
    if polarity is not None:
        return polarity
    low, middle, high = levels(_brightness(image))
    return "dark" if middle - low > 0.6 * (high - low) else "bright"


def levels(plane: NDArray[np.float32]) -> tuple[float, float, float]:
    """Return the 1st, 50th and 99th percentile of a smoothed plane (H, W); the second is taken for the ground."""
    low, middle, high = (float(v) for v in np.percentile(ndi.gaussian_filter(plane, 2.0), (1, 50, 99)))
    return low, middle, high


def signal_plane(image: NDArray[np.float32], name: str, light: str | None = None) -> NDArray[np.float32]:
    """Return the plane (H, W) in which objects are high.

    For ``stain`` it is the missing share of red and green light, which hematoxylin absorbs. `light`, one of
    :data:`LIGHTS`, says what is the light of a pixel; None is what suits this image.
    """
    if name == "stain":
        return np.asarray(1 - (_RED * image[0] + _GREEN * image[1]), np.float32)
    plane = _brightness(image, light)
    return plane if name == "bright" else np.asarray(1 - plane, np.float32)


def smoothing_sigma(size: float) -> float:
    """Return the sigma, in pixels, of the smoothing for objects of a diameter."""
    return float(np.clip(0.04 * size, 0.5, 2.0))


def summit_sigma(size: float) -> float:
    """Return the sigma, in pixels, of the smoothing in which objects of a diameter have their summit."""
    return 0.15 * size


def background(plane: NDArray[np.float32], window: float) -> NDArray[np.float32]:
    """Return the background: a grey opening with a square of `window` pixels, smoothed (Sternberg, 1983)."""
    edge = 2 * int(window / 2) + 1
    low = ndi.minimum_filter(ndi.gaussian_filter(plane, 2.0), edge)
    return np.asarray(ndi.gaussian_filter(ndi.maximum_filter(low, edge), window / 3), np.float32)


def otsu_threshold(values: NDArray[Any]) -> float:
    """Return the threshold of the largest variance between two classes (Otsu, 1979)."""
    counts, centres = _histogram(values)
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    total = np.cumsum(counts * centres)
    between = below * above * (total[:-1] / below - (total[-1] - total[:-1]) / above) ** 2
    return float(centres[int(np.argmax(between))])


def li_threshold(values: NDArray[Any]) -> float:
    """Return the threshold of minimum cross entropy (Li and Lee, 1993); it keeps more dim objects than Otsu's."""
    counts, centres = _histogram(values)
    centres = centres - centres[0] + 1e-6
    below = np.cumsum(counts)[:-1]
    mass = np.cumsum(counts * centres)
    low, high = mass[:-1] / below, (mass[-1] - mass[:-1]) / (counts.sum() - below)
    entropy = mass[:-1] * np.log(low) + (mass[-1] - mass[:-1]) * np.log(high)
    return float(_histogram(values)[1][int(np.argmax(entropy))])


def object_size(flat: NDArray[np.float32], level: float) -> float | None:
    """Return the typical diameter, in pixels, of the objects above `level`, or None if there are none.

    Twice the distance from the centre to the border; the median over objects, weighted by that distance.
    """
    size: float | None = None
    for sigma in (1.0, None):
        mask = ndi.gaussian_filter(flat, sigma or smoothing_sigma(size or 15.0)) > level
        depth = ndi.gaussian_filter(ndi.distance_transform_edt(mask), max(0.5, 0.05 * (size or 15.0)))
        window = 2 * int(max(2.0, 0.3 * (size or 15.0))) + 1
        centres = np.sort(depth[(depth == ndi.maximum_filter(depth, window)) & (depth > 1.5)])
        if not centres.size:
            return size
        weight = np.cumsum(centres)
        size = float(np.clip(2.1 * centres[np.searchsorted(weight, weight[-1] / 2)], MIN_OBJECT_SIZE, MAX_OBJECT_SIZE))
    return size


def _flatten(plane: NDArray[np.float32], size: float, name: str) -> tuple[NDArray[np.float32], Any, float]:
    """Return the signal minus its background, the background, and the threshold of objects."""
    ground = background(plane, 3 * size)
    flat = plane - ground
    smooth = ndi.gaussian_filter(flat, smoothing_sigma(size))
    level = 0.65 * otsu_threshold(smooth) if name == "stain" else 0.8 * li_threshold(smooth)
    return flat, ground, max(level, _MIN_THRESHOLD)


def _rest(flat: NDArray[np.float32], objects: NDArray[np.bool_], noisy: bool) -> float:
    """Return the median above the background of what is not an object.

    Where noise crosses the threshold (`noisy`), the pixels below it are the lower half of the noise, so all count.
    """
    rest = flat if noisy else flat[~objects]
    return float(np.median(rest)) if rest.size else 0.0


def _brightness(image: NDArray[np.float32], light: str | None = None) -> NDArray[np.float32]:
    if light == "brightest" or (light is None and is_colour_image(image)):
        return np.asarray(image.max(axis=0), np.float32)
    return np.asarray(image.mean(axis=0, dtype=np.float32), np.float32)


def _histogram(values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return counts, with no 0 at either end, and bin centres."""
    low, high = float(values.min()), float(values.max())
    counts, edges = np.histogram(values, bins=512, range=(low, max(high, low + 1e-6)))
    counts = counts.astype(np.float64)
    counts[[0, -1]] += 1e-9
    return counts, (edges[:-1] + edges[1:]) / 2
