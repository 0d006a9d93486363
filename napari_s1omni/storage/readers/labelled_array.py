"""What an array says of its axes: dimensions and coordinates of xarray, labels and sizes in HDF5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.sizes.lengths import METRES
from napari_s1omni.core.units import unit_name
from napari_s1omni.storage.axis_names import NamedAxes, are_placeholders, name_axes

_EVEN = 1e-3
"""Largest deviation of a coordinate from even spacing, as a share of the step, that is not worth a note."""
_NEARLY = 0.25
"""Largest deviation of a step from the mean step with which the mean is still taken as pixel size."""
_ELEMENT_SIZE = "element_size_um"
"""Attribute of HDF5 files of Fiji and ilastik: pixel size along z, y and x in micrometers."""
_SHOWN = 5


@dataclass(slots=True)
class AxisMetadata:
    """Axes of an array and what it says of them; mappings are by axis letter."""

    axes: NamedAxes | None = None
    scale: dict[str, float] = field(default_factory=dict)
    translate: dict[str, float] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    channel_names: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


def axis_metadata(array: Any, shape: tuple[int, ...]) -> AxisMetadata:
    """Read the axes of an array that names its dimensions; empty for any other."""
    found = AxisMetadata()
    dims = getattr(array, "dims", None)
    if isinstance(dims, tuple | list) and len(dims) == len(shape):
        _read_xarray(array, dims, shape, found)
    elif type(array).__module__.startswith("h5py"):
        _read_hdf5(array, shape, found)
    return found


def _read_xarray(array: Any, dims: Sequence[Any], shape: tuple[int, ...], found: AxisMetadata) -> None:
    if not are_placeholders(dims):
        found.axes = name_axes(dims, shape)
        found.notes.extend(found.axes.notes)
    letters = found.axes.letters if found.axes else ""
    coords = getattr(array, "coords", {})
    for dimension, letter in zip(dims, letters, strict=False):
        if dimension in coords:
            _read_coordinate(str(dimension), letter, coords[dimension], found)
    name = getattr(array, "name", None)
    if name and not found.channel_names and "c" in letters and shape[letters.index("c")] == 1:
        found.channel_names = (str(name),)
    _note_the_rest(array, coords, dims, found)


def _read_coordinate(name: str, letter: str, coordinate: Any, found: AxisMetadata) -> None:
    """Read pixel size, position and unit, or the channel names, from the coordinate of one dimension."""
    unit = _unit(coordinate)
    plain = getattr(coordinate, "data", coordinate)
    values = np.asarray(getattr(plain, "magnitude", plain))
    if values.ndim != 1 or not values.size:
        return
    if letter == "c":
        if values.dtype.kind not in "iu" or not np.array_equal(values, np.arange(values.size)):
            found.channel_names = tuple(_shown(value, unit) for value in values)
        return
    if letter == "s":
        return
    if values.dtype.kind in "mM":
        values, unit, start = _seconds(values)
        if start:
            found.notes.append(f"positions along {name} are counted in seconds from {start}")
    if values.dtype.kind not in "iuf":
        found.notes.append(f"coordinates along {name} are no numbers and are not used")
        return
    if not np.isfinite(values).all():
        found.notes.append(f"coordinates along {name} are not finite and are not used")
        return
    if unit:
        found.units[letter] = unit
    _read_steps(name, letter, values, found)


def _read_steps(name: str, letter: str, values: NDArray[Any], found: AxisMetadata) -> None:
    numbers = values.astype(np.float64)
    # A coordinate of 32 bits is exact to some 1e-7 of its largest value only.
    exact = np.spacing(np.abs(values).max()) if values.dtype.kind == "f" else 0.0
    if values.size == 1:
        found.translate[letter] = _round(numbers[0], float(exact))
        return
    mean = (numbers[-1] - numbers[0]) / (numbers.size - 1)
    steps = np.diff(numbers)
    deviation = np.abs(numbers - (numbers[0] + mean * np.arange(numbers.size))).max()
    if mean == 0 or np.abs(steps - mean).max() > max(_NEARLY * abs(mean), 4 * exact):
        found.notes.append(
            f"coordinates along {name} are not evenly spaced (steps of {steps.min():g} to {steps.max():g}) "
            "and are not used; give scale if you know the pixel size"
        )
        found.units.pop(letter, None)
        return
    size = _round(abs(mean), 2 * float(exact) / (numbers.size - 1))
    found.scale[letter] = size
    if deviation > max(_EVEN * abs(mean), 4 * exact):
        found.notes.append(
            f"coordinates along {name} are not quite evenly spaced (steps of {np.abs(steps).min():g} to "
            f"{np.abs(steps).max():g}); their mean, {size:g}, is taken as pixel size"
        )
    if mean < 0:
        found.notes.append(
            f"coordinates along {name} descend; pixels are kept as stored, and their position along {name} is not used"
        )
    else:
        found.translate[letter] = _round(numbers[0], float(exact))


def _seconds(values: NDArray[Any]) -> tuple[NDArray[np.float64], str, str]:
    """Return times or durations in seconds, their unit, and the date of the first if they are dates."""
    dates = values.dtype.kind == "M"
    spans = values - values[0] if dates else values
    if np.isnat(spans).any():
        return np.full(values.shape, np.nan), "second", ""
    return spans / np.timedelta64(1, "s"), "second", str(values[0].astype("M8[ms]")) if dates else ""


def _unit(coordinate: Any) -> str:
    """Return the unit of a coordinate as spelled; a time ``seconds since ...`` is in seconds."""
    attributes = getattr(coordinate, "attrs", None) or {}
    unit = attributes.get("units", attributes.get("unit"))
    if unit is None:
        unit = getattr(getattr(coordinate, "data", None), "units", "")
    return str(unit).partition(" since ")[0].strip()


def _note_the_rest(array: Any, coords: Any, dims: Sequence[Any], found: AxisMetadata) -> None:
    """Say which attributes and coordinates are not read."""
    attributes = dict(getattr(array, "attrs", None) or {})
    corner = array[(slice(0, 1),) * len(dims)]
    unit = attributes.pop("units", attributes.pop("unit", getattr(getattr(corner, "data", None), "units", None)))
    if unit:
        beside = ", and is no pixel size" if unit_name(str(unit)) in METRES else ""
        found.notes.append(f"the unit '{unit}' of the pixel values is not kept{beside}")
    for what, names in (("attributes", list(attributes)), ("coordinates", [n for n in coords if n not in dims])):
        if names:
            shown = ", ".join(map(str, names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")
            found.notes.append(f"{what} of the array that are not read: {shown}")


def _read_hdf5(array: Any, shape: tuple[int, ...], found: AxisMetadata) -> None:
    labels = [str(dimension.label) for dimension in array.dims]
    if any(labels) and not are_placeholders(labels):
        found.axes = name_axes(labels, shape)
        found.notes.extend(found.axes.notes)
    size = np.ravel(array.attrs.get(_ELEMENT_SIZE, ()))
    if size.size == 3 and size.dtype.kind in "iuf" and (size > 0).all():
        found.scale = {a: _round(float(s), float(np.spacing(s))) for a, s in zip("zyx", size, strict=True)}
        found.units = dict.fromkeys("zyx", "micrometer")
        found.notes.append(f"the pixel size is read from the attribute {_ELEMENT_SIZE}")


def _shown(value: Any, unit: str) -> str:
    text = f"{value:g}" if isinstance(value, np.floating) else str(value)
    return f"{text} {unit}".strip() if isinstance(value, np.number) else text


def _round(value: float, exact: float) -> float:
    """Return the shortest decimal number within `exact` of a value."""
    return next((n for n in (float(f"{value:.{d}g}") for d in range(1, 17)) if abs(n - value) <= exact), float(value))
