"""What a quantity in a sentence measures: the size of objects, or something else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from napari_s1omni.core.sizes import phrases
from napari_s1omni.core.sizes.lengths import UM
from napari_s1omni.core.sizes.other_measures import MEASURES, Measure
from napari_s1omni.core.sizes.quantities import Quantity
from napari_s1omni.core.sizes.surroundings import IMAGE_BEFORE, LASER_LINES

_REACH = 160
"""Characters before a quantity that can say what it measures."""
END_OF_CLAUSE = re.compile(r"[,;!?\n]|(?<!\bca)(?<!\bapprox)(?<!\baprox)(?<!\bmin)(?<!\bmax)(?<!\bstd)\.(?=\s|$)|\s-\s")
_EQUALS = re.compile(
    r"\s*\(?\s*(?:=|≙|≈|:|is|are|equals?|corresponds? to|represents?|measures|has|entspr\w*|ist|sind|misst|hat|est|"
    r"equivaut a|correspond a|vaut|mesure|equivale a|es|corresponde a|e|mede|为|是|等于|相当于|代表|对应)?"
    r"\s*(?:about|etwa|environ|约)?\s*"
)


@dataclass(frozen=True, slots=True)
class Context:
    """What stands around a quantity, folded."""

    raw: str
    """Before it, as it is."""
    near: str
    """Before it, in its clause, without words such as "about" and without brackets."""
    clause: str
    """Before it, in its clause and brackets, after the quantity before."""
    after: str
    """After it, up to the next quantity."""

    @classmethod
    def of(cls, text: str, quantities: Sequence[Quantity], index: int) -> Self:
        """Return the context of the quantity at `index`."""
        quantity = quantities[index]
        with_unit = [q for q in quantities[:index] if q.unit]
        last = with_unit[-1].stop if with_unit else 0
        # What stands after the quantity before is about that one: "1 um z-step and 9 um nuclei".
        claims = [
            m.end()
            for measure in MEASURES
            if last and (m := measure.after.match(text, last, quantity.start)) and not text[m.end()].isalpha()
        ]
        start = max(*claims, last, quantity.start - _REACH)
        later = [q.start for q in quantities[index + 1 :] if q.unit]
        raw = text[start : quantity.start]
        bare = without_fillers(raw)
        ends = [m.end() for m in END_OF_CLAUSE.finditer(bare)]
        clause = bare[ends[-1] :] if ends else bare
        near = re.sub(r"[()\[\]]", " ", clause).rstrip()
        after = text[quantity.stop : later[0] if later else None]
        # What follows in brackets, with a quantity of its own, is about that one: "20 px (radius 10 px)".
        after = re.sub(r"\([^)]*$", "", after) if later else after
        return cls(raw, near, re.split(r"[()\[\]]", clause)[-1], after)


def without_fillers(text: str) -> str:
    """Return a text without the words at its end that say nothing about what is measured, such as "of about"."""
    while found := phrases.FILLER.search(text):
        text = text[: found.start()].rstrip()
    return text


def measures(text: str, quantities: Sequence[Quantity], contexts: Sequence[Context]) -> list[tuple[str, float]]:
    """Return for each quantity why it is no object size (or an empty text), and the factor to a diameter."""
    found: list[tuple[str, float]] = []
    for i, (quantity, context) in enumerate(zip(quantities, contexts, strict=True)):
        why = _why_not(quantity, context)
        if i and not why and quantity.unit:
            why = _why_equal(text, quantities[i - 1], quantity, found[-1][0])
        if not why and i + 1 < len(quantities):
            why = _why_equal(text, quantity, quantities[i + 1], "")
        found.append((why, 2.0 if not why and quantity.power == 1 and _is_radius(context) else 1.0))
    return found


def _why_equal(text: str, first: Quantity, second: Quantity, why: str) -> str:
    """Return why two quantities with an equals sign between them are none: ``1 px = 0.5 um``."""
    if (first.unit == "px") == (second.unit == "px") or not (first.unit and second.unit):
        return ""
    if not _EQUALS.fullmatch(text[first.stop : second.start]):
        return ""
    pixels = first if first.unit == "px" else second
    return "it is the size of a pixel" if pixels.readings == (1.0,) else why


def _why_not(quantity: Quantity, context: Context) -> str:
    if not quantity.unit:
        lonely = not re.match(r"\s?[a-z%°/.\d]", context.after) and phrases.SIZE_WORD.search(context.near)
        return "it has no unit; write px or um" if lonely else ""
    own = _why_by_itself(quantity)
    if own:
        return own
    for measure in MEASURES:
        if _applies(measure, quantity, context):
            return f"it {measure.why}"
    image = IMAGE_BEFORE.search(context.near)
    # "nuclei in this image of about 20 px" are nuclei of 20 px; an image of 512 x 512 px is an image.
    there = image and phrases.LOCATIVE.search(context.near[: image.start()]) and phrases.ABOUT.search(context.raw)
    if image and (quantity.edges or not there):
        return "it is the size of the image or of a part of it"
    left_out = [m.end() for m in phrases.IGNORE.finditer(context.clause)]
    if left_out and not phrases.AGAIN.search(context.clause, left_out[-1]):
        return "it is what is left out"
    if quantity.power == 1 and (phrases.AREA.search(context.clause) or phrases.AFTER_AREA.match(context.after)):
        return "an area needs a square unit, such as px2 or um2"
    return ""


def _why_by_itself(quantity: Quantity) -> str:
    """Return why a quantity is no size whatever stands around it."""
    if quantity.several:
        return "it names several sizes"
    if quantity.open_end:
        return "it is a limit, not a size"
    if quantity.unit == "voxel":
        return "voxels may count a volume; write px for a diameter"
    if quantity.power == 3:
        return "it is a volume"
    if quantity.unit == "nanometer" and not quantity.range and set(quantity.readings) & LASER_LINES:
        return "it is a laser line; write um for a size"
    written = quantity.unit_written
    if len(written) == 2 and written[1] == "M" and written[0] != written[0].upper():
        return "it is a concentration"
    if quantity.unit == "picometer" and len(written) == 2 and all(v <= 12 and v % 1 == 0 for v in quantity.readings):
        return "it is a time of day"
    return ""


def _applies(measure: Measure, quantity: Quantity, context: Context) -> bool:
    if (measure.physical and quantity.unit == "px") or measure.unless.match(context.after):
        return False
    if measure.light and not (
        quantity.unit in UM
        and quantity.power == 1
        and all(0.2 <= v * UM[quantity.unit] <= 2 for v in quantity.readings)
    ):
        return False
    return bool(
        measure.before.search(context.near)
        or measure.with_article.search(context.raw)
        or measure.after.match(context.after)
        or measure.anywhere.search(context.clause)
    )


def _is_radius(context: Context) -> bool:
    return bool(
        phrases.RADIUS.search(context.clause)
        or phrases.RADIUS.search(context.near)
        or phrases.RADIUS_LETTER.search(context.raw)
        or phrases.AFTER_RADIUS.match(context.after)
    )


def side_of(context: Context) -> str:
    """Return ``across`` for a width, ``along`` for a length or height, or an empty text."""
    for across, along in (
        (phrases.ACROSS.match(context.after), phrases.ALONG.match(context.after)),
        (phrases.BEFORE_ACROSS.search(context.near), phrases.BEFORE_ALONG.search(context.near)),
    ):
        if across or along:
            return "across" if across else "along"
    return ""
