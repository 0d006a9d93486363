"""Numbers as people write them: decimal point or comma, groups of digits, powers of ten."""

from __future__ import annotations

import math
import re

_LARGE = r"(?:mm|cm|milli\w*|mili\w*|centi\w*|zenti\w*|in(?:ch\w*)?|zoll|pouces?|pulgadas?|polegadas?|毫米|厘米|英寸)"
NUMBER = (
    # A letter, a digit or the rest of a number directly before is a name such as Ki67, or a version.
    r"(?<![a-wyzμå_^])(?<![a-z]x)(?<!\d[.,])(?<!\d)"
    # "1/2 mm" is a half, "1/2 um" may be one or two.
    rf"(?:\d+ (?:1/[23458]|2/3|3/4)(?!\d|/|[.,]\d)|1/(?:[23458]|10)(?=[\s-]*{_LARGE}(?![a-z]))|"
    r"\d{1,3}(?:[ ']\d{3})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)*|(?<![a-z0-9.])\.\d+)"
    r"(?:e[-+]?\d+(?!\d)| ?[x*] ?10 ?(?:\^|\*\*) ?[-+]?\d+)?"
)
"""Pattern of a number in folded text."""

_FRACTION = re.compile(r"(?:(\d+) )?(\d)/(\d+)")
_PARTS = re.compile(r"([\d.,' ]+?)(?: ?(?:e|[x*] ?10 ?(?:\^|\*\*)) ?([-+]?\d+))?")
_POWER = re.compile(r"10(?:\^|\*\*)([-+]?\d+)")
POWER = r"(?<![a-z0-9.,])10(?:\^|\*\*)[-+]?\d+"
"""Pattern of a power of ten alone."""


def read_number(text: str, group: str = ",") -> float | None:
    """Return the value of a number, or None if its digits are grouped as no number is.

    Parameters
    ----------
    text : str
        Folded, matched by :data:`NUMBER` or :data:`POWER`.
    group : {",", "."}
        Which sign groups digits where both readings are possible: ``10,000`` is ten thousand in English, and ten in
        most other languages.

    Examples
    --------
    >>> read_number("10,000"), read_number("10,000", "."), read_number("0,5"), read_number("1.5e-2")
    (10000.0, 10.0, 0.5, 0.015)
    >>> read_number("1/2"), read_number("1 1/2")
    (0.5, 1.5)
    """
    power = _POWER.fullmatch(text)
    if power:
        return _scaled(1.0, power[1])
    fraction = _FRACTION.fullmatch(text)
    if fraction:
        return int(fraction[1] or 0) + int(fraction[2]) / int(fraction[3])
    parts = _PARTS.fullmatch(text)
    if not parts:
        return None
    # A mantissa has no groups of thousands.
    plain = _plain(re.sub(r"[ ']", "", parts[1]), "" if parts[2] else group)
    return None if plain is None else _scaled(float(plain), parts[2] or "0")


def _scaled(value: float, exponent: str) -> float | None:
    # The decimal text is read as a whole: 1.5e-2 is then the nearest float.
    if len(exponent) > 4:
        return None
    scaled = float(f"{value!r}e{int(exponent)}") if "e" not in repr(value) else value * 10.0 ** int(exponent)
    return scaled if math.isfinite(scaled) else None


def _plain(text: str, group: str) -> str | None:
    """Return digits with at most a decimal point."""
    signs = [c for c in text if c in ".,"]
    if len(set(signs)) == 2:
        decimal = signs[-1]
        whole, _, rest = text.rpartition(decimal)
        other = "," if decimal == "." else "."
        return f"{whole.replace(other, '')}.{rest}" if _grouped(whole, other) else None
    if len(signs) > 1:
        return text.replace(signs[0], "") if _grouped(text, signs[0]) else None
    if signs == [group] and _grouped(text, group):
        return text.replace(group, "")
    return text.replace(",", ".")


def _grouped(text: str, sign: str) -> bool:
    return bool(re.fullmatch(rf"[1-9]\d{{0,2}}(?:{re.escape(sign)}\d{{3}})+", text))
