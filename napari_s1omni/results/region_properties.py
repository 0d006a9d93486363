"""Measuring objects: region properties streamed over blocks, in physical units.

Every block contributes sums (counts, coordinates, squares, intensities) for
the labels in it. Sums of one label in several blocks add up to those of the
whole object, so no block ever sees more than itself and a rim of 2 px. Labels
that lie inside one block are reported at once; only labels that touch a block
face are held until the end. Names and definitions are those of
``skimage.measure.regionprops``.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import JobError, PlanError
from napari_s1omni.storage.source import Source

Columns = dict[str, NDArray[Any]]
"""A table: one array per column, all of one length."""

_RIM = 2
"""Px around a block that the perimeter needs."""
_PERIMETER = np.zeros(50)
_PERIMETER[[5, 7, 15, 17, 25, 27]] = 1
_PERIMETER[[21, 33]] = math.sqrt(2)
_PERIMETER[[13, 23]] = (1 + math.sqrt(2)) / 2
"""Length that a border px adds, by the pattern of border px around it (Benkrid and Crookes, 2000)."""
_NEIGHBOURS = [(-1, -1, 10), (-1, 0, 2), (-1, 1, 10), (0, -1, 2), (0, 1, 2), (1, -1, 10), (1, 0, 2), (1, 1, 10)]


@dataclass(frozen=True, slots=True)
class Layers:
    """What is measured: labels, and the intensities under them."""

    labels: Any
    """Array-like of integers in the axes of `spec`, 0 is background."""
    spec: LayerSpec
    """Of the labels."""
    block: tuple[int, ...]
    """Size of the pieces to read, in px of the labels, along its axes."""
    image: Source | None = None
    """The source layer, or None to measure shapes only."""
    offset: Mapping[str, int] | None = None
    """First px of the labels within the source, per axis; None is 0."""
    channels: Sequence[int] = ()
    """Channels of `image` to measure."""


def measure_blocks(layers: Layers, check: Callable[[], None] = lambda: None) -> Iterator[Columns]:
    """Yield tables whose rows together are all objects, each once.

    Parameters
    ----------
    layers : Layers
    check : callable
        Called between blocks; may raise to stop.

    Yields
    ------
    dict of column to array
        ``label``, ``t``, ``num_pixels``, ``area`` (volume in 3D), ``centroid_*``, ``bbox_*``, shape and
        intensity columns; lengths in the unit of the layer's scale.
    """
    spec = layers.spec
    if spec.kind != "labels":
        raise PlanError("the layer is an image", "measuring needs labels", "segment it first")
    space = [a for a in spec.axes if a in "zyx"]
    held: list[Columns] = []
    counts = [-(-n // b) for n, b in zip(spec.shape, layers.block, strict=True)]
    for index in product(*map(range, counts)):
        check()
        start = [i * b for i, b in zip(index, layers.block, strict=True)]
        stop = [min(s + b, n) for s, b, n in zip(start, layers.block, spec.shape, strict=True)]
        # A layer without objects has a table all the same, with columns and no row.
        last = all(i == n - 1 for i, n in zip(index, counts, strict=True)) and not held
        found = _sums(layers, dict(zip(spec.axes, zip(start, stop, strict=True), strict=True)), space, empty=last)
        if found is not None:
            sums, inside = found
            yield _properties(_rows(sums, inside), spec, space)
            held.append(_rows(sums, ~inside))
    if held:
        yield _properties(_merged({k: np.concatenate([h[k] for h in held]) for k in held[0]}), spec, space)


def join(parts: Iterable[Columns]) -> Columns:
    """Join tables of one kind into one, sorted by label."""
    found = list(parts)
    if not found:
        return {"label": np.zeros(0, np.int64)}
    whole = {name: np.concatenate([p[name] for p in found]) for name in found[0]}
    order = np.argsort(whole["label"], kind="stable")
    return {name: values[order] for name, values in whole.items()}


def table(layers: Layers, check: Callable[[], None] = lambda: None) -> Columns:
    """Measure all objects into one table, sorted by label."""
    return join(measure_blocks(layers, check))


def write_table(columns: Columns, path: Path) -> None:
    """Write one table; see :func:`write_tables`."""
    write_tables((columns,), path)


def write_tables(parts: Iterable[Columns], path: Path) -> int:
    """Write tables one after the other into one file, CSV or Parquet by the ending of its name; return the rows.

    Parameters
    ----------
    parts : iterable of Columns
        All with the same columns; only one is held at a time.
    path : Path

    Raises
    ------
    JobError
        For another ending, or Parquet without the extra ``tables``.
    """
    match path.suffix.lower():
        case ".csv":
            return _write_csv(parts, path)
        case ".parquet":
            return _write_parquet(parts, path)
        case other:
            raise JobError(f"a table called '*{other}'", "'.csv' or '.parquet'", "choose one of these endings")


def _write_csv(parts: Iterable[Columns], path: Path) -> int:
    rows = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for number, columns in enumerate(parts):
            if not number:
                writer.writerow(columns)
            writer.writerows(zip(*(values.tolist() for values in columns.values()), strict=True))
            rows += len(columns["label"])
    return rows


def _write_parquet(parts: Iterable[Columns], path: Path) -> int:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise JobError(
            "Parquet needs the extra 'tables'", remedy="install it with: pip install 'napari_s1omni[tables]'"
        ) from None
    rows, writer = 0, None
    try:
        for columns in parts:
            piece = pyarrow.table(columns)
            writer = writer or parquet.ParquetWriter(path, piece.schema)
            writer.write_table(piece)
            rows += piece.num_rows
    finally:
        if writer is not None:
            writer.close()
    return rows


def _sums(
    layers: Layers, box: dict[str, tuple[int, int]], space: list[str], empty: bool = False
) -> tuple[Columns, NDArray[np.bool_]] | None:
    """Sums per label over one block, and which labels lie inside of it; None for an empty block, unless asked for."""
    spec = layers.spec
    rim = {a: (max(0, box[a][0] - _RIM), min(spec.size(a), box[a][1] + _RIM)) if a in "yx" else box[a] for a in box}
    wide = np.asarray(layers.labels[tuple(slice(*rim[a]) for a in spec.axes)])
    wide = wide.reshape([rim[a][1] - rim[a][0] if a in rim else 1 for a in "zyx"])
    inner = tuple(slice(box[a][0] - rim[a][0], box[a][1] - rim[a][0]) if a in box else slice(None) for a in "zyx")
    labels = wide[inner]
    at = np.flatnonzero(labels)
    if not len(at) and not empty:
        return None
    ids, index = _compact(labels.ravel()[at])
    n = len(ids)

    def total(weights: NDArray[Any] | None = None) -> NDArray[Any]:
        return np.bincount(index, weights, n)

    places = dict(zip("zyx", np.unravel_index(at, labels.shape), strict=True))
    sums: Columns = {"label": ids.astype(np.int64), "num_pixels": total().astype(np.int64)}
    sums["t"] = np.full(n, box["t"][0] if "t" in box else 0)
    inside = np.ones(n, bool)
    border = np.zeros(n, bool)
    whole: Columns = {a: total(places[a]) for a in space}
    for a in space:
        # Coordinates from the block's start keep the squares small; they are shifted to the layer's px in the end.
        v = places[a].astype(np.float64)
        sums[f"sum_{a}"] = whole[a] + box[a][0] * sums["num_pixels"]
        for b in space[: space.index(a) + 1]:
            first = total(v * places[b])
            sums[f"sum_{b}{a}"] = (
                first + box[a][0] * whole[b] + box[b][0] * whole[a] + box[a][0] * box[b][0] * sums["num_pixels"]
            )
        low, high = _extremes(places[a], index, n)
        sums[f"min_{a}"], sums[f"max_{a}"] = low + box[a][0], high + box[a][0] + 1
        inside &= ((low > 0) | (box[a][0] == 0)) & (
            (high < labels.shape["zyx".index(a)] - 1) | (box[a][1] == spec.size(a))
        )
        if spec.size(a) > 1:
            border |= (sums[f"min_{a}"] == 0) | (sums[f"max_{a}"] == spec.size(a))
    sums["touches_border"] = border
    if "z" not in box or spec.size("z") == 1:
        sums["sum_perimeter"] = total(_perimeter(wide[0])[inner[1:]].ravel()[at])
    for channel, name in zip(layers.channels, _names(layers), strict=True):
        values = _intensities(layers, box, channel).ravel()[at].astype(np.float64)
        sums[f"sum_i{name}"], sums[f"sum_ii{name}"] = total(values), total(values * values)
        sums[f"min_i{name}"], sums[f"max_i{name}"] = _extremes(values, index, n)
    return sums, inside


def _compact(values: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct labels in order, and the place of each value among them."""
    if not len(values):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    low, high = int(values.min()), int(values.max())
    if high - low > 4 * len(values) + 1000:
        ids, index = np.unique(values, return_inverse=True)
        return ids.astype(np.int64), index
    shifted = (values - values.dtype.type(low)).astype(np.int64)
    present = np.bincount(shifted) > 0
    return np.flatnonzero(present) + low, (np.cumsum(present) - 1)[shifted]


def _extremes(values: NDArray[Any], index: NDArray[np.int64], n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Smallest and largest value per label."""
    low = np.full(n, np.inf) if values.dtype.kind == "f" else np.full(n, np.iinfo(np.int64).max)
    high = -low
    np.minimum.at(low, index, values)
    np.maximum.at(high, index, values)
    return low, high


def _perimeter(labels: NDArray[Any]) -> NDArray[np.float64]:
    """Length of outline that each px adds to its own object: (H, W)."""
    padded = np.pad(labels, 2)
    height, width = labels.shape
    own = padded[1:-1, 1:-1]
    border = own != 0
    # An object's border: its px with one of the four neighbours outside of it.
    border &= (
        (padded[:-2, 1:-1] != own) | (padded[2:, 1:-1] != own) | (padded[1:-1, :-2] != own) | (padded[1:-1, 2:] != own)
    )
    rows, cols = np.nonzero(border[1:-1, 1:-1])
    mine = own[rows + 1, cols + 1]
    code = np.ones(len(rows), np.int64)
    for dy, dx, weight in _NEIGHBOURS:
        at = rows + 1 + dy, cols + 1 + dx
        code += weight * (border[at] & (own[at] == mine))
    out = np.zeros((height, width))
    out[rows, cols] = _PERIMETER[code]
    return out


def _intensities(layers: Layers, box: dict[str, tuple[int, int]], channel: int) -> NDArray[Any]:
    image, offset = layers.image, layers.offset or {}
    if image is None:
        raise AssertionError("channels are measured only with an image")
    spans = {a: slice(s + offset.get(a, 0), e + offset.get(a, 0)) for a, (s, e) in box.items()}
    spans["c"] = slice(channel, channel + 1)
    whole = {a: spans.get(a, slice(0, 1)) for a in image.spec.axes}
    return image.read(tuple(whole[a] for a in image.spec.axes))


def _names(layers: Layers) -> list[str]:
    names = layers.image.spec.channel_names if layers.image else ()
    return [f"-{names[c] if names else c}" if len(layers.channels) > 1 else "" for c in layers.channels]


def _rows(sums: Columns, chosen: NDArray[np.bool_]) -> Columns:
    return {name: values[chosen] for name, values in sums.items()}


def _merged(sums: Columns) -> Columns:
    """Add up the sums of labels that stand in several rows."""
    order = np.argsort(sums["label"], kind="stable")
    ids, starts = np.unique(sums["label"][order], return_index=True)
    if not len(ids):
        return sums
    merged: Columns = {"label": ids}
    for name, values in sums.items():
        if name == "label":
            continue
        merged[name] = _rule(name).reduceat(values[order], starts)
    return merged


def _rule(name: str) -> np.ufunc:
    """How two sums of one label become one."""
    if name == "touches_border":
        return np.logical_or
    if name.startswith("max_"):
        return np.maximum
    return np.minimum if name.startswith("min_") or name == "t" else np.add


def _properties(sums: Columns, spec: LayerSpec, space: list[str]) -> Columns:
    """Turn sums into region properties in physical units."""
    n = np.maximum(sums["num_pixels"], 1)
    scale = {a: spec.scale_of(a) for a in space}
    out: Columns = {"label": sums["label"], "t": sums["t"], "num_pixels": sums["num_pixels"]}
    out["area"] = sums["num_pixels"] * math.prod(scale.values())
    mean = {a: sums[f"sum_{a}"] / n for a in space}
    for a in space:
        out[f"centroid_{a}"] = mean[a] * scale[a] + spec.translate[spec.axes.index(a)]
        out[f"bbox_min_{a}"], out[f"bbox_max_{a}"] = sums[f"min_{a}"], sums[f"max_{a}"]
    dimensions = sum(spec.size(a) > 1 for a in space)
    out["equivalent_diameter_area"] = (
        (6 * out["area"] / np.pi) ** (1 / 3) if dimensions == 3 else 2 * np.sqrt(out["area"] / np.pi)
    )
    box = math.prod(sums[f"max_{a}"] - sums[f"min_{a}"] for a in space)
    out["extent"] = sums["num_pixels"] / np.maximum(box, 1)
    if dimensions < 3:
        _ellipse(out, sums, mean, scale, n)
        if "sum_perimeter" in sums:
            # The outline's steps are px; only square px have one length.
            out["perimeter"] = sums["sum_perimeter"] * (scale["y"] * scale["x"]) ** 0.5
    for key in [k for k in sums if k.startswith("sum_i") and not k.startswith("sum_ii")]:
        name = key.removeprefix("sum_i")
        average = sums[key] / n
        out[f"intensity_mean{name}"] = average
        out[f"intensity_std{name}"] = np.sqrt(np.maximum(sums[f"sum_ii{name}"] / n - average**2, 0))
        out[f"intensity_min{name}"], out[f"intensity_max{name}"] = sums[f"min_i{name}"], sums[f"max_i{name}"]
    out["touches_border"] = sums["touches_border"]
    return out


def _ellipse(
    out: Columns, sums: Columns, mean: dict[str, NDArray[Any]], scale: dict[str, float], n: NDArray[Any]
) -> None:
    """Axes of the ellipse with the same second moments."""
    yy = (sums["sum_yy"] / n - mean["y"] ** 2) * scale["y"] ** 2
    xx = (sums["sum_xx"] / n - mean["x"] ** 2) * scale["x"] ** 2
    yx = (sums["sum_yx"] / n - mean["y"] * mean["x"]) * scale["y"] * scale["x"]
    middle, spread = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + yx**2)
    major, minor = middle + spread, np.maximum(middle - spread, 0)
    out["axis_major_length"], out["axis_minor_length"] = 4 * np.sqrt(major), 4 * np.sqrt(minor)
    # One px has no axes; what is left of its moments is rounding.
    extended = major > 1e-9 * scale["y"] * scale["x"]
    out["eccentricity"] = np.where(extended, np.sqrt(np.clip(1 - minor / np.where(extended, major, 1), 0, 1)), 0)
    out["orientation"] = 0.5 * np.arctan2(2 * yx, yy - xx)
