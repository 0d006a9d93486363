"""Whether a layer has the brightness that a request states: dark objects do not lie on a dark ground."""

from __future__ import annotations

import numpy as np

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.operations.understanding import Doubt
from napari_s1omni.storage.chunk_sample import sample_chunks, shrink_box
from napari_s1omni.storage.source import Source

_CHUNKS = 4
"""Chunks that are read at most."""
_CHUNK_BYTES = 2**20
"""Bytes that are read of each."""
_DARK, _BRIGHT = 0.25, 0.75
"""Median of the layer, as a share of its range, below which its ground is dark, and above which it is bright."""


def contrary_brightness(
    source: Source, normalization: Normalization, channels: tuple[int, ...], polarity: str | None
) -> tuple[Doubt, ...]:
    """Return a doubt if a request asks for objects as dark, or as bright, as the ground of the layer.

    Parameters
    ----------
    source : Source
    normalization : Normalization
        Of the layer.
    channels : tuple of int
        Channels that the engine sees.
    polarity : {"bright", "dark"}, optional
        What the request says; nothing is read without it.
    """
    if polarity is None:
        return ()
    level = _median(source, normalization, channels)
    if not (level < _DARK if polarity == "dark" else level > _BRIGHT):
        return ()
    other = "bright" if polarity == "dark" else "dark"
    sentence = (
        f"The prompt asks for {polarity} objects, but most of this image is {polarity} (half of its pixels lie "
        f"{'below' if polarity == 'dark' else 'above'} {level:.0%} of its range): what is found may be the ground "
        f"between {other} objects."
    )
    return (Doubt(f"Most of this image is {polarity}, as ground is.", sentence),)


def _median(source: Source, normalization: Normalization, channels: tuple[int, ...]) -> float:
    """Return the median of a sample of the layer, 0 to 1 in its range."""
    spec, values = source.spec, []
    for box in sample_chunks(spec, source.chunks, _CHUNKS, whole="c"):
        pixels = source.read(shrink_box(spec, box, _CHUNK_BYTES, whole="c"))
        planes = np.moveaxis(pixels, spec.axes.index("c"), 0)[list(channels)] if "c" in spec.axes else pixels[None]
        flat = planes.reshape(len(planes), -1, 1)
        values.append(normalization.to_model(flat, channels).mean(axis=0).ravel())
    return float(np.median(np.concatenate(values)))
