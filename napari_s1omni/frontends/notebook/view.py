"""The part of an image that a panel shows, and how it becomes a picture.

Positions are in pixels of the source at full resolution.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_s1omni.core.tiling import Span

WIDTH, HEIGHT = 640, 480
"""Largest size of a view in pixels of the screen; two incompressible colour pictures of this size are below 2 MB."""


@dataclass(frozen=True, slots=True)
class View:
    """The visible part of an image."""

    y: float
    """Row in the middle, in pixels of the source."""
    x: float
    """Column in the middle, in pixels of the source."""
    zoom: float
    """Pixels of the screen per pixel of the source."""
    width: int = WIDTH
    """Width in pixels of the screen."""
    height: int = HEIGHT
    """Height in pixels of the screen."""
    t: int = 0
    c: int = 0
    z: int = 0
    low: float | None = None
    """Intensity shown as black; None chooses it from the visible pixels."""
    high: float | None = None
    """Intensity shown as white; None chooses it from the visible pixels."""

    @classmethod
    def read(cls, message: Mapping[str, Any]) -> View:
        """Read a view from a message; invalid values become the nearest valid ones."""
        zoom = float(message.get("zoom") or 0)
        low, high = message.get("low"), message.get("high")
        return cls(
            y=float(message.get("y") or 0),
            x=float(message.get("x") or 0),
            zoom=zoom if math.isfinite(zoom) and zoom > 0 else 1e-9,
            width=max(16, min(WIDTH, int(message.get("width") or WIDTH))),
            height=max(16, min(HEIGHT, int(message.get("height") or HEIGHT))),
            t=int(message.get("t") or 0),
            c=int(message.get("c") or 0),
            z=int(message.get("z") or 0),
            low=None if low is None else float(low),
            high=None if high is None else float(high),
        )

    def spans(self, height: int, width: int) -> tuple[Span, Span]:
        """Return the visible rows and columns of an image of this size, at least one each."""
        spans: list[Span] = []
        for middle, screen, size in ((self.y, self.height, height), (self.x, self.width, width)):
            half = screen / self.zoom / 2
            start = max(0, min(math.floor(middle - half), size - 1))
            spans.append((start, max(start + 1, min(math.ceil(middle + half), size))))
        return spans[0], spans[1]

    def picture_size(self, pixels: NDArray[Any]) -> tuple[int, int]:
        """Return (width, height) of the picture of an array (H, W, ...): that of the screen at most."""
        return min(pixels.shape[1], self.width), min(pixels.shape[0], self.height)


@dataclass(frozen=True, slots=True)
class RenderedView:
    """A picture of a part of the source."""

    png: bytes
    y: Span
    """Rows of the source in the picture."""
    x: Span
    """Columns of the source in the picture."""
    low: float
    """Intensity of black."""
    high: float
    """Intensity of white."""


def contrast_limits(pixels: NDArray[Any], view: View, rgb: bool) -> tuple[float, float]:
    """Return the limits of a view; if it has none, the 0.5 and 99.5 percentiles of its pixels."""
    if view.low is not None and view.high is not None:
        return view.low, max(view.high, view.low + 1e-9)
    if rgb and pixels.dtype == np.uint8:
        return 0.0, 255.0
    values = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
    low, high = np.percentile(values, (0.5, 99.5)) if values.size else (0.0, 1.0)
    return float(low), float(high if high > low else low + 1)


def draw_intensities(pixels: NDArray[Any], low: float, high: float, view: View) -> bytes:
    """Draw (H, W, 1 or 3) between two intensities as PNG, at the size of the screen at most."""
    scaled = np.nan_to_num((pixels.astype(np.float32) - low) / (high - low)) * 255
    values = np.clip(scaled, 0, 255).astype(np.uint8)
    image = Image.fromarray(values if values.shape[-1] == 3 else values[..., 0])
    size = view.picture_size(pixels)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BOX)
    return encode_png(image)


def encode_png(image: Image.Image) -> bytes:
    """Return an image as PNG."""
    data = io.BytesIO()
    image.save(data, "PNG", compress_level=4)
    return data.getvalue()
