"""Axes, pixel size and units of an N5 dataset, as its programs write them into attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from napari_s1omni.storage.axis_names import NamedAxes, name_axes

_GUESS = {2: "yx", 3: "zyx"}
"""N5 itself names no axes; its first dimension is x."""


@dataclass(slots=True)
class N5Meaning:
    """What attributes say. Names are in reversed order, so that x is the last; mappings are by letter."""

    axes: NamedAxes | None = None
    scale: dict[str, float] = field(default_factory=dict)
    translate: dict[str, float] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def n5_meaning(attributes: Sequence[Mapping[str, Any]], shape: Sequence[int]) -> N5Meaning:
    """Read axes and pixel size.

    Parameters
    ----------
    attributes : sequence of mapping
        Those of the dataset, then those of its group; the first that says something counts.
    shape : sequence of int
        Pixels per dimension, x last.
    """
    found = N5Meaning()
    for one in attributes:
        for read in (_of_transform, _of_axes, _of_imagej):
            if found.axes is None:
                read(one, shape, found)
    if found.axes is None and (letters := _GUESS.get(len(shape))):
        found.axes = NamedAxes(letters, tuple(letters))
        if len(shape) > 2:
            found.notes.append(f"N5 names no axes; {len(shape)} dimensions are taken as '{letters}'")
    for one in attributes:
        if found.axes is not None and not found.scale:
            _of_resolution(one, shape, found)
    return found


def _of_transform(one: Mapping[str, Any], shape: Sequence[int], found: N5Meaning) -> None:
    """Read the key ``transform`` of COSEM, whose lists begin with the slowest axis."""
    transform: Any = one.get("transform")
    if not isinstance(transform, Mapping) or not _fits(transform.get("axes"), shape):
        return
    found.axes = name_axes(transform["axes"], shape)
    letters = found.axes.letters
    for key, target in (("scale", found.scale), ("translate", found.translate)):
        values: Any = transform.get(key)
        if _are_numbers(values, shape):
            target |= {a: float(v) for a, v in zip(letters, values, strict=True)}
    units: Any = transform.get("units")
    if _fits(units, shape):
        found.units |= dict(zip(letters, map(str, units), strict=True))


def _of_axes(one: Mapping[str, Any], shape: Sequence[int], found: N5Meaning) -> None:
    """Read the key ``axes``, which begins with the fastest axis, as ``dimensions`` does."""
    axes: Any = one.get("axes")
    if isinstance(axes, str):
        axes = list(axes)
    if _fits(axes, shape):
        found.axes = name_axes([str(name) for name in reversed(axes)], shape)


def _of_imagej(one: Mapping[str, Any], shape: Sequence[int], found: N5Meaning) -> None:
    """Read what Fiji writes: the numbers of channels, slices and frames, whose dimensions follow x and y."""
    counts = {a: one.get(f"num{name}") for a, name in (("c", "Channels"), ("z", "Slices"), ("t", "Frames"))}
    if not all(isinstance(n, int) for n in counts.values()):
        return
    letters = "xy" + "".join(a for a, n in counts.items() if n != 1)
    if len(letters) != len(shape):
        return
    found.axes = NamedAxes(letters[::-1], tuple(letters[::-1]))
    for a, name in (("x", "pixelWidth"), ("y", "pixelHeight"), ("z", "pixelDepth"), ("t", "frameInterval")):
        size: Any = one.get(name)
        if a in letters and isinstance(size, int | float) and size > 0:
            found.scale[a] = float(size)
    if isinstance(unit := one.get("unit"), str):
        found.units |= dict.fromkeys((a for a in letters if a in "zyx"), unit)


def _of_resolution(one: Mapping[str, Any], shape: Sequence[int], found: N5Meaning) -> None:
    """Read ``pixelResolution`` of the viewers of N5, or ``resolution`` with ``units``; both begin with x."""
    size: Any = one.get("pixelResolution") or one.get("resolution")
    units: Any = one.get("units") or one.get("unit")
    if isinstance(size, Mapping):
        size, units = size.get("dimensions"), size.get("unit")
    letters = found.axes.letters if found.axes else ""
    space = [a for a in reversed(letters) if a in "xyz"]
    given = list(reversed(letters)) if isinstance(size, list) and len(size) == len(letters) else space
    if not _are_numbers(size, given):
        return
    found.scale |= {a: float(v) for a, v in zip(given, size, strict=True) if a in "tzyx" and v > 0}
    if isinstance(units, str):
        found.units |= dict.fromkeys((a for a in given if a in "zyx"), units)
    elif _fits(units, given):
        found.units |= {a: str(unit) for a, unit in zip(given, units, strict=True) if unit}
    offset: Any = one.get("offset")
    if _are_numbers(offset, given):
        found.translate |= {a: float(v) for a, v in zip(given, offset, strict=True) if a in "tzyx"}


def _fits(values: Any, shape: Sequence[Any]) -> bool:
    return isinstance(values, list) and len(values) == len(shape)


def _are_numbers(values: Any, shape: Sequence[Any]) -> bool:
    return _fits(values, shape) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
