"""Pictures of a result beside its source, for a page without a viewer."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_s1omni.core.tiling import Span
from napari_s1omni.results import figure
from napari_s1omni.results.result import Result
from napari_s1omni.storage.source import Source

TILE_EDGE = 224
"""Pixels of the longer side of the picture of a tile."""
OVERVIEW_EDGE = 500
"""Pixels of the longer side of the overview."""
_MAX_READ = 2**23
"""Pixels of a plane that are read at most for the overview."""


def tile_pictures(result: Result, image: Source | None, spans: Mapping[str, Span], group: int) -> list[Image.Image]:
    """Draw a tile: source, if there is one, and result.

    Parameters
    ----------
    result : Result
    image : Source, optional
    spans : mapping of axis to span
        ``t``, ``z``, ``y`` and ``x`` in pixels of the source.
    group : int
        Channel group.
    """
    source = None if image is None else _draw_source(result, image, spans, group, TILE_EDGE)
    made = _draw_result(result, 0, spans, group, source, TILE_EDGE)
    return [made] if source is None else [source, made]


def overview(result: Result, image: Source | None, *, filled: bool = False) -> list[Image.Image]:
    """Draw the middle plane of a result, and of its source where a coarse level of it can be read quickly.

    Parameters
    ----------
    result : Result
    image : Source, optional
    filled : bool
        Fill labels with their colours, for a small picture; else draw their outlines.

    Returns
    -------
    list of Image
        Source and result, or the result alone.
    """
    grid = result.plan.grid
    z, t = (grid.z[0] + grid.z[1]) // 2, grid.t[0]
    spans = {"t": (t, t + 1), "z": (z, z + 1), "y": grid.y, "x": grid.x}
    source = None
    if image is not None:
        levels = [image, *image.levels()]
        level = next((one for one in levels if _pixels_in(one, image, grid.y, grid.x) <= _MAX_READ), None)
        if level is not None:
            source = _draw_source(result, level, _spans_at(level, image, spans), 0, OVERVIEW_EDGE)
    coarse = next(
        (i for i, a in enumerate(result.levels) if max(a.shape[-2:]) <= 2 * OVERVIEW_EDGE), len(result.levels) - 1
    )
    made = _draw_result(result, coarse, spans, 0, source, OVERVIEW_EDGE, filled=filled)
    return [made] if source is None else [source, made]


def data_url(picture: Image.Image) -> str:
    """Encode a picture as a data URL: PNG, or JPEG where that is less than half the size."""
    exact, small = io.BytesIO(), io.BytesIO()
    # The smallest PNG would be a tenth smaller, and take ten times as long.
    picture.save(exact, "PNG")
    # Outlines are one pixel wide: keep the full resolution of colours.
    picture.save(small, "JPEG", quality=82, subsampling=0)
    kind, data = ("jpeg", small) if 2 * len(small.getvalue()) < len(exact.getvalue()) else ("png", exact)
    return f"data:image/{kind};base64,{base64.b64encode(data.getvalue()).decode()}"


def _pixels_in(level: Source, image: Source, y: Span, x: Span) -> float:
    share = (y[1] - y[0]) * (x[1] - x[0]) / (image.spec.size("y") * image.spec.size("x"))
    return share * level.spec.size("y") * level.spec.size("x")


def _spans_at(level: Source, image: Source, spans: Mapping[str, Span]) -> dict[str, Span]:
    """Convert spans from pixels of the finest level to those of `level`."""
    found = dict(spans)
    for axis in "zyx":
        by = level.spec.size(axis) / image.spec.size(axis)
        start = min(int(spans[axis][0] * by), level.spec.size(axis) - 1)
        found[axis] = start, max(start + 1, min(round(spans[axis][1] * by), level.spec.size(axis)))
    return found


def _draw_source(result: Result, image: Source, spans: Mapping[str, Span], group: int, edge: int) -> Image.Image:
    channels = result.plan.groups[group]
    whole = {**spans, "c": (min(channels), max(channels) + 1)}
    pixels = image.read(tuple(slice(*whole[a]) for a in image.spec.axes))
    pixels = pixels.reshape(-1, *pixels.shape[-2:])[[c - min(channels) for c in channels]]
    shown = result.plan.job.operation.to_model(pixels, result.plan.normalization, channels)
    return _picture(np.moveaxis(shown, 0, -1), edge)


def _draw_result(
    result: Result,
    level: int,
    spans: Mapping[str, Span],
    group: int,
    source: Image.Image | None,
    edge: int,
    *,
    filled: bool = False,
) -> Image.Image:
    plan, grid = result.plan, result.plan.grid
    array, finest = result.checked_level(level), result.levels[0]
    sizes = dict(zip(result.spec.axes, array.shape, strict=True))
    by = {a: (n / m) for a, n, m in zip(result.spec.axes, array.shape, finest.shape, strict=True)}
    zoom = {"y": grid.factor[0], "x": grid.factor[1]}
    start = {"t": grid.t[0], "z": grid.z[0], "y": grid.y[0], "x": grid.x[0]}
    box: dict[str, Span] = {}
    for axis, (first, last) in spans.items():
        k = zoom.get(axis, 1) * by.get(axis, 1.0)
        low = min(int(max(0, first - start[axis]) * k), sizes.get(axis, 1) - 1)
        box[axis] = low, max(low + 1, min(round((last - start[axis]) * k), sizes.get(axis, 1)))
    per = result.spec.size("c") // grid.groups
    box["c"] = (group * per, (group + 1) * per)
    pixels = np.asarray(array[tuple(slice(*box[a]) for a in result.spec.axes)])
    pixels = pixels.reshape(-1, *pixels.shape[-2:])
    if result.spec.kind == "labels":
        labels = _nearest(pixels[0], source.size if source is not None else _size(pixels.shape[-2:], edge))
        back = source or Image.new("RGB", (labels.shape[1], labels.shape[0]))
        if filled:
            return figure.fill_labels(back, labels)
        return figure.draw_contours(back, labels, thickness=1 if edge == OVERVIEW_EDGE else 2)
    values = pixels.astype(np.float64)
    known = values[np.isfinite(values)]
    low_, high = np.percentile(known, (0.5, 99.5)) if known.size else (0.0, 1.0)
    shown = (values - low_) / max(high - low_, 1e-9)
    if plan.target.rgb and plan.target.dtype == "uint8":
        shown = values / 255
    return _picture(np.moveaxis(shown if len(shown) == 3 else np.repeat(shown[:1], 3, axis=0), 0, -1), edge)


def _picture(values: NDArray[Any], edge: int) -> Image.Image:
    """Return (H, W, 3) in 0 to 1 as a picture whose longer side is `edge` pixels."""
    picture = Image.fromarray((np.clip(np.nan_to_num(values), 0, 1) * 255).astype(np.uint8))
    return picture.resize(_size(values.shape[:2], edge), Image.Resampling.BICUBIC)


def _size(shape: tuple[int, ...], edge: int) -> tuple[int, int]:
    by = edge / max(shape)
    return max(1, round(shape[1] * by)), max(1, round(shape[0] * by))


def _nearest(labels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    rows = np.arange(size[1]) * labels.shape[0] // size[1]
    cols = np.arange(size[0]) * labels.shape[1] // size[0]
    found: NDArray[Any] = labels[np.ix_(rows, cols)]
    return found
