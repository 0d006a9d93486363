"""Says what was measured, in one or two sentences."""

from __future__ import annotations

from collections.abc import Mapping

from napari_s1omni.asking.measuring.plan import MeasuringPlan
from napari_s1omni.asking.view import PixelBox


def answer_in_words(plan: MeasuringPlan, notes: Mapping[str, float]) -> tuple[str, list[PixelBox]]:
    """Return the answer and the boxes that it speaks of.

    Parameters
    ----------
    plan : MeasuringPlan
    notes : mapping of str to float
        What the code noted, by name.
    """
    text, boxes = _answer(plan, notes)
    return text + (f" This is plane {plan.z} of 0 to {plan.planes - 1}." if plan.planes > 1 else ""), boxes


def _answer(plan: MeasuringPlan, notes: Mapping[str, float]) -> tuple[str, list[PixelBox]]:
    if len(plan.measurement.boxes) > 1:
        return _comparison(plan, notes)
    total = int(sum(notes[f"{name}: count"] for name in plan.boxes))
    noun = _noun(plan, notes)
    if not total:
        return f"No {noun} stand out from the background.", []
    sentence = {
        "count": _count,
        "density": _density,
        "size": _size,
        "brightness": _brightness,
        "place": _size,
    }[plan.measurement.quantity]
    extreme = plan.measurement.extreme
    if plan.measurement.quantity == "place" and extreme:
        name, box = _extreme(plan, notes, extreme)
        diameter = notes[f"{name}: {extreme} diameter"]
        text = (
            f"The {extreme} of {total:,} {noun} lies in rows {box.y0} to {box.y1}, columns {box.x0} to {box.x1}; "
            f"its diameter is {_length(diameter)} {plan.symbol}."
        )
        return text + _sampled(plan, "It is the one of the windows that were measured."), [box]
    return sentence(plan, notes, total), list(plan.boxes.values())


def _count(plan: MeasuringPlan, notes: Mapping[str, float], total: int) -> str:
    if plan.sampled:
        whole = total / plan.share
        about = f"About {float(f'{whole:.2g}'):,.0f} {_noun(plan, notes)}"
        return f"{about}: {total:,} in windows that cover {plan.share:.2%}."
    return f"{total:,} {_noun(plan, notes)}."


def _density(plan: MeasuringPlan, notes: Mapping[str, float], total: int) -> str:
    area = sum(notes[f"{name}: field area"] for name in plan.boxes)
    return (
        f"{total / area:.3g} {_noun(plan, notes)} per {plan.area_symbol}: {total:,} on {_length(area)} "
        f"{plan.area_symbol}." + _sampled(plan, "This is the mean of the windows that were measured.")
    )


def _size(plan: MeasuringPlan, notes: Mapping[str, float], total: int) -> str:
    low, middle, high = (_mean(plan, notes, name) for name in ("10 % are below", "median diameter", "90 % are below"))
    return (
        f"The median diameter of {total:,} {_noun(plan, notes)} is {_length(middle)} {plan.symbol}; "
        f"most have {_length(low)} to {_length(high)} {plan.symbol}."
    )


def _brightness(plan: MeasuringPlan, notes: Mapping[str, float], total: int) -> str:
    mean = _mean(plan, notes, "mean intensity")
    return f"The mean intensity of {total:,} {_noun(plan, notes)} is {mean:.4g}."


def _noun(plan: MeasuringPlan, notes: Mapping[str, float]) -> str:
    """Return the objects in words; whether they were taken to be bright or dark is always said."""
    asked = plan.measurement
    bright = {notes[f"{name}: bright against the ground"] for name in plan.boxes if notes[f"{name}: count"]}
    if asked.polarity or len(bright) != 1:
        return asked.noun
    return f"{'bright' if bright == {1.0} else 'dark'} {asked.noun}"


def _length(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _mean(plan: MeasuringPlan, notes: Mapping[str, float], name: str) -> float:
    """Return the mean of a value over the boxes, each weighted by its objects."""
    counts = {box: notes[f"{box}: count"] for box in plan.boxes if notes[f"{box}: count"]}
    return sum(count * notes[f"{box}: {name}"] for box, count in counts.items()) / sum(counts.values())


def _extreme(plan: MeasuringPlan, notes: Mapping[str, float], extreme: str) -> tuple[str, PixelBox]:
    """Return the box in which the extreme object lies, and its own."""
    found = [name for name in plan.boxes if notes[f"{name}: count"]]
    least, by = extreme in ("smallest", "darkest"), "diameter" if extreme in ("largest", "smallest") else "intensity"
    chosen = (min if least else max)(found, key=lambda name: notes[f"{name}: {extreme} {by}"])
    return chosen, PixelBox(*(int(notes[f"{chosen}: {extreme} {corner}"]) for corner in ("y0", "x0", "y1", "x1")))


def _comparison(plan: MeasuringPlan, notes: Mapping[str, float]) -> tuple[str, list[PixelBox]]:
    parts = []
    for name in plan.boxes:
        count = int(notes[f"{name}: count"])
        size = f", median diameter {notes[f'{name}: median diameter']:.3g} {plan.symbol}" if count else ""
        density = f"{notes[f'{name}: density']:.3g} per {plan.area_symbol}"
        box = plan.boxes[name]
        place = f"rows {box.y0} to {box.y1}, columns {box.x0} to {box.x1}"
        parts.append(f"{place}: {count:,} {_noun(plan, notes)}, {density}{size}")
    return "; ".join(parts) + ".", list(plan.boxes.values())


def _sampled(plan: MeasuringPlan, sentence: str) -> str:
    return f" {sentence}" if plan.sampled else ""
