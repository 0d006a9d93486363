"""Small pictures of images that were not opened yet, from the coarsest level of a pyramid that is sharp enough."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_s1omni.storage.source import Source, open_source

EDGE = 128
"""Pixels of the longer side of a picture."""
_MOST_READ = 2**21
"""Pixels of a plane that are read at most; of a larger plane without a pyramid, its middle is shown."""
_MOST_CHANNELS = 4
"""Channels that are shown in their colours; of more, such as wavelengths, the brightest of each pixel is shown."""
_COLORS = ((0, 255, 0), (255, 0, 255), (0, 255, 255), (255, 255, 0))


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
    """Return (y, x, 3): colours of a picture as they are, channels between their percentiles, one channel in grey."""
    if source.spec.rgb:
        top = 255.0 if source.spec.dtype == "uint8" else max(float(np.nan_to_num(planes).max()), 1e-9)
        shown = np.clip(np.moveaxis(np.nan_to_num(planes), 0, -1) / top, 0, 1) * 255
        return np.asarray(shown, np.uint8)
    if len(planes) > _MOST_CHANNELS:
        planes = planes.max(axis=0, keepdims=True)
    known = source.acquisition.channels
    drawn = np.zeros((*planes.shape[1:], 3), np.float32)
    for number, plane in enumerate(planes):
        values = plane[np.isfinite(plane)]
        low, high = np.percentile(values, (0.5, 99.5)) if values.size else (0.0, 1.0)
        shown = np.clip(np.nan_to_num(plane - low) / max(float(high - low), 1e-9), 0, 1)
        given = known[number].color if len(known) == len(planes) else ""
        rgb = bytes.fromhex(given) if len(given) == 6 else _COLORS[number % len(_COLORS)]
        drawn += shown[..., np.newaxis] * np.array((255, 255, 255) if len(planes) == 1 else tuple(rgb), np.float32)
    return np.clip(drawn, 0, 255).astype(np.uint8)
