"""Region properties of every object in physical units, computed block by block.

Each block contributes sums (counts, coordinates, squares, intensities) for
the labels in it; the sums of one label in several blocks add up to those of
the whole object. No block reads more than itself and a margin of 2 pixels. Objects
inside one block are reported at once; only objects that touch a block face
are held until the end. Names and definitions of the columns are those of
``skimage.measure.regionprops_table``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.pixel_frame import PixelFrame
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import PlanError
from napari_s1omni.results.measured_layers import MeasuredLayers
from napari_s1omni.results.object_sums import merge_sums, select_rows, sum_block
from napari_s1omni.results.tables import Columns, join_tables

PIXEL_FRAME = "source, full resolution"
"""The pixels of ``bbox*`` and ``centroid-*``, as the table names them."""


def measure_blocks(layers: MeasuredLayers, check: Callable[[], None] = lambda: None) -> Iterator[Columns]:
    """Yield tables that together hold every object once.

    Parameters
    ----------
    layers : MeasuredLayers
    check : callable
        Called between blocks; may raise to stop.

    Yields
    ------
    dict of column to array
        As :meth:`napari_s1omni.Result.table` describes them.

    Raises
    ------
    PlanError
        If the layer is an image.
    """
    spec = layers.spec
    if spec.kind != "labels":
        raise PlanError("the layer is an image", "measuring needs labels", "segment it first")
    axes = [a for a in spec.axes if a in "zyx"]
    held: list[Columns] = []
    counts = [-(-n // b) for n, b in zip(spec.shape, layers.block, strict=True)]
    for index in product(*map(range, counts)):
        check()
        start = [i * b for i, b in zip(index, layers.block, strict=True)]
        stop = [min(s + b, n) for s, b, n in zip(start, layers.block, spec.shape, strict=True)]
        box = dict(zip(spec.axes, zip(start, stop, strict=True), strict=True))
        # A layer without objects gives one table with columns and no rows.
        last = all(i == n - 1 for i, n in zip(index, counts, strict=True)) and not held
        found = sum_block(layers, box, axes, allow_empty=last)
        if found is not None:
            sums, complete = found
            yield _properties(select_rows(sums, complete), layers, axes)
            held.append(select_rows(sums, ~complete))
    if held:
        yield _properties(merge_sums(held), layers, axes)


def measure_objects(layers: MeasuredLayers, check: Callable[[], None] = lambda: None) -> Columns:
    """Measure all objects into one table, sorted by label; parameters as in :func:`measure_blocks`."""
    return join_tables(measure_blocks(layers, check))


def _properties(sums: Columns, layers: MeasuredLayers, axes: list[str]) -> Columns:
    """Turn sums into region properties, in physical units and in pixels of the source."""
    spec, frame = layers.spec, layers.frame or layers.spec.pixel_frame
    n = np.maximum(sums["num_pixels"], 1)
    scale = {a: spec.scale_of(a) for a in axes}
    # Objects of a single plane have an area, also where the plane has a thickness.
    extended = axes if spec.size("z") > 1 else ["y", "x"]
    times = np.asarray(frame.to_full("t", sums["t"])).astype(np.int64)
    out: Columns = {"label": sums["label"], "t": times, "num_pixels": sums["num_pixels"]}
    out["area"] = sums["num_pixels"] * math.prod(scale[a] for a in extended)
    mean = {a: sums[f"sum_{a}"] / n for a in axes}
    for a in axes:
        out[f"centroid_{a}"] = mean[a] * scale[a] + spec.translate[spec.axes.index(a)]
    ends = {(end, a): _corner(frame, a, sums[f"{end}_{a}"]) for end in ("min", "max") for a in axes}
    for a in axes:
        out[f"bbox_min_{a}"], out[f"bbox_max_{a}"] = ends["min", a], ends["max", a]
    # Numbered columns are those of scikit-image for the same pixels, where a single plane has no z.
    for i, a in enumerate(extended):
        out[f"centroid-{i}"] = frame.to_full(a, mean[a] + 0.5) - 0.5
    corners = [values for (_, a), values in ends.items() if a in extended]
    out |= {f"bbox-{i}": values for i, values in enumerate(corners)}
    out["equivalent_diameter_area"] = (
        (6 * out["area"] / np.pi) ** (1 / 3) if "z" in extended else 2 * np.sqrt(out["area"] / np.pi)
    )
    box = math.prod(sums[f"max_{a}"] - sums[f"min_{a}"] for a in axes)
    out["extent"] = sums["num_pixels"] / np.maximum(box, 1)
    if "z" not in extended:
        out |= _ellipse(sums, mean, scale, n)
        # The outline is counted in pixels; it has a length only where they are square.
        square = math.isclose(scale["y"], scale["x"], rel_tol=1e-6)
        out["perimeter"] = sums["sum_perimeter"] * (scale["y"] if square else math.nan)
    for key in [k for k in sums if k.startswith("sum_i") and not k.startswith("sum_ii")]:
        suffix = key.removeprefix("sum_i")
        average = sums[key] / n
        out[f"intensity_mean{suffix}"] = average
        out[f"intensity_std{suffix}"] = np.sqrt(np.maximum(sums[f"sum_ii{suffix}"] / n - average**2, 0))
        out[f"intensity_min{suffix}"], out[f"intensity_max{suffix}"] = sums[f"min_i{suffix}"], sums[f"max_i{suffix}"]
    out["touches_border"] = sums["touches_border"]
    unit = _unit(spec, extended)
    for name, text in (("unit", unit), ("area_unit", f"{unit}^{len(extended)}"), ("pixel_frame", PIXEL_FRAME)):
        out[name] = np.full(len(n), text, object)
    return out


def _corner(frame: PixelFrame, axis: str, corners: NDArray[np.int64]) -> NDArray[Any]:
    """Return corners of pixels in full-resolution pixels: whole numbers where all of them are."""
    found: NDArray[Any] = frame.to_full(axis, corners)
    return found.astype(np.int64) if frame.integral else found


def _unit(spec: LayerSpec, axes: list[str]) -> str:
    """Return the unit of lengths along these axes."""
    units = {spec.unit_of(a) for a in axes}
    if len(units) > 1 or (units == {None} and any(spec.scale_of(a) != 1 for a in axes)):
        return "unknown"
    return units.pop() or "pixel"


def _ellipse(sums: Columns, mean: Columns, scale: dict[str, float], n: NDArray[Any]) -> Columns:
    """Describe the ellipse with the same second moments as the object."""
    yy = (sums["sum_yy"] / n - mean["y"] ** 2) * scale["y"] ** 2
    xx = (sums["sum_xx"] / n - mean["x"] ** 2) * scale["x"] ** 2
    yx = (sums["sum_yx"] / n - mean["y"] * mean["x"]) * scale["y"] * scale["x"]
    middle, spread = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + yx**2)
    major, minor = middle + spread, np.maximum(middle - spread, 0)
    # A single pixel has no axes; its remaining moments are rounding errors.
    extended = major > 1e-9 * scale["y"] * scale["x"]
    return {
        "axis_major_length": 4 * np.sqrt(major),
        "axis_minor_length": 4 * np.sqrt(minor),
        "eccentricity": np.where(extended, np.sqrt(np.clip(1 - minor / np.where(extended, major, 1), 0, 1)), 0),
        "orientation": 0.5 * np.arctan2(2 * yx, yy - xx),
    }
