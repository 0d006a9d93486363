"""Slices: what is visible of an image and of what was made from it, as small PNG pictures.

Positions are px of the source's full resolution. Nothing beyond the view is
read, and from the coarsest level of the pyramid that shows it sharply. An
image without a pyramid is shown only as far out as can be read in a moment.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_s1omni.core.tiling import Span
from napari_s1omni.frontends.napari_layers.result_layers import appearance
from napari_s1omni.planning.plan import Plan
from napari_s1omni.results.figure import colour_of
from napari_s1omni.storage.source import Source

WIDTH, HEIGHT = 640, 480
"""Px of a view at most; two incompressible colour pictures of this size are below 2 MB."""
_READ = 2**20
"""Px that are read at most for one view."""
_FILL = 70
"""Opacity of the inside of an object, of 255."""


@dataclass(frozen=True, slots=True)
class View:
    """What somebody looks at."""

    y: float
    """Row in the middle, in px of the source."""
    x: float
    zoom: float
    """Px of the screen per px of the source."""
    width: int = WIDTH
    """Px of the screen."""
    height: int = HEIGHT
    t: int = 0
    c: int = 0
    z: int = 0
    low: float | None = None
    """Intensity that is shown black; None chooses it from what is seen."""
    high: float | None = None

    @classmethod
    def read(cls, message: Mapping[str, Any]) -> View:
        """Take a view from a message; nonsense becomes what is nearest to it."""
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


@dataclass(frozen=True, slots=True)
class RenderedView:
    """A picture of a part of the source."""

    png: bytes
    y: Span
    """Rows of the source that it shows."""
    x: Span
    low: float
    high: float
    """Intensities that are black and white."""


class SourceSlices:
    """Views of the image itself.

    Parameters
    ----------
    source : Source
    """

    def __init__(self, source: Source) -> None:
        self.spec = source.spec
        self._levels = [source, *source.levels()]

    def start(self) -> View:
        """Return a view of the middle: all of it, or as much as can be shown at once."""
        spec = self.spec
        height, width = spec.size("y"), spec.size("x")
        view = View(height / 2, width / 2, min(WIDTH / width, HEIGHT / height), z=spec.size("z") // 2)
        return self.reachable(view)

    def reachable(self, view: View) -> View:
        """Bring a view to where it can be shown: inside of the image, and not from too far away."""
        height, width = self.spec.size("y"), self.spec.size("x")
        factors = self._factors(len(self._levels) - 1)
        widest = math.sqrt(_READ * factors[0] * factors[1] / (view.width * view.height)) if factors else 1.0
        zoom = min(64.0, max(view.zoom, min(view.width / width, view.height / height), 1 / max(1.0, widest)))
        return View(
            **{
                **{name: getattr(view, name) for name in View.__slots__},
                "zoom": zoom,
                "y": min(max(view.y, 0), height),
                "x": min(max(view.x, 0), width),
                **{a: max(0, min(getattr(view, a), self.spec.size(a) - 1)) for a in "tcz"},
            }
        )

    def see(self, view: View) -> RenderedView:
        """Read and draw what a view shows, which must be reachable."""
        level = self._level(view.zoom)
        fy, fx = self._factors(level)
        source = self._levels[level]
        y, x = spans_of(view, self.spec.size("y"), self.spec.size("x"))
        box = {
            "t": (view.t, view.t + 1),
            "z": (view.z, view.z + 1),
            "c": (0, 3) if self.spec.rgb else (view.c, view.c + 1),
            "y": _scaled(y, fy, source.spec.size("y")),
            "x": _scaled(x, fx, source.spec.size("x")),
        }
        pixels = source.read(tuple(slice(*box[a]) for a in source.spec.axes))
        pixels = np.moveaxis(pixels.reshape(-1, *pixels.shape[-2:]), 0, -1)
        low, high = contrast(pixels, view, self.spec.rgb)
        rows, cols = ((round(box[a][0] * f), round(box[a][1] * f)) for a, f in (("y", fy), ("x", fx)))
        return RenderedView(picture(pixels, low, high, view), rows, cols, low, high)

    def _level(self, zoom: float) -> int:
        fits = [i for i in range(len(self._levels)) if max(self._factors(i)) <= 1.01 / zoom]
        return max(fits, default=0)

    def _factors(self, level: int) -> tuple[float, float]:
        coarse = self._levels[level].spec
        return self.spec.size("y") / coarse.size("y"), self.spec.size("x") / coarse.size("x")


@dataclass(frozen=True, slots=True)
class ResultSlices:
    """What a run or a preview made, for looking at."""

    plan: Plan
    levels: Sequence[Any]
    """Arrays in the axes of the target, finest first; what is not there yet is 0."""

    def see(self, view: View) -> RenderedView | None:
        """Read and draw what a view shows; None where it shows nothing of it."""
        grid, target = self.plan.grid, self.plan.target
        if not (grid.t[0] <= view.t < grid.t[1] and grid.z[0] <= view.z < grid.z[1]):
            return None
        spans = spans_of(view, *grid.extent)
        wanted = [(max(s, g[0]), min(e, g[1])) for (s, e), g in zip(spans, (grid.y, grid.x), strict=True)]
        if any(e <= s for s, e in wanted):
            return None
        sizes = [dict(zip(target.axes, array.shape, strict=True)) for array in self.levels]
        px = [(size["y"] / (grid.y[1] - grid.y[0]), size["x"] / (grid.x[1] - grid.x[0])) for size in sizes]
        enough = [i for i, p in enumerate(px) if min(p) >= 0.99 * min(view.zoom, max(px[0]))]
        level = max(enough, default=0)
        by, size = px[level], sizes[level]
        box: dict[str, Span] = {
            "t": (view.t - grid.t[0], view.t - grid.t[0] + 1),
            "z": (view.z - grid.z[0], view.z - grid.z[0] + 1),
            "c": self._channel(view.c),
        }
        shown: list[Span] = []
        for axis, span, first, factor in zip("yx", wanted, (grid.y[0], grid.x[0]), by, strict=True):
            box[axis] = _scaled((span[0] - first, span[1] - first), 1 / factor, size[axis])
            shown.append((first + round(box[axis][0] / factor), first + round(box[axis][1] / factor)))
        pixels = np.asarray(self.levels[level][tuple(slice(*box[a]) for a in target.axes)])
        pixels = np.moveaxis(pixels.reshape(-1, *pixels.shape[-2:]), 0, -1)
        if target.kind == "labels":
            return RenderedView(_overlay(pixels[..., 0], _size(pixels, view)), shown[0], shown[1], 0, 0)
        low, high = self._limits(view)
        return RenderedView(picture(pixels, low, high, view), shown[0], shown[1], low, high)

    def _channel(self, channel: int) -> Span:
        target = self.plan.target
        if target.rgb or "c" not in target.axes:
            return 0, 3
        flat = [c for group in self.plan.groups for c in group]
        at = flat.index(channel) if channel in flat and len(flat) == target.size("c") else 0
        return at, at + 1

    def _limits(self, view: View) -> tuple[float, float]:
        if self.plan.job.operation.type == "super_resolution" and view.low is not None and view.high is not None:
            return view.low, view.high
        low, high = appearance(self.plan)["contrast_limits"]
        return float(low), float(high)


def spans_of(view: View, height: int, width: int) -> tuple[Span, Span]:
    """Rows and columns of an image that a view shows, at least one each."""
    spans: list[Span] = []
    for middle, screen, size in ((view.y, view.height, height), (view.x, view.width, width)):
        half = screen / view.zoom / 2
        start = max(0, min(math.floor(middle - half), size - 1))
        spans.append((start, max(start + 1, min(math.ceil(middle + half), size))))
    return spans[0], spans[1]


def contrast(pixels: NDArray[Any], view: View, rgb: bool) -> tuple[float, float]:
    """Limits of a view, or those that leave half a percent of its px below and above."""
    if view.low is not None and view.high is not None:
        return view.low, max(view.high, view.low + 1e-9)
    if rgb and pixels.dtype == np.uint8:
        return 0.0, 255.0
    values = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
    low, high = np.percentile(values, (0.5, 99.5)) if values.size else (0.0, 1.0)
    return float(low), float(high if high > low else low + 1)


def picture(pixels: NDArray[Any], low: float, high: float, view: View) -> bytes:
    """Encode (H, W, 1 or 3) between two intensities, at the size of the screen at most."""
    shown = np.nan_to_num((pixels.astype(np.float32) - low) / (high - low)) * 255
    image = np.clip(shown, 0, 255).astype(np.uint8)
    found = Image.fromarray(image if image.shape[-1] == 3 else image[..., 0])
    size = _size(pixels, view)
    if size != found.size:
        found = found.resize(size, Image.Resampling.BOX)
    return encode(found)


def encode(image: Image.Image) -> bytes:
    """Return a picture as PNG."""
    data = io.BytesIO()
    image.save(data, "PNG", compress_level=4)
    return data.getvalue()


def _overlay(labels: NDArray[Any], size: tuple[int, int]) -> bytes:
    """Draw objects in colours, their outlines full and their insides translucent."""
    rows = (np.arange(size[1]) + 0.5) * labels.shape[0] / size[1]
    cols = (np.arange(size[0]) + 0.5) * labels.shape[1] / size[0]
    small = labels[np.ix_(rows.astype(int), cols.astype(int))]
    edge = np.zeros(small.shape, bool)
    for axis in (0, 1):
        differs = np.diff(small, axis=axis) != 0
        edge |= np.insert(differs, 0, False, axis) | np.insert(differs, differs.shape[axis], False, axis)
    alpha = np.where(small > 0, np.where(edge, 255, _FILL), 0).astype(np.uint8)
    return encode(Image.fromarray(np.dstack([colour_of(small), alpha])))


def _size(pixels: NDArray[Any], view: View) -> tuple[int, int]:
    return min(pixels.shape[1], view.width), min(pixels.shape[0], view.height)


def _scaled(span: Span, factor: float, size: int) -> Span:
    start = max(0, min(math.floor(span[0] / factor), size - 1))
    return start, max(start + 1, min(math.ceil(span[1] / factor), size))
