"""Axes, pixel size and units of an HDF5 dataset: axistags of ilastik, dimension labels and scales, and attributes."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_s1omni.core.units import unit_name
from napari_s1omni.storage.axis_names import NamedAxes, are_placeholders, name_axes
from napari_s1omni.storage.readers.volumes.hdf5_file import attribute

_KINDS = {1: "channel", 2: "space", 8: "time"}
"""Flags of vigra -> type of an axis."""
_AXIS_ATTRIBUTES = ("axes", "axis_names", "axis_labels", "dimension_names", "dims")
_SIZES = (("element_size_um", "micrometer"), ("resolution", None), ("voxel_size", None))
"""Attribute with one pixel size per axis of space, and its unit if the attribute has one by definition."""
_LABEL_MODES = ("random-colortable", "color-table")
"""Display modes in which ilastik shows object ids."""


@dataclass(slots=True)
class DatasetMeaning:
    """What a dataset says of its axes. Mappings are by axis letter."""

    axes: NamedAxes | None = None
    scale: dict[str, float] = field(default_factory=dict)
    translate: dict[str, float] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    is_labels: bool = False
    notes: list[str] = field(default_factory=list)


def dataset_meaning(dataset: Any) -> DatasetMeaning:
    """Read the metadata of a dataset; what it does not say stays empty, and what is damaged is noted."""
    found = DatasetMeaning()
    if not len(dataset.attrs):
        return found
    try:
        _read(dataset, found)
    except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        found = DatasetMeaning(notes=[f"the attributes of '{dataset.name}' are damaged ({error}) and are not used"])
    return found


def _read(dataset: Any, found: DatasetMeaning) -> None:
    names = set(dataset.attrs)
    shape = tuple(dataset.shape)
    if "axistags" in names:
        _read_axistags(attribute(dataset, "axistags"), shape, found)
    if found.axes is None and names & {"DIMENSION_LABELS", "DIMENSION_LIST"}:
        _read_dimensions(dataset, shape, found)
    for name in _AXIS_ATTRIBUTES:
        if found.axes is None and name in names:
            found.axes = _axes_of(attribute(dataset, name), shape)
    for name, unit in _SIZES:
        if name in names and not found.scale:
            _read_sizes(dataset, name, unit, shape, found)
    found.is_labels = dataset.dtype.kind in "iu" and attribute(dataset, "display_mode") in _LABEL_MODES


def _read_axistags(text: Any, shape: Sequence[int], found: DatasetMeaning) -> None:
    """Read what vigra and ilastik write: a list of axes in stored order, in JSON."""
    try:
        tags = json.loads(text)["axes"]
        names = [str(tag["key"]) for tag in tags]
        kinds = [_KINDS.get(int(tag.get("typeFlags", 0))) for tag in tags]
        steps = [float(tag.get("resolution") or 0) for tag in tags]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found.notes.append(f"the axistags are damaged ({type(error).__name__}: {error}) and are not used")
        return
    if len(names) != len(shape):
        found.notes.append(f"the axistags name {len(names)} axes, but the dataset has {len(shape)}; they are not used")
        return
    found.axes = name_axes(names, shape, kinds)
    for letter, step in zip(found.axes.letters, steps, strict=True):
        if step > 0:
            found.scale[letter] = step


def _read_dimensions(dataset: Any, shape: Sequence[int], found: DatasetMeaning) -> None:
    """Read labels of dimensions, and the coordinates along them where they are even."""
    names: list[str] = []
    coordinates: list[Any] = []
    for dim in dataset.dims:
        scale = dim[0] if len(dim) else None
        coordinates.append(scale)
        names.append(str(dim.label) or (scale.name.rpartition("/")[2] if scale is not None and scale.name else ""))
    if not any(names) or are_placeholders(names):
        return
    found.axes = name_axes(names, shape)
    for letter, name, values, n in zip(found.axes.letters, names, coordinates, shape, strict=True):
        if values is None or values.shape != (n,) or values.dtype.kind not in "iuf" or n < 2:
            continue
        at = np.asarray(values[()], float)
        steps = np.diff(at)
        step = float(steps.mean())
        if not (np.isfinite(at).all() and step > 0 and np.allclose(steps, step, rtol=1e-3)):
            found.notes.append(f"the coordinates along '{name}' are uneven or descending, and are not used")
            continue
        found.scale[letter], found.translate[letter] = step, float(at[0])
        if isinstance(unit := attribute(values, "units") or attribute(values, "unit"), str):
            found.units[letter] = unit


def _axes_of(value: Any, shape: Sequence[int]) -> NamedAxes | None:
    names = value.replace(",", " ").split() if isinstance(value, str) else value
    if isinstance(names, list) and len(names) == 1 and isinstance(names[0], str):
        names = list(names[0])
    if not isinstance(names, list) or len(names) != len(shape) or not all(isinstance(name, str) for name in names):
        return None
    return name_axes(names, shape)


def _read_sizes(dataset: Any, name: str, unit: str | None, shape: Sequence[int], found: DatasetMeaning) -> None:
    """Read an attribute with one size per axis of space in stored order, or per dimension."""
    value = attribute(dataset, name)
    sizes = value if isinstance(value, list) else [value] * 3
    if not all(isinstance(n, int | float) and math.isfinite(n) and n > 0 for n in sizes):
        found.notes.append(f"the attribute {name} is {value!r}, which is no pixel size, and is not used")
        return
    letters = found.axes.letters if found.axes else "zyx"[-len(shape) :] if len(shape) <= 3 else ""
    space = [a for a in letters if a in "zyx"]
    given = list(letters) if len(sizes) == len(letters) else space if len(sizes) == len(space) else None
    if given is None and len(sizes) == 3 and set(space) == {"y", "x"}:
        given, sizes = ["y", "x"], sizes[1:]
    if given is None:
        found.notes.append(f"the attribute {name} has {len(sizes)} values for {len(shape)} dimensions; it is not used")
        return
    found.scale |= {a: float(n) for a, n in zip(given, sizes, strict=True) if a in "tzyx"}
    spelled = unit or attribute(dataset, "units") or attribute(dataset, "unit")
    by_axis = spelled if isinstance(spelled, list) and len(spelled) == len(given) else [spelled] * len(given)
    found.units |= {
        a: u for a, u in zip(given, by_axis, strict=True) if a in "zyx" and isinstance(u, str) and unit_name(u)
    }
    offset = attribute(dataset, "offset")
    if name == "resolution" and isinstance(offset, list) and len(offset) == len(given):
        found.translate |= {a: float(n) for a, n in zip(given, offset, strict=True) if isinstance(n, int | float)}
