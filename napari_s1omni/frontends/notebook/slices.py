"""The visible part of an image, and of its result, as small PNG pictures.

Nothing outside of the view is read. The level of the pyramid is the coarsest
one that is sharp on the screen. An image without a pyramid can be zoomed out
only so far that its pixels are read quickly.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_s1omni.core.tiling import Span
from napari_s1omni.frontends.napari_layers.result_layers import appearance
from napari_s1omni.frontends.notebook.view import (
    HEIGHT,
    WIDTH,
    RenderedView,
    View,
    contrast_limits,
    draw_intensities,
    encode_png,
)
from napari_s1omni.planning.plan import Plan
from napari_s1omni.results.figure import label_colours
from napari_s1omni.storage.source import Source

_MAX_READ = 2**20
"""Pixels that are read at most for one view."""
_FILL = 70
"""Opacity of the inside of an object, of 255."""


class SourceSlices:
    """Pictures of an image.

    Parameters
    ----------
    source : Source
    """

    def __init__(self, source: Source) -> None:
        self.spec = source.spec
        self._levels = [source, *source.levels()]

    def initial_view(self) -> View:
        """Return a view of the middle that shows the whole image, or as much as possible."""
        spec = self.spec
        height, width = spec.size("y"), spec.size("x")
        view = View(height / 2, width / 2, min(WIDTH / width, HEIGHT / height), z=spec.size("z") // 2)
        return self.clamp(view)

    def clamp(self, view: View) -> View:
        """Return the nearest view inside of the image, and not zoomed out too far."""
        height, width = self.spec.size("y"), self.spec.size("x")
        factors = self._factors(len(self._levels) - 1)
        widest = math.sqrt(_MAX_READ * factors[0] * factors[1] / (view.width * view.height))
        zoom = min(64.0, max(view.zoom, min(view.width / width, view.height / height), 1 / max(1.0, widest)))
        indices = {a: max(0, min(getattr(view, a), self.spec.size(a) - 1)) for a in "tcz"}
        return dataclasses.replace(
            view, zoom=zoom, y=min(max(view.y, 0), height), x=min(max(view.x, 0), width), **indices
        )

    def render(self, view: View) -> RenderedView:
        """Read and draw a view that was clamped."""
        level = self._level(view.zoom)
        fy, fx = self._factors(level)
        source = self._levels[level]
        y, x = view.spans(self.spec.size("y"), self.spec.size("x"))
        box = {
            "t": (view.t, view.t + 1),
            "z": (view.z, view.z + 1),
            "c": (0, 3) if self.spec.rgb else (view.c, view.c + 1),
            "y": _divide_span(y, fy, source.spec.size("y")),
            "x": _divide_span(x, fx, source.spec.size("x")),
        }
        pixels = source.read(tuple(slice(*box[a]) for a in source.spec.axes))
        pixels = np.moveaxis(pixels.reshape(-1, *pixels.shape[-2:]), 0, -1)
        low, high = contrast_limits(pixels, view, self.spec.rgb)
        rows, cols = ((round(box[a][0] * f), round(box[a][1] * f)) for a, f in (("y", fy), ("x", fx)))
        return RenderedView(draw_intensities(pixels, low, high, view), rows, cols, low, high)

    def _level(self, zoom: float) -> int:
        sharp = [i for i in range(len(self._levels)) if max(self._factors(i)) <= 1.01 / zoom]
        return max(sharp, default=0)

    def _factors(self, level: int) -> tuple[float, float]:
        coarse = self._levels[level].spec
        return self.spec.size("y") / coarse.size("y"), self.spec.size("x") / coarse.size("x")


@dataclass(frozen=True, slots=True)
class ResultSlices:
    """Pictures of the result of a run or a preview."""

    plan: Plan
    levels: Sequence[Any]
    """Arrays in the axes of the target, full resolution first; unfinished pixels are 0."""

    def render(self, view: View) -> RenderedView | None:
        """Read and draw a view; None if the region of the plan is not visible in it."""
        grid, target = self.plan.grid, self.plan.target
        if not (grid.t[0] <= view.t < grid.t[1] and grid.z[0] <= view.z < grid.z[1]):
            return None
        spans = view.spans(*grid.extent)
        visible = [(max(s, g[0]), min(e, g[1])) for (s, e), g in zip(spans, (grid.y, grid.x), strict=True)]
        if any(e <= s for s, e in visible):
            return None
        sizes = [dict(zip(target.axes, array.shape, strict=True)) for array in self.levels]
        scales = [(size["y"] / (grid.y[1] - grid.y[0]), size["x"] / (grid.x[1] - grid.x[0])) for size in sizes]
        sharp = [i for i, scale in enumerate(scales) if min(scale) >= 0.99 * min(view.zoom, max(scales[0]))]
        level = max(sharp, default=0)
        box: dict[str, Span] = {
            "t": (view.t - grid.t[0], view.t - grid.t[0] + 1),
            "z": (view.z - grid.z[0], view.z - grid.z[0] + 1),
            "c": self._channels(view.c),
        }
        drawn: list[Span] = []
        for axis, span, first, scale in zip("yx", visible, (grid.y[0], grid.x[0]), scales[level], strict=True):
            box[axis] = _divide_span((span[0] - first, span[1] - first), 1 / scale, sizes[level][axis])
            drawn.append((first + round(box[axis][0] / scale), first + round(box[axis][1] / scale)))
        pixels = np.asarray(self.levels[level][tuple(slice(*box[a]) for a in target.axes)])
        pixels = np.moveaxis(pixels.reshape(-1, *pixels.shape[-2:]), 0, -1)
        if target.kind == "labels":
            return RenderedView(_draw_labels(pixels[..., 0], view.picture_size(pixels)), drawn[0], drawn[1], 0, 0)
        low, high = self._limits(view)
        return RenderedView(draw_intensities(pixels, low, high, view), drawn[0], drawn[1], low, high)

    def _channels(self, channel: int) -> Span:
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


def _draw_labels(labels: NDArray[Any], size: tuple[int, int]) -> bytes:
    """Draw objects in colours: opaque outlines, translucent insides."""
    rows = (np.arange(size[1]) + 0.5) * labels.shape[0] / size[1]
    cols = (np.arange(size[0]) + 0.5) * labels.shape[1] / size[0]
    small = labels[np.ix_(rows.astype(int), cols.astype(int))]
    edge = np.zeros(small.shape, bool)
    for axis in (0, 1):
        differs = np.diff(small, axis=axis) != 0
        edge |= np.insert(differs, 0, False, axis) | np.insert(differs, differs.shape[axis], False, axis)
    alpha = np.where(small > 0, np.where(edge, 255, _FILL), 0).astype(np.uint8)
    return encode_png(Image.fromarray(np.dstack([label_colours(small), alpha])))


def _divide_span(span: Span, factor: float, size: int) -> Span:
    """Return a span in pixels that are `factor` times as large, at least one pixel and within `size`."""
    start = max(0, min(math.floor(span[0] / factor), size - 1))
    return start, max(start + 1, min(math.ceil(span[1] / factor), size))
