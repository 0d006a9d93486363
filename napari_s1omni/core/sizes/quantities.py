"""Quantities in a sentence: numbers with a unit, and what belongs together: ranges, tolerances, ``20 x 30 px``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from napari_s1omni.core.sizes.folding import FoldedText
from napari_s1omni.core.sizes.lengths import LENGTH_NAMES, PIXEL_NAMES, UM, VOXEL_NAMES
from napari_s1omni.core.sizes.number_words import NUMBER_WORD, read_number_word
from napari_s1omni.core.sizes.numbers import NUMBER, POWER, read_number

_NOT_IN_SENTENCES = ("femtometer", "decimeter", "kilometer", "foot", "yard", "mile")
"""Units whose short names are words of some language, and that no object of an image has."""

_SPREAD = (
    r"\s*[(,]*\s*(?:±|\+\s*/\s*-|\+-|-\s*/\s*\+|plus\s?/?\s?minus|plus or minus|plus ou moins|mas o menos|"
    r"mais ou menos|正负|give or take)\s*"
)
_ABOUT = r"(?:about|etwa|ca\.?|environ|unos|unas|cerca de|约|大约)?\s*"
_TO = (
    r"\s*(?:-{1,3}|~|\.\.\.?|(?:up )?to|til|till|until|through|thru|bis(?: zu)?|a|jusqu'a|hasta|ate|al|至|到)"
    rf"\s*{_ABOUT}"
)
_FROM = re.compile(r"(?<![a-z])(?:from|between|zwischen|von|entre|desde|从|介于|在)\s*$")
_BETWEEN = re.compile(rf"(?:between|zwischen|entre|介于|在)\s*{_ABOUT}$")
_AND = r"\s*(?:and|und|et|y|e|&|和|与|跟)\s*"
_OR = r"\s*(?:,?\s*(?:and|or|und|oder|et|ou|y|o|e|u|&|和|与|或|或者)|/)\s*"
_TIMES = r"(\s*)(?:x|\*|by|mal|auf|sur|par|por|乘以?)(\s*)"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A stretch of a sentence that states a size."""

    start: int
    stop: int
    """Place in the folded text."""
    readings: tuple[float, ...]
    """Its value in `unit`; two if the digits can be read in two ways, none if in no way."""
    unit: str
    """``px``, ``voxel``, or the NGFF name of a length; empty for a number without a unit."""
    power: int = 1
    """1 for a length, 2 for an area, 3 for a volume."""
    several: bool = False
    """Whether it names several sizes: ``8 or 12 um``."""
    range: bool = False
    """Whether it is written as ``8 to 12 um``."""
    edges: bool = False
    """Whether it is written as ``20 x 30 px``."""
    open_end: bool = False
    """Whether it is written as ``20+ px``."""
    unit_written: str = ""
    """The unit as the request has it, in its own capitals."""


def find_quantities(text: FoldedText, groups: tuple[str, ...]) -> list[Quantity]:
    """Return all quantities with a unit, and numbers without one, in order.

    Parameters
    ----------
    text : FoldedText
    groups : tuple of str
        Which signs may group digits, see :func:`napari_s1omni.core.sizes.numbers.read_number`.
    """
    found = list(_items(text, groups))
    quantities: list[Quantity] = []
    i = 0
    while i < len(found):
        quantity, used = _joined(text.text, found[i : i + 3])
        quantities.append(quantity)
        i += used
    return quantities


def _items(text: FoldedText, groups: tuple[str, ...]) -> Iterator[Quantity]:
    for m in _patterns()[0].finditer(text.text):
        number = m["number"] or ""
        values = [read_number(number, group) for group in groups] if number else [read_number_word(m["word"])]
        readings = tuple(dict.fromkeys(v for v in values if v is not None))
        stated = m
        unit = m["unit"] or ""
        if unit == "in" and not re.match(r"\s*(?:$|[,.;:()\n])", text.text[m.end() :]):
            # "in" is a preposition unless the clause ends with it.
            unit = ""
        stop = m.end() if unit else m.start() + len(number or m["word"])
        start = m.start()
        header = None if unit else _patterns()[1].search(text.text, max(0, m.start() - 60), m.start())
        if header:
            stated, unit = header, header["unit"]
            if not re.search(r"\d\s*\S*\s*$", text.text[header.end("unit") : start]):
                start = header.start()
        if not unit:
            yield Quantity(m.start(), stop, readings, "")
            continue
        name = "px" if unit in PIXEL_NAMES else "voxel" if unit in VOXEL_NAMES else LENGTH_NAMES[unit]
        power = int(stated["power"] or stated["digit"] or 1)
        if stated["square"] or stated["squared"]:
            power = 2
        elif stated["cubic"] or stated["cubed"]:
            power = 3
        written = text.written(stated.start("unit"), stated.end("unit"))
        open_end = bool(not header and m["more"])
        yield Quantity(start, stop, readings, name, power, open_end=open_end, unit_written=written)


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return the patterns of a number with its unit, and of a unit in front of its number: ``diameter (px): 20``."""
    lengths = [s for s, name in LENGTH_NAMES.items() if name not in _NOT_IN_SENTENCES]
    spelled = sorted({*PIXEL_NAMES, *VOXEL_NAMES, *lengths}, key=len, reverse=True)
    # Latin spellings end where the word ends; Chinese ones may be followed by any character.
    latin = "|".join(re.escape(s) for s in spelled if s.isascii() or s[-1] in "mμån")
    other = "|".join(re.escape(s) for s in spelled if not (s.isascii() or s[-1] in "mμån"))
    end = r"(?![a-z0-9μ])"
    unit = (
        r"(?:(?P<square>square|sq\.?|quadrat|平方)|(?P<cubic>cubic|kubik|立方))?[\s-]*"
        rf"(?P<unit>(?:{latin})(?=\s?(?:\^|\*\*)\s?[23]|[23]?{end})|(?:{other}))"
        r"(?:\s?(?:\^|\*\*)\s?(?P<power>[23])|(?P<digit>[23]))?"
        r"(?:\s(?P<squared>carres?|cuadrad[oa]s?|quadrad[oa]s?)|\s(?P<cubed>cubes?|cubic[oa]s?))?"
    )
    word = rf"(?P<word>{NUMBER_WORD})(?=[\s-]*个?(?:{latin}|{other})|{_TO}(?:{NUMBER_WORD}))"
    number = rf"(?:(?P<number>{POWER}|{NUMBER})(?P<more>\s?\+)?\s?\)?|{word})"
    before = r"(?:[(\[]|(?<![a-z])(?:in|en|em)\s)\s*"
    behind = r"\s*(?:[)\]]\s*[:=]?|[:=])\s*(?:~|about|ca\.?)?\s*(?:[\d.,]+\s*(?:-|~|to|bis|a|x|±|\+/-)\s*)?$"
    return re.compile(rf"{number}(?:[\s-]*个?{unit})?"), re.compile(before + unit + behind)


def _joined(text: str, items: list[Quantity]) -> tuple[Quantity, int]:
    """Return the first items as one quantity, and how many they are."""
    first = items[0]
    if len(items) == 1:
        return first, 1
    second = items[1]
    gap = text[first.stop : second.start]
    if re.fullmatch(_SPREAD, gap) and (first.unit or second.unit):
        return _with_unit(first, second, second.stop), 2
    if not second.unit:
        if not first.unit and len(items) > 2 and _is_times(gap) and items[2].unit:
            third = items[2]
            if _is_times(text[second.stop : third.start]):
                return replace(_several([first, second, third], same_only=True), edges=True), 3
        return first, 1
    hyphened = re.search(r"[a-z]-$", text[: first.start])
    if (re.fullmatch(_TO, gap) and not hyphened) or (
        re.fullmatch(_AND, gap) and _BETWEEN.search(text[max(0, first.start - 30) : first.start])
    ):
        opening = _FROM.search(text[: first.start])
        return replace(_middle([first, second]), start=opening.start() if opening else first.start, range=True), 2
    if _is_times(gap):
        third_too = len(items) > 2 and items[2].unit and _is_times(text[second.stop : items[2].start])
        if third_too:
            return replace(_several([first, second, items[2]], same_only=True), edges=True), 3
        return replace(_middle([first, second]), edges=True), 2
    if not first.unit and re.fullmatch(_OR, gap):
        return _several([first, second]), 2
    return first, 1


def _is_times(gap: str) -> bool:
    # "40x 20 px" is a magnification and a size; "20x30 px" and "20 x 30 px" are two edges.
    found = re.fullmatch(_TIMES, gap)
    return found is not None and (gap.strip() not in "x*" or bool(found[1]) == bool(found[2]))


def _with_unit(first: Quantity, second: Quantity, stop: int) -> Quantity:
    of = first if first.unit else second
    return replace(first, stop=stop, unit=of.unit, power=of.power, unit_written=of.unit_written)


def _in_unit_of(item: Quantity, last: Quantity) -> tuple[float, ...]:
    """Return the readings of an item in the unit of the last one."""
    if not item.unit or item.unit == last.unit:
        return item.readings
    if item.unit in UM and last.unit in UM:
        return tuple(v * UM[item.unit] ** item.power / UM[last.unit] ** last.power for v in item.readings)
    return ()


def _middle(items: list[Quantity]) -> Quantity:
    """Return the mean of a range or of two edges, in the unit of the last."""
    last = items[-1]
    values = [_in_unit_of(item, last) for item in items]
    count = max(map(len, values)) if all(values) else 0
    readings = [sum(v[min(i, len(v) - 1)] for v in values) / len(values) for i in range(count)]
    powers = {item.power for item in items if item.unit}
    return replace(
        last, start=items[0].start, readings=tuple(dict.fromkeys(readings)), several=last.several or len(powers) > 1
    )


def _several(items: list[Quantity], same_only: bool = False) -> Quantity:
    """Return several sizes as one quantity, which is an object size only if all are the same."""
    last = items[-1]
    values = {v for item in items for v in _in_unit_of(item, last)}
    return replace(last, start=items[0].start, several=not (same_only and len(values) == 1))
