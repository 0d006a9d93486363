"""Names of axes, as files, libraries and people write them, and the letters ``t c z y x s`` they stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_WORDS = {
    "t": ("time", "timepoint", "timestep", "timeframe", "timelapse", "frame", "datetime"),
    "c": (
        *("ch", "chan", "channel", "wavelength", "wavelen", "lambda", "λ", "band", "stain", "marker"),
        *("fluor", "fluorophore", "fluorochrome", "dye", "emission"),
    ),
    "z": (
        *("slice", "section", "plane", "depth", "stack", "zslice", "zsection", "zplane", "zdepth", "zstack"),
        *("opticalsection", "opticalslice", "focalplane"),
    ),
    "y": ("row", "line", "height"),
    "x": ("column", "col", "width"),
    "s": ("sample", "rgb", "rgba", "color", "colour"),
}
_LETTERS = {word: letter for letter, words in _WORDS.items() for word in (letter, *words)}
_FILLERS = {"axis", "dim", "dimension", "index", "idx", "coord", "coordinate", "pos", "position"}
"""Words beside the one that says what an axis is: ``z_axis``, ``time index``."""
_KINDS = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
_TIFF = {"a": "angle", "e": "wavelength", "h": "lifetime", "l": "exposure", "m": "mosaic", "p": "phase", "r": "tile"}
_SAMPLES = (3, 4)
"""Colour samples of a pixel, without and with transparency."""


@dataclass(frozen=True, slots=True)
class NamedAxes:
    """Named dimensions and their letters."""

    letters: str
    """One character per dimension: ``t c z y x``, ``s`` for colour samples, its number for one of unknown meaning."""
    names: tuple[str, ...]
    """The name of each dimension, for messages."""
    notes: tuple[str, ...] = ()
    """What was concluded from something else than the name."""


def axis_letter(name: object) -> str | None:
    """Return the letter that a name stands for; None if it is no name of an axis.

    Case, plural, separators and words such as ``axis`` make no difference.

    Examples
    --------
    >>> axis_letter("Slices"), axis_letter("time_point"), axis_letter("angle")
    ('z', 't', None)
    """
    parts = [part for part in re.split(r"[\W\d_]+", str(name).casefold()) if part and part not in _FILLERS]
    word = "".join(parts)
    found = _LETTERS.get(word)
    return found if found or len(word) < 3 else _LETTERS.get(word.removesuffix("s"))


def axis_label(name: str) -> str:
    """Return a name in quotes for messages, with what it means in a TIFF if it is one of its letters."""
    return f"'{name}' ({_TIFF[name]})" if name in _TIFF else f"'{name}'"


def are_placeholders(names: Sequence[object]) -> bool:
    """Whether names only count the dimensions, as xarray does where it is given none: ``dim_0``, ``dim_1``."""
    return all(re.fullmatch(r"(dim|axis|phony_dim)[ _]?-?\d+", str(name)) for name in names)


def name_axes(names: Sequence[object], shape: Sequence[int], kinds: Sequence[str | None] | None = None) -> NamedAxes:
    """Find the letter of each named dimension.

    Parameters
    ----------
    names : sequence of str
        One per dimension.
    shape : sequence of int
        Size per dimension in pixels.
    kinds : sequence of str or None, optional
        ``space``, ``time`` or ``channel`` per dimension, where known. They decide where a name says nothing and only
        one letter is possible; a name that contradicts them has no meaning.

    Returns
    -------
    NamedAxes
        Letters may repeat if names do.
    """
    kinds = kinds or [None] * len(names)
    labels = tuple(str(name).strip() or f"dimension {i}, which has no name" for i, name in enumerate(names))
    letters = [_fitting(i, name, shape, kinds[i]) for i, name in enumerate(names)]
    for i, letter in enumerate(letters):
        # A dimension of one pixel gives way to another one with the same meaning.
        if letter and letters.count(letter) > 1 and shape[i] == 1:
            letters[i] = None
    notes = []
    for i, kind in enumerate(kinds):
        if letters[i] is None and shape[i] > 1 and axis_letter(names[i]) is None:
            letters[i] = _only_choice(kind, letters, kinds)
            if letters[i]:
                notes.append(f"axis '{labels[i]}' is of type {kind} and is read as {letters[i]}")
    shown = tuple(
        f"{label} (type {kind})" if kind and letter is None else label
        for label, kind, letter in zip(labels, kinds, letters, strict=True)
    )
    return NamedAxes("".join(letter or str(i) for i, letter in enumerate(letters)), shown, tuple(notes))


def read_axes(given: str | Sequence[str], shape: Sequence[int]) -> NamedAxes:
    """Read axes as a user gives them: letters such as ``zyx``, or words such as ``slice, row, column``."""
    if isinstance(given, str):
        words = [word for word in re.split(r"[\s,;/|]+", given.strip()) if word]
        if len(words) < 2:
            letters = given.strip().lower()
            return NamedAxes(letters, tuple(letters))
        given = words
    sizes = tuple(shape) if len(shape) == len(given) else (1,) * len(given)
    found = [axis_letter(w) if len(w) == 1 else _fitting(i, w, sizes, None) for i, w in enumerate(given)]
    return NamedAxes("".join(letter or str(i) for i, letter in enumerate(found)), tuple(map(str, given)))


def _fitting(i: int, name: object, shape: Sequence[int], kind: str | None) -> str | None:
    """Return the letter of one dimension, if its size and type allow it."""
    letter, n = axis_letter(name), shape[i]
    if letter == "s":
        word = str(name).strip().casefold()
        if word.startswith("colo") and n not in _SAMPLES:
            letter = "c"
        elif word.startswith("rgb") or word.startswith("colo"):
            letter = "s" if n in _SAMPLES else None
        elif n > max(_SAMPLES) or i != len(shape) - 1:
            # Many sciences call a specimen a sample; only the last dimension holds those of a picture.
            letter = None
    expected = _KINDS.get(letter or "")
    return None if kind in _KINDS.values() and expected not in (None, kind) else letter


def _only_choice(kind: str | None, letters: Sequence[str | None], kinds: Sequence[str | None]) -> str | None:
    """Return the one letter that a dimension of this type can have, or None."""
    if kind not in _KINDS.values() or ("s" in letters and kind == "channel"):
        return None
    unnamed = sum(k == kind and letter is None for k, letter in zip(kinds, letters, strict=True))
    free = [a for a, k in _KINDS.items() if k == kind and a not in letters]
    if kind == "space" and len(free) > 1:
        return None
    return free[0] if unnamed == 1 and free else None
