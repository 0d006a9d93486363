"""The trace: what was seen, how the request was read, and the steps that follow, in plain English."""

from __future__ import annotations

from collections.abc import Mapping

from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.reference.measurement import TileMeasurement
from napari_s1omni.engine.reference.prompt_words import target_of

ROUTE = "<image_edit>"
"""The route token: draw from the source."""

_LOOKS = {
    "bright": "bright objects on a darker ground",
    "dark": "dark objects on a brighter ground",
    "stain": "a stained section in transmitted light: colour on a bright ground",
}
_DONE = {
    "segmentation": "I outlined the {target} and divided those that touch.",
    "super_resolution": "I restored the image on a grid {factor} times as fine.",
    "modality_translation": "I computed {target} from the image.",
}


def write(seen: TileMeasurement, words: Instruction, polarity: str | None, steps: Mapping[str, str]) -> str:
    """Word a thought. The lines ``- name: value (reason)`` are what will be done."""
    lines = [
        f"What I see. {_seen(seen, words.view)}",
        f"How I read the request. {_read(words, polarity)}",
        "What I will do.",
        f"- task: {words.task}",
        *(f"- {name}: {value}" for name, value in steps.items()),
    ]
    answer = _DONE[words.task].format(
        target=words.target or target_of(words.request) or "objects", factor=" x ".join(map(str, words.factor))
    )
    return "<think>\n" + "\n".join(lines) + f"\n</think>\n\n{answer}\n{ROUTE}"


def _seen(seen: TileMeasurement, view: float) -> str:
    sentences = [
        f"The image is {'coloured' if seen.colour else 'grey'} and shows {_LOOKS[seen.signal]}.",
        f"The ground lies at {seen.ground:.2f} of the layer's range and varies by {seen.slope:.2f} across the image.",
        f"The noise is {seen.noise:.3f}, the contrast {seen.contrast:.2f}"
        + (f", {seen.contrast / seen.noise:.0f} times the noise." if seen.noise > 1e-4 else "."),
    ]
    if seen.size is None:
        sentences.append("Nothing stands out as an object.")
    else:
        sentences.append(
            f"Objects are about {seen.size * view:.0f} px across and cover {seen.cover:.0%} ({seen.crowding})."
        )
    if view != 1:
        sentences.append(f"I see the layer reduced {view:g} times; lengths are in px of the layer.")
    return " ".join(sentences)


def _read(words: Instruction, polarity: str | None) -> str:
    if words.task == "super_resolution":
        return f"It asks for {words.factor[0]} x {words.factor[1]} px for each px (y, x)."
    if words.task == "modality_translation":
        return f"It asks for {words.target}" + (f" from {words.source}." if words.source else ".")
    target = target_of(words.request)
    sentences = [f"It asks for {target}." if target else "It names no kind of object that I know, so I look for any."]
    if polarity is not None:
        sentences.append(f"It says that they are {polarity}.")
    if words.size is None:
        sentences.append("It gives no size, so the measured one stands.")
    else:
        unit = "" if words.pixel is None else f" ({words.size * words.pixel:.1f} um at {words.pixel:.4g} um a px)"
        sentences.append(f"It gives a size of {words.size:.0f} px{unit}, which I take instead of the measured one.")
    return " ".join(sentences)
