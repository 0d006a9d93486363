"""Small pictures of images that were not opened yet, from the coarsest level of a pyramid that is sharp enough."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_s1omni.results.display_colors import (
    MOST_CHANNELS,
    color_channels,
    color_picture,
    display_window,
    picture_top,
)
from napari_s1omni.storage.source import Source, open_source

EDGE = 128
"""Pixels of the longer side of a picture."""
_MOST_READ = 2**21
"""Pixels of a plane that are read at most; of a larger plane without a pyramid, its middle is shown."""


def thumbnail(reference: str, edge: int = EDGE) -> Image.Image:
    """Draw the middle plane of an image.

    Parameters
    ----------
    reference : str
        As ``FILE::NAME``.
    edge : int
        Pixels of the longer side.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    source = open_source(reference)
    levels = [source, *source.levels()]
    sharp = [one for one in levels if max(one.spec.size("y"), one.spec.size("x")) >= edge]
    chosen = sharp[-1] if sharp else source
    planes = _plane(chosen)
    picture = Image.fromarray(_colours(source, planes))
    by = edge / max(picture.size)
    size = (max(1, round(picture.width * by)), max(1, round(picture.height * by)))
    return picture.resize(size, Image.Resampling.BOX if by < 1 else Image.Resampling.NEAREST)


def _plane(source: Source) -> NDArray[np.float32]:
    """Read the middle plane of the first time point: float32 (c, y, x)."""
    spec = source.spec
    sizes = {a: spec.size(a) for a in "yx"}
    shrink = min(1.0, math.sqrt(_MOST_READ / (sizes["y"] * sizes["x"])))
    box = {}
    for axis in spec.axes:
        n = spec.size(axis)
        if axis == "c":
            box[axis] = slice(0, n)
        elif axis in "yx":
            kept = max(1, int(n * shrink))
            box[axis] = slice((n - kept) // 2, (n - kept) // 2 + kept)
        else:
            box[axis] = slice(n // 2, n // 2 + 1) if axis == "z" else slice(0, 1)
    pixels = source.read(tuple(box[a] for a in spec.axes))
    return pixels.reshape(-1, *pixels.shape[-2:]).astype(np.float32)


def _colours(source: Source, planes: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return (y, x, 3), each channel between its own percentiles."""
    if source.spec.rgb:
        return color_picture(planes, picture_top(source.spec.dtype, planes))
    if len(planes) > MOST_CHANNELS:
        planes = planes.max(axis=0, keepdims=True)
    return color_channels(planes, [display_window(plane) for plane in planes], source.acquisition.channels)
