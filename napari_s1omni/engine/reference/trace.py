"""The text of a thought: what was measured, how the request was understood, and which steps follow."""

from __future__ import annotations

from collections.abc import Mapping

from napari_s1omni.core.requests.reading import find_kind
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.reference.measurement import TileMeasurement

ROUTE = "<image_edit>"
"""Route token of a thought that draws from the source."""

_SIGNAL_TEXTS = {
    "bright": "bright objects on a darker ground",
    "dark": "dark objects on a brighter ground",
    "stain": "a stained section in transmitted light: colour on a bright ground",
}
_ANSWERS = {
    "segmentation": "I outlined the {target} and divided those that touch.",
    "super_resolution": "I restored the image on a grid {factor} times as fine.",
    "modality_translation": "I computed {target} from the image.",
}


def write_trace(
    measured: TileMeasurement, instruction: Instruction, polarity: str | None, steps: Mapping[str, str]
) -> str:
    """Return the text of a thought; its lines ``- name: value (reason)`` are the steps to be computed."""
    lines = [
        f"What I see. {_measurement_text(measured, instruction.view)}",
        f"How I read the request. {_request_text(instruction, polarity)}",
        "What I will do.",
        f"- task: {instruction.task}",
        *(f"- {name}: {value}" for name, value in steps.items()),
    ]
    answer = _ANSWERS[instruction.task].format(
        target=instruction.target or find_kind(instruction.request) or "objects",
        factor=" x ".join(map(str, instruction.factor)),
    )
    return "<think>\n" + "\n".join(lines) + f"\n</think>\n\n{answer}\n{ROUTE}"


def _measurement_text(measured: TileMeasurement, view: float) -> str:
    sentences = [
        f"The image is {'coloured' if measured.colour else 'grey'} and shows {_SIGNAL_TEXTS[measured.signal]}.",
        f"The ground lies at {measured.ground:.2f} of the layer's range "
        f"and varies by {measured.slope:.2f} across the image.",
        f"The noise is {measured.noise:.3f}, the contrast {measured.contrast:.2f}"
        + (f", {measured.contrast / measured.noise:.0f} times the noise." if measured.noise > 1e-4 else "."),
    ]
    if measured.size is None:
        sentences.append("Nothing stands out as an object.")
    else:
        sentences.append(
            f"Objects are about {measured.size * view:.0f} px across "
            f"and cover {measured.cover:.0%} ({measured.crowding})."
        )
    if view != 1:
        sentences.append(f"I see the layer reduced {view:g} times; lengths are in px of the layer.")
    return " ".join(sentences)


def _request_text(instruction: Instruction, polarity: str | None) -> str:
    if instruction.task == "super_resolution":
        return f"It asks for {instruction.factor[0]} x {instruction.factor[1]} px for each px (y, x)."
    if instruction.task == "modality_translation":
        return f"It asks for {instruction.target}" + (f" from {instruction.source}." if instruction.source else ".")
    target = find_kind(instruction.request)
    sentences = [f"It asks for {target}." if target else "It names no kind of object that I know, so I look for any."]
    if polarity is not None:
        sentences.append(f"It says that they are {polarity}.")
    if instruction.object_size is None:
        sentences.append("It gives no size, so the measured one stands.")
    else:
        unit = (
            ""
            if instruction.pixel is None
            else f" ({instruction.object_size * instruction.pixel:.1f} um at {instruction.pixel:.4g} um a px)"
        )
        sentences.append(
            f"It gives a size of {instruction.object_size:.0f} px{unit}, which I take instead of the measured one."
        )
    return " ".join(sentences)
