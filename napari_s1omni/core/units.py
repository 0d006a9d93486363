"""Units: names of units in files, sizes as people write them, and bytes and times as people read them."""

from __future__ import annotations

import functools
import re

from napari_s1omni.core.sizes.folding import fold
from napari_s1omni.core.sizes.lengths import METRES, SYMBOLS, is_pixel, length_unit
from napari_s1omni.core.sizes.numbers import NUMBER, POWER, read_number

_TIMES = {
    "second": ("s", "sec", "secs", "seconds"),
    "millisecond": ("ms", "msec", "milliseconds"),
    "microsecond": ("us", "µs", "μs", "microseconds"),
    "minute": ("min", "minutes"),
    "hour": ("h", "hours"),
    "day": ("d", "days"),
}
_TIME_NAMES = {spelling: name for name, spellings in _TIMES.items() for spelling in (name, *spellings)}
_NO_UNIT = {"", "none", "null", "unknown", "voxel", "voxels", "reference frame"}
_SIZE = re.compile(rf"\s*({POWER}|{NUMBER})\s*([^\W\d_]+)?\s*(?:(?:\^|\*\*)?(2))?\s*")


@functools.lru_cache(maxsize=256)  # files of many images ask for each of them
def unit_name(word: str | None) -> str | None:
    """Return the NGFF name of a unit; an unknown word is returned unchanged, a word for "no unit" as None."""
    if word is None or word.strip().lower() in _NO_UNIT or is_pixel(word):
        return None
    plain = word.strip()
    return length_unit(plain) or _TIME_NAMES.get(plain.lower(), plain)


def unit_symbol(unit: str) -> str:
    """Return a unit as people write it, such as ``µm²`` for ``micrometer^2``; empty where it is not known."""
    name, _, power = unit.partition("^")
    symbol = {"pixel": "px", "unknown": ""}.get(name, SYMBOLS.get(name, name))
    return symbol and symbol + {"2": "²", "3": "³"}.get(power, "")


def is_time(word: object) -> bool:
    """Whether a word is a unit of time."""
    return isinstance(word, str) and word.strip().lower() in _TIME_NAMES


def unify_length_units(
    scale: dict[str, float], translate: dict[str, float], units: dict[str, str | None], axes: str
) -> list[str]:
    """Convert z and y to the length unit of x, in place.

    Parameters
    ----------
    scale, translate : dict of axis letter to float
        Pixel size and position per axis, in `units`.
    units : dict of axis letter to str or None
        NGFF unit names.
    axes : str
        Letters of the layer's axes.

    Returns
    -------
    list of str
        One note for each conversion, for each unit that does not fit its axis, and one if only some axes have a unit.
    """
    space = [a for a in "zyx" if a in axes]
    target = units.get("x")
    notes = []
    if target in METRES:
        for axis in space:
            unit = units.get(axis)
            if unit in METRES and unit != target:
                factor = METRES[unit] / METRES[target]
                scale[axis] = scale.get(axis, 1.0) * factor
                translate[axis] = translate.get(axis, 0.0) * factor
                units[axis] = target
                notes.append(f"pixel size along {axis} converted from {unit} to {target}, the unit of x")
    strange = {a: u for a, u in units.items() if a in axes and a in "tzyx" and u and not _measures(u, a)}
    notes += [
        f"the unit of axis {a} is {u}, which is no {'time' if a == 't' else 'length'}" for a, u in strange.items()
    ]
    without = [a for a in space if units.get(a) is None]
    if without and len(without) < len(space):
        notes.append(f"no unit is given along {', '.join(without)}, but other spatial axes have one")
    return notes


def _measures(unit: str, axis: str) -> bool:
    """Whether a unit is one of the quantity along an axis; an unknown word may be."""
    return unit not in (METRES if axis == "t" else _TIMES)


def read_size(value: int | float | str, power: int = 1) -> tuple[float, str]:
    """Split a length or an area into number and unit.

    Parameters
    ----------
    value : int, float or str
        ``20``, ``"20 px"``, ``"12.5 um"``; an area is ``"80 um2"`` or ``"80 um^2"``.
    power : int
        1 for a length, 2 for an area.

    Returns
    -------
    (float, str)
        The unit without its power; ``px`` if none is given.

    Raises
    ------
    ValueError
        If it is neither, or negative.
    """
    kind, example = ("length", "'20 um'") if power == 1 else ("area", "'80 um2'")
    text = fold(str(value))
    found = None if isinstance(value, bool) else _SIZE.fullmatch(text.text)
    number = None if found is None else read_number(found[1])
    if found is None or number is None:
        raise ValueError(f"{value!r} is not a size; write pixels such as 20, or {example}")
    if number != read_number(found[1], ".") and "," in found[1]:
        raise ValueError(f"{value!r} is not a clear size; write a decimal point, and no separator of thousands")
    unit = text.written(*found.span(2)) if found[2] else "px"
    if is_pixel(unit):
        unit = "px"
    if bool(found[3]) != (power == 2) and unit != "px":
        raise ValueError(f"{value!r} is not {'an' if power == 2 else 'a'} {kind}; write pixels, or {example}")
    return number, unit


def count_of(n: int, noun: str) -> str:
    """Return a count with its noun: ``1 tile``, ``2 tiles``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def format_bytes(count: float) -> str:
    """Return a number of bytes as text: ``6.2 GB``."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("unreachable")


def format_duration(seconds: float) -> str:
    """Return a time as text: ``41 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def format_duration_range(low: float, high: float) -> str:
    """Return a time between two as text: ``41 s``, ``12 to 20 min``, ``50 min to 2.1 h``."""
    first, last = format_duration(max(1, low)), format_duration(max(1, high))
    (number, unit), other = first.split(), last.split()[1]
    return last if first == last else f"{number} to {last}" if unit == other else f"{first} to {last}"
