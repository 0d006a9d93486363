"""Which axis each dimension of a layer is: by its label, by its unit, else by the shape."""

from __future__ import annotations

import re
from collections.abc import Sequence

from napari_s1omni.core.sizes.lengths import METRES
from napari_s1omni.core.spec import AXES
from napari_s1omni.core.units import unit_name
from napari_s1omni.errors import PlanError
from napari_s1omni.storage.axis_names import axis_letter

_NO_NAME = re.compile(r"(axis|dim)?[ _]?-?\d*")
"""Labels that napari and others give to dimensions without a name: ``-3``, ``axis 0``."""
_TIMES = ("second", "minute", "hour", "day", "week", "month", "year")
_CHANNELS = 4
"""A first dimension of up to so many pixels is taken for channels rather than time points."""
UNKNOWN = "?"
"""Stands for a label that names no known axis."""


def named_axes(labels: Sequence[str], units: Sequence[str]) -> tuple[str, ...]:
    """Return the letter of each dimension that its label or a unit of time names.

    Parameters
    ----------
    labels, units : sequence of str
        One per dimension, without colour samples.

    Returns
    -------
    tuple of str
        A letter of ``t c z y x``; empty for a dimension without a name; ``?`` for a name that is not known.
    """
    found = [_letter(label) for label in labels]
    for i, unit in enumerate(units):
        if not found[i] and "t" not in found and is_time(unit):
            found[i] = "t"
    return tuple(found)


def is_time(unit: str) -> bool:
    """Whether a unit is one of time."""
    return str(unit_name(unit)).endswith(_TIMES)


def guess_axes(name: str, shape: Sequence[int], known: Sequence[str], units: Sequence[str]) -> tuple[str, list[str]]:
    """Return a letter for each dimension of a layer, and a note if some are guesses.

    Parameters
    ----------
    name : str
        Name of the layer, for messages.
    shape : sequence of int
        Without colour samples.
    known : sequence of str
        From :func:`named_axes`.
    units : sequence of str
        Unit of each dimension; lengths lie along z, y and x.

    Raises
    ------
    PlanError
        If there are not 2 to 5 dimensions, or their names do not fit.
    """
    if not 2 <= len(shape) <= len(AXES):
        raise PlanError(
            f"layer '{name}' has {len(shape)} dimensions",
            "2 to 5: time, channel, z, y, x",
            "choose part of it, or set its axes",
        )
    letters = _checked(name, shape, known)
    free = [i for i, letter in enumerate(letters) if not letter]
    for letter in ("x", "y"):
        if letter not in letters:
            if not free:
                raise _misnamed(name, known, f"no dimension is {letter}")
            letters[free.pop()] = letter
    guessed = [i for i in free if shape[i] > 1]
    for i in reversed(free):
        if "z" not in letters and unit_name(units[i]) in METRES:
            letters[i] = "z"
            guessed = [k for k in guessed if k != i]
    free = [i for i in free if not letters[i]]
    for i, letter in zip(free, _left(shape, letters, units), strict=True):
        letters[i] = letter
    axes = "".join(letters)
    if not guessed:
        return axes, []
    shown = ", ".join(axes[i] for i in guessed)
    return axes, [
        f"layer '{name}' does not name all axes; its shape {tuple(shape)} is taken as '{axes}' "
        f"(label the axes of the layer, or give axes, if {shown} is wrong)"
    ]


def _letter(label: str) -> str:
    word = label.strip().casefold()
    if _NO_NAME.fullmatch(word):
        return ""
    letter = axis_letter(word)
    return letter if letter and letter in AXES else UNKNOWN


def _checked(name: str, shape: Sequence[int], known: Sequence[str]) -> list[str]:
    """Return the known letters; an unknown name of a dimension of 1 px counts as none."""
    letters = ["" if letter == UNKNOWN and n == 1 else letter for letter, n in zip(known, shape, strict=True)]
    if UNKNOWN in letters:
        raise _misnamed(name, known, f"dimension {letters.index(UNKNOWN)} has another name")
    named = [letter for letter in letters if letter]
    if len(set(named)) != len(named):
        raise _misnamed(name, known, "two dimensions are the same axis")
    return letters


def _misnamed(name: str, known: Sequence[str], why: str) -> PlanError:
    shown = ", ".join(letter or "none" for letter in known)
    return PlanError(
        f"the axis labels of layer '{name}' are read as {shown}: {why}",
        f"dimensions are named by the letters of '{AXES}' or by words such as time, channel, depth, row, column",
        "correct the axis labels of the layer, or give axes",
    )


def _left(shape: Sequence[int], letters: Sequence[str], units: Sequence[str]) -> list[str]:
    """Return the likeliest letters for the dimensions that are still free, in order."""
    free = [i for i, letter in enumerate(letters) if not letter]
    unused = [a for a in "tcz" if a not in letters]
    if len(free) in (0, len(unused)):
        return unused if free else []
    few = shape[free[0]] <= _CHANNELS
    if len(free) == 2:
        return ["c" if few else "t", "z"]
    if "z" not in unused:
        return ["c" if few else "t"]
    if "t" in unused:
        return ["z"]
    # Beside time, a dimension without unit is no depth where the others are lengths.
    lengths = any(unit_name(u) in METRES for u in units)
    return ["c" if few or lengths else "z"]
