"""Features of a tile that tell kinds of images apart: brightness, structure by size, colour. Without any network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.engine.denoising import plane_noise

OCTAVES = 5
"""Sizes of structure that are described, each twice as large as the one before."""
_TINY = 1e-4
_QUANTILES = (1, 10, 25, 50, 75, 90, 99)
_GREY = 0.02
"""Difference between the colours of a pixel, in model range, below which it is grey."""
_COLOURS = 15
"""Number of features of colour."""
_DARKEST = 0.05
"""Least light of a channel that counts as its white."""
_ABSORBING = 0.15
"""Optical density from which on a pixel has a colour of its own."""
_FEWEST = 32
"""Pixels whose colours are described."""
_LEAST = 12
"""Shortest edge in pixels of an octave that is still described."""


def describe_tiles(tiles: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the features of tiles (3, h, w), float32 (n, :data:`COUNT`)."""
    return np.stack([describe_tile(tile) for tile in tiles])


def in_colour(features: NDArray[np.float32]) -> bool:
    """Return whether the tiles of an image, by their features (n, F), are in colour."""
    return bool(features[:, -_COLOURS:].any())


def describe_tile(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the features of one tile, float32 (:data:`COUNT`,).

    Parameters
    ----------
    image : float32 (3, h, w)
        Model range; it may lie outside of 0 to 1.
    """
    shown = np.clip(np.nan_to_num(np.asarray(image, np.float32)), -0.2, 1.2)
    short = [max(0, _LEAST - edge) for edge in shown.shape[1:]]
    if any(short):
        shown = np.pad(shown, [(0, 0), *((0, more) for more in short)], "symmetric")
    grey = shown.mean(axis=0)
    values = [*_brightness(grey), *_structure(grey), *_colour(shown)]
    return np.asarray(values, np.float32)


def _brightness(grey: NDArray[np.float32]) -> list[float]:
    """Return quantiles, spread, the share of saturated pixels, the entropy, and the noise."""
    low, *middle, high = (float(v) for v in np.percentile(grey, _QUANTILES))
    span = max(high - low, _TINY)
    counts = np.histogram(grey, bins=64, range=(low, low + span))[0] / grey.size
    used = counts[counts > 0]
    return [
        low,
        high,
        *((v - low) / span for v in middle),
        float(grey.mean()),
        float(grey.std()),
        float(np.sqrt((grey >= grey.max() - _TINY).mean())),
        float(-(used * np.log(used)).sum()),
        float(np.log10(plane_noise(grey) / span + 1e-3)),
    ]


def _structure(grey: NDArray[np.float32]) -> list[float]:
    """Return for each octave how much structure there is, how sparse, bright or dark, round or straight it is."""
    spread, found = float(grey.std()) + _TINY, []
    level = grey
    for _ in range(OCTAVES):
        found.append(_octave(level, spread))
        level = _halve(level) if min(level.shape) >= 2 * _LEAST else level
    # Sorted by kind of feature, so that the steps between octaves lie side by side.
    return [value for kind in zip(*found, strict=True) for value in kind]


def _octave(level: NDArray[np.float32], spread: float) -> tuple[float, ...]:
    smooth = ndi.gaussian_filter(level, 1.0)
    band = smooth - ndi.gaussian_filter(level, 2.0)
    deviation = float(band.std()) + _TINY
    unit = np.clip(band / deviation, -8, 8)
    down, across = np.gradient(smooth)
    yy, yx = np.gradient(down)
    _, xx = np.gradient(across)
    energy = down**2 + across**2
    along = (across**2 - down**2, 2 * across * down)
    # Coherence of the structure tensor: 1 at straight edges, 0 where directions mix.
    local = [ndi.gaussian_filter(part, 2.0) for part in (*along, energy)]
    coherent = float(np.hypot(local[0], local[1]).sum() / (local[2].sum() + _TINY))
    total = float(energy.sum()) + _TINY
    # Structure of one direction, as in stripes and lines of text.
    directed = float(np.hypot(*(part.sum() for part in along))) / total
    curved = yy**2 + xx**2 + 2 * yx**2
    # Positive where the surface is a dome or a bowl, negative where it is a saddle, 0 on ridges.
    round_ = float((yy * xx - yx**2).clip(min=0).sum() / (curved.sum() + _TINY))
    flat = float((energy < 0.05 * np.percentile(energy, 99)).mean())
    return (
        float(np.log10(deviation / spread + 1e-3)),
        float(np.cbrt((unit**3).mean())),
        float(np.log((unit**4).mean() + 1)),
        coherent,
        directed,
        round_,
        flat,
    )


def _halve(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the means of squares of 2 x 2 pixels."""
    height, width = (n // 2 * 2 for n in level.shape)
    cells = level[:height, :width].reshape(height // 2, 2, width // 2, 2)
    return np.asarray(cells.mean((1, 3)), np.float32)


def _colour(image: NDArray[np.float32]) -> list[float]:
    """Return how much light is absorbed, in which colours, and how these vary; 0 where the tile is grey.

    Colours are those of absorption against the brightest light of each channel, so that the colour of a lamp, which
    differs between microscopes, does not count, but that of stains does.
    """
    pixels = image.reshape(3, -1).astype(np.float64)
    chroma = pixels.max(axis=0) - pixels.min(axis=0)
    if float(np.percentile(chroma, 99)) < _GREY:
        return [0.0] * _COLOURS
    white = np.percentile(pixels, 99.5, axis=1, keepdims=True).clip(min=_DARKEST)
    density = -np.log10(np.clip(pixels / white, 1 / 255, 1))
    amount = np.linalg.norm(density, axis=0)
    stained = density[:, amount > _ABSORBING]
    if stained.shape[1] < _FEWEST:
        stained = density
    colours = stained / (np.linalg.norm(stained, axis=0) + _TINY)
    mean = colours.mean(axis=1)
    spread = np.sqrt(np.clip(np.linalg.eigvalsh(np.cov(colours)), 0, None))
    red, green, blue = colours
    angle = np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue)
    strength = colours.max(axis=0) - colours.min(axis=0)
    turns = [float((strength * wave(n * angle)).mean()) for n in (1, 2) for wave in (np.cos, np.sin)]
    return [
        float(np.median(amount)),
        float(np.percentile(amount, 95)),
        float((amount > _ABSORBING).mean()),
        *(float(v) for v in mean),
        *(float(v) for v in spread),
        float(strength.mean()),
        *turns,
        float(chroma.mean()),
    ]


COUNT = len(_QUANTILES) + 5 + 7 * OCTAVES + _COLOURS
"""Number of features."""
