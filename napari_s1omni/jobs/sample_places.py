"""A few places of a layer that are read before a plan is made: always the same ones, spread over all of it."""

from __future__ import annotations

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
