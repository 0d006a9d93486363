"""Sizes as people write them: px, or a number with a unit of length or area."""

from __future__ import annotations

import re

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?(?:e[-+]?\d+)?)\s*([a-zµμ]+)?\s*(?:\^?([2²]))?\s*", re.I)


def read_size(value: int | float | str, power: int = 1) -> tuple[float, str]:
    """Split a size into its number and its unit.

    Parameters
    ----------
    value : int, float or str
        ``20``, ``"20 px"``, ``"12.5 um"``; of an area ``"80 um2"`` or ``"80 um^2"``.
    power : int
        1 for a length, 2 for an area.

    Returns
    -------
    (float, str)
        The unit without its power; ``px`` for a bare number.

    Raises
    ------
    ValueError
        If it is neither, or below 0.
    """
    example = "'20 um'" if power == 1 else "'80 um2'"
    found = _SIZE.fullmatch(str(value))
    if not found or isinstance(value, bool):
        raise ValueError(f"{value!r} is no size; a size is px such as 20, or {example}")
    number, unit, square = found.groups()
    unit = unit or "px"
    if bool(square) != (power == 2) and unit != "px":
        raise ValueError(f"{value!r} is no {'area' if power == 2 else 'length'}; write px, or {example}")
    return float(number), unit
