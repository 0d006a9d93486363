"""Estimate the normalisation of a layer: the two intensities per channel that become 0 and 1 in model range."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.storage.chunk_sample import sample_chunks, shrink_box
from napari_s1omni.storage.source import Source

PERCENTILES = (0.1, 99.9)
"""Percentiles of the finite pixels that become 0 and 1."""
_MAX_BYTES = 64 * 2**20
"""About how many bytes are read at most."""
_MAX_CHUNK_BYTES = 4 * 2**20
"""Most bytes that are read of one chunk; of a larger chunk, its beginning is read."""
_MIN_PIXELS = 2**20
"""Pixels per channel that a coarse level needs to represent the layer."""


def estimate_normalization(source: Source) -> Normalization:
    """Measure the intensities of a whole layer, so that every job on it uses the same normalisation.

    A layer of at most 64 MB is read whole. Of a larger one, the finest coarser
    pyramid level that fits is read, if it has at least 1 megapixel per channel;
    else a fixed set of chunks, spread evenly over all axes, 64 MB in total.
    The region of a job is ignored, so a crop is treated like the whole.

    Transparent pixels are not measured. Per channel, the percentiles 0.1 and 99.9 of the finite pixels become 0 and 1,
    for all integer and float types. The channels of a colour picture share one
    pair, which preserves hues: 0 and 255 for uint8, else the percentiles of all
    three. If the two percentiles are equal, minimum and maximum are used;
    if those are equal too, the layer is constant and becomes 0.

    NaN and infinite pixels take the median of the finite ones of their channel,
    so that they count as background whether objects are bright or dark.

    Parameters
    ----------
    source : Source
        An image layer.

    Returns
    -------
    Normalization
        One pair per channel, in layer intensities; `nonfinite`, `sampled` and
        `note` say what was measured. It has a `ground` if some pixels are not
        finite, or if unread pixels may be.
    """
    # The note is part of a plan's fingerprint: with another wording, runs begun earlier could not be resumed.
    spec = source.spec
    chosen, how = _choose(source)
    if spec.rgb and spec.dtype == "uint8":
        return Normalization((0.0,) * 3, (255.0,) * 3, 0, 1.0, "8-bit colours: 0 and 255")
    values, nonfinite, seen = _gather(chosen)
    unread = chosen is not source or seen < math.prod(spec.shape)
    ground = None
    if nonfinite or (unread and spec.np_dtype.kind == "f"):
        ground = tuple(float(np.median(v)) if v.size else 0.0 for v in values)
    sampled = seen / math.prod(chosen.spec.shape)
    if spec.rgb:
        values = [np.concatenate(values)] * 3
    notes = [f"percentiles {PERCENTILES[0]} and {PERCENTILES[1]} of {how}"]
    pairs = [_pair(v, f"channel {i}", notes) for i, v in enumerate(values)]
    if nonfinite:
        notes.append(f"{nonfinite} px are NaN or infinite and count as background")
    if chosen is not source:
        sampled *= math.prod(chosen.spec.shape) / math.prod(spec.shape)
    low, high = zip(*pairs, strict=True)
    return Normalization(low, high, nonfinite, sampled, "; ".join(dict.fromkeys(notes)), ground)


def _choose(source: Source) -> tuple[Source, str]:
    if source.spec.nbytes <= _MAX_BYTES:
        return source, "all px"
    for i, level in enumerate(source.levels(), 1):
        if level.spec.nbytes <= _MAX_BYTES:
            if math.prod(level.spec.shape) // level.spec.size("c") >= _MIN_PIXELS:
                return level, f"all px of the level {i} below in the pyramid"
            break
    return source, "chunks spread over the layer"


def _gather(source: Source) -> tuple[list[NDArray[Any]], int, int]:
    """Return the finite pixels per channel, the number of others, and the number of pixels read."""
    spec = source.spec
    channel = spec.axes.index("c") if "c" in spec.axes else None
    parts: list[list[NDArray[Any]]] = [[] for _ in range(spec.size("c"))]
    nonfinite = seen = 0
    for box in _boxes(source):
        pixels, transparent = source.read(box), source.transparent(box)
        seen += pixels.size
        first = box[channel].start if channel is not None else 0
        planes = np.moveaxis(pixels, channel, 0) if channel is not None else pixels[np.newaxis]
        for offset, plane in enumerate(planes):
            flat = plane.ravel() if transparent is None else plane[~transparent]
            if flat.dtype.kind == "f":
                finite = flat[np.isfinite(flat)]
                nonfinite += flat.size - finite.size
                flat = finite
            parts[first + offset].append(flat)
    empty = np.empty(0, spec.np_dtype)
    return [np.concatenate(p) if p else empty for p in parts], nonfinite, seen


def _boxes(source: Source) -> Iterator[tuple[slice, ...]]:
    """Yield the boxes to read: everything, or a fixed set of chunks of limited size, each with all channels."""
    spec = source.spec
    if spec.nbytes <= _MAX_BYTES:
        yield tuple(slice(0, n) for n in spec.shape)
        return
    pixels = math.prod(n if a == "c" else c for a, n, c in zip(spec.axes, spec.shape, source.chunks, strict=True))
    size = min(pixels * spec.np_dtype.itemsize, _MAX_CHUNK_BYTES)
    for box in sample_chunks(spec, source.chunks, max(1, _MAX_BYTES // size), whole="c"):
        yield shrink_box(spec, box, _MAX_CHUNK_BYTES, whole="c")


def _pair(values: NDArray[Any], name: str, notes: list[str]) -> tuple[float, float]:
    if not values.size:
        notes.append(f"{name} has no finite px")
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values, PERCENTILES))
    if high > low:
        return low, high
    low, high = float(values.min()), float(values.max())
    if high > low:
        notes.append(f"{name}: the percentiles coincide, so minimum and maximum are taken")
        return low, high
    notes.append(f"{name} is constant ({low:g})")
    return low, max(low + 1.0, float(np.nextafter(low, np.inf)))
