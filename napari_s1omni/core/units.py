"""Names of units: the many spellings in files, and the names of the NGFF vocabulary."""

from __future__ import annotations

METRES = {
    "angstrom": 1e-10,
    "nanometer": 1e-9,
    "micrometer": 1e-6,
    "millimeter": 1e-3,
    "centimeter": 1e-2,
    "meter": 1.0,
    "inch": 0.0254,
}
"""Lengths that can be turned into one another, in metres."""

_SPELLINGS = {
    "angstrom": ("å", "angstroms"),
    "nanometer": ("nm", "nanometre", "nanometers"),
    "micrometer": ("um", "µm", "μm", "micron", "microns", "micrometre", "micrometers", "\\u00b5m"),
    "millimeter": ("mm", "millimetre", "millimeters"),
    "centimeter": ("cm", "centimetre", "centimeters"),
    "meter": ("m", "metre", "meters"),
    "inch": ("in", "inches"),
    "second": ("s", "sec", "secs", "seconds"),
    "millisecond": ("ms", "msec", "milliseconds"),
    "microsecond": ("us", "µs", "μs", "microseconds"),
    "minute": ("min", "minutes"),
    "hour": ("h", "hours"),
    "day": ("d", "days"),
}
_NAMES = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in (name, *spellings)}
_NO_UNIT = {"", "pixel", "pixels", "px", "voxel", "none", "null", "unknown", "reference frame"}


def unit_name(word: str | None) -> str | None:
    """Return the NGFF name of a unit, the word itself if it is not known, None if it says there is none."""
    if word is None or word.strip().lower() in _NO_UNIT:
        return None
    return _NAMES.get(word.strip().lower(), word.strip())


def one_length(
    scale: dict[str, float], translate: dict[str, float], units: dict[str, str | None], axes: str
) -> list[str]:
    """Bring z, y and x to one unit of length, that of x, in place; return notes on what was changed or lacks."""
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
                notes.append(f"px size along {axis} was turned from {unit} into {target}, the unit of x")
    without = [a for a in space if units.get(a) is None]
    if without and len(without) < len(space):
        notes.append(f"no unit is given along {', '.join(without)}, while other axes of space have one")
    return notes
