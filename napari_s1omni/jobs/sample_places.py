"""A few places of a layer that are read before a plan is made: always the same ones, spread over all of it."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.operations.operation import Operation
from napari_s1omni.storage.chunk_sample import sample_chunks
from napari_s1omni.storage.source import Source

EDGE = 512
"""About the edge of a place, in source px."""
_READ, _KEPT = 12, 6
"""Places that are looked at, and those with the most contrast that are returned."""
_TILE, _TILES = 256, 8
"""Edge in px of the tiles that are cut from places, and their number."""


def read_places(
    source: Source, operation: Operation, normalization: Normalization, channels: tuple[int, ...]
) -> tuple[list[NDArray[np.float32]], bool]:
    """Read some places of all time points and planes of a layer, whatever the region of a job is.

    Parameters
    ----------
    source : Source
    operation : Operation
        Says how an engine sees the pixels.
    normalization : Normalization
        Of the layer.
    channels : tuple of int
        What the engine sees.

    Returns
    -------
    list of float32 (3, h, w)
        At most 6, in model range, in the order in which they lie in the layer.
    bool
        Whether there is one place, the whole layer.
    """
    spec = source.spec
    steps = [-(-n // max(1, round(n / EDGE))) if a in "yx" else 1 for a, n in zip(spec.axes, spec.shape, strict=True)]
    boxes = sample_chunks(spec, steps, _READ, whole="c")
    places = [_read(source, operation, normalization, channels, box) for box in boxes]
    contrasts = np.array([_contrast(place) for place in places])
    kept = sorted(np.argsort(-contrasts, kind="stable")[:_KEPT])
    return [places[i] for i in kept], len(boxes) == 1


def cut_tiles(places: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Return at most 8 tiles of 256 x 256 px from places, as many from each; smaller ones where the layer is.

    Tiles of one value are left out, as nothing is drawn in them, unless all are so.
    """
    most = max(1, _TILES // len(places))
    tiles: list[NDArray[np.float32]] = []
    for place in places:
        corners = list(product(*(_starts(edge) for edge in place.shape[1:])))
        picked = np.linspace(0, len(corners) - 1, min(most, len(corners))).round().astype(int)
        tiles += [place[:, y : y + _TILE, x : x + _TILE] for y, x in (corners[i] for i in picked)]
    return [tile for tile in tiles if tile.min() < tile.max()] or tiles[:1]


def _starts(edge: int) -> list[int]:
    """Return where tiles begin along an edge of a place; the last one ends with it."""
    return [max(0, min(start, edge - _TILE)) for start in range(0, max(1, edge - _TILE // 2), _TILE)]


def _read(
    source: Source,
    operation: Operation,
    normalization: Normalization,
    channels: tuple[int, ...],
    box: tuple[slice, ...],
) -> NDArray[np.float32]:
    axes = source.spec.axes
    parts = []
    for channel in channels:
        one = tuple(slice(channel, channel + 1) if a == "c" else part for a, part in zip(axes, box, strict=True))
        parts.append(source.read(one))
    y, x = (box[axes.index(a)] for a in "yx")
    pixels = np.stack([part.reshape(y.stop - y.start, x.stop - x.start) for part in parts])
    return operation.to_model(pixels, normalization, channels)


def _contrast(place: NDArray[np.float32]) -> float:
    low, high = np.percentile(ndi.uniform_filter(place.mean(axis=0), 5), (1, 99))
    return float(high - low)
