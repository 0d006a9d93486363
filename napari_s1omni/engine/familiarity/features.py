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
_HUES = 6
"""Sectors of the colour circle."""
_LEAST = 12
"""Shortest edge in pixels of an octave that is still described."""


def describe_tiles(tiles: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the features of tiles (3, h, w), float32 (n, :data:`COUNT`)."""
    return np.stack([describe_tile(tile) for tile in tiles])


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
    """Return quantiles, spread, the share of equal pixels at both ends, and the noise."""
    low, *middle, high = (float(v) for v in np.percentile(grey, _QUANTILES))
    span = max(high - low, _TINY)
    ends = [float((grey <= grey.min() + 1e-4).mean()), float((grey >= grey.max() - 1e-4).mean())]
    counts = np.histogram(grey, bins=64, range=(low, low + span))[0] / grey.size
    used = counts[counts > 0]
    return [
        low,
        high,
        *((v - low) / span for v in middle),
        float(grey.mean()),
        float(grey.std()),
        *(np.sqrt(share) for share in ends),
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
    straight, diagonal = (float(part.sum()) / total for part in along)
    curved = yy**2 + xx**2 + 2 * yx**2
    # Positive where the surface is a dome or a bowl, negative where it is a saddle, 0 on ridges.
    round_ = float((yy * xx - yx**2).clip(min=0).sum() / (curved.sum() + _TINY))
    flat = float((energy < 0.05 * np.percentile(energy, 99)).mean())
    return (
        float(np.log10(deviation / spread + 1e-3)),
        float(np.cbrt((unit**3).mean())),
        float(np.log((unit**4).mean() + 1)),
        coherent,
        straight,
        abs(diagonal),
        round_,
        flat,
    )


def _halve(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the means of squares of 2 x 2 pixels."""
    height, width = (n // 2 * 2 for n in level.shape)
    cells = level[:height, :width].reshape(height // 2, 2, width // 2, 2)
    return np.asarray(cells.mean((1, 3)), np.float32)


def _colour(image: NDArray[np.float32]) -> list[float]:
    """Return how colourful the tile is, its hues, and how its three channels go together; 0 where it is grey."""
    pixels = image.reshape(3, -1).astype(np.float64)
    chroma = pixels.max(axis=0) - pixels.min(axis=0)
    if float(np.percentile(chroma, 99)) < _GREY:
        return [0.0] * (_HUES + 10)
    red, green, blue = pixels
    angle = np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue)
    sectors = np.floor((angle / (2 * np.pi) + 1 / (2 * _HUES)) % 1 * _HUES).astype(int)
    hues = np.bincount(np.clip(sectors, 0, _HUES - 1), chroma, _HUES) / (chroma.sum() + _TINY)
    centred = pixels - pixels.mean(axis=1, keepdims=True)
    covariance = centred @ centred.T / pixels.shape[1]
    deviations = np.sqrt(np.diag(covariance)) + _TINY
    together = covariance / np.outer(deviations, deviations)
    shares = np.sqrt(np.clip(np.linalg.eigvalsh(covariance), 0, None))
    # Two stains span a plane of optical densities; a third colour leaves it.
    density = -np.log10(np.clip(pixels, 1 / 255, 1.0))
    absorbed = np.sqrt(np.clip(np.linalg.eigvalsh(density @ density.T / pixels.shape[1]), 0, None))
    return [
        float(chroma.mean()),
        float(np.percentile(chroma, 95)),
        *np.sqrt(hues),
        together[0, 1],
        together[0, 2],
        together[1, 2],
        shares[1] / (shares[2] + _TINY),
        shares[0] / (shares[2] + _TINY),
        absorbed[1] / (absorbed[2] + _TINY),
        absorbed[0] / (absorbed[2] + _TINY),
        float(np.median(pixels.mean(axis=0))),
    ]


COUNT = len(_QUANTILES) + 6 + 8 * OCTAVES + _HUES + 10
"""Number of features."""
