"""Values per axis that a user gives to correct the metadata of an image: pixel size and unit."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

from napari_s1omni.core.units import is_time
from napari_s1omni.errors import SourceError

PerAxis = float | str | Sequence[Any] | Mapping[str, Any] | None
"""One value for z, y and x; one per stored axis, or per stored axis of space; or a mapping by axis letter."""


def values_by_axis(value: PerAxis, axes: str, name: str, coloured: str = "") -> dict[str, Any]:
    """Return a value for each axis that `value` covers.

    Parameters
    ----------
    value : PerAxis
    axes : str
        The axes of the image in stored order.
    name : str
        ``scale`` or ``units``, for messages.
    coloured : str, optional
        The same with the axis of the colours of a picture that is read as grey; values may be given for these too.

    Raises
    ------
    SourceError
        If it names an unknown axis or has the wrong length, if a pixel size is no number, or if rows and columns
        have a unit of time.
    """
    values = _spread(value, axes, name, coloured)
    for axis, given in values.items():
        if name == "scale" and (isinstance(given, bool) or not hasattr(given, "__float__")):
            raise SourceError(
                f"scale {given!r} along {axis}", "a pixel size is a number", "give such as scale=0.5, units='um'"
            )
        # Along z it is a note: the axis may be one of time.
        if name == "units" and (axis in "yx" or isinstance(value, str)) and is_time(given):
            raise SourceError(
                f"unit {given!r} along {axis}", "pixels in space have a unit of length", "write units such as um"
            )
    return values


def _spread(value: PerAxis, axes: str, name: str, coloured: str) -> dict[str, Any]:
    space = [a for a in axes if a in "zyx"]
    if value is None:
        return {}
    if isinstance(value, Mapping):
        unknown = sorted(set(value) - set(axes + coloured))
        if unknown:
            raise SourceError(
                f"{name} for axes {unknown} of an image with axes '{axes}'", f"{name} may name the axes '{axes}'"
            )
        return dict(value)
    if isinstance(value, str | float | numbers.Real):
        return dict.fromkeys(space, value)
    if not hasattr(value, "__len__") or hasattr(value, "unit") or hasattr(value, "units"):
        raise SourceError(
            f"{name} {value!r} for an image with axes '{axes}'",
            f"{name} has plain values, and units are given on their own",
            "give such as scale=0.5, units='um'",
        )
    for letters in (list(axes), list(coloured), space):
        if len(value) == len(letters):
            return dict(zip(letters, value, strict=True))
    raise SourceError(
        f"{name} {tuple(value)} for an image with axes '{axes}'",
        f"it is one value for {', '.join(space)}, or {len(space)} or {len(axes)} values",
    )


def move_values(values: Mapping[str, Any], found: str, wanted: str, name: str, notes: list[str]) -> dict[str, Any]:
    """Give the values of axes to the letters that a user puts in place of those of the file.

    Parameters
    ----------
    values : mapping of axis letter to value
    found, wanted : str
        Letters of the stored dimensions, from the file and from the user.
    name : str
        What the values are, for notes.
    notes : list of str
        Gets a sentence for each value that is left out, because a length says nothing of a time or a channel.
    """
    if found == wanted:
        return dict(values)
    moved = {letter: value for letter, value in values.items() if letter not in found}
    for before, after in zip(found, wanted, strict=False):
        if before not in values:
            continue
        length = before in "zyx"
        if before == after or (length and after in "zyx") or before.isdecimal():
            moved[after] = values[before]
        elif values[before] not in (1.0, 0.0):
            notes.append(f"the {name} {values[before]} along {before} is not used for {after}")
    return moved


def check_pixel_size(scale: Mapping[str, float], axes: str, name: str) -> None:
    """Refuse a pixel size that is not finite and above 0; `name` is the image, for the message."""
    bad = {a: scale[a] for a in axes if a in scale and not (math.isfinite(scale[a]) and scale[a] > 0)}
    if bad:
        shown = ", ".join(f"{value} along {axis}" for axis, value in bad.items())
        raise SourceError(
            f"pixel size {shown} of {name}",
            "a pixel size is finite and above 0",
            "correct the metadata, or give scale",
            scale=dict(bad),
        )
