"""The reference engine: it measures an image, writes down which steps follow, and computes exactly those."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.requests.reading import find_polarity
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.description import EngineDescription
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.protocol import Images, OnText, Thought
from napari_s1omni.engine.reference import segmentation, super_resolution, translation
from napari_s1omni.engine.reference.description import describe
from napari_s1omni.engine.reference.measurement import TileMeasurement, measure_tile
from napari_s1omni.engine.reference.steps import Steps
from napari_s1omni.engine.reference.trace import ROUTE, write_trace
from napari_s1omni.errors import GenerationError, OperationRefused, ThoughtError


@dataclass(frozen=True, slots=True)
class _Method:
    """How one operation is performed."""

    choose_steps: Callable[[NDArray[np.float32], TileMeasurement, Instruction], dict[str, str]]
    draw: Callable[[NDArray[np.float32], Steps, tuple[int, int]], NDArray[np.float32]]
    defaults: Mapping[str, str]
    margin: Callable[[Steps], int] = lambda steps: 0
    """Source pixels around a tile that `draw` must see if one thought serves all tiles of a layer."""


_METHODS = {
    "segmentation": _Method(segmentation.choose_steps, segmentation.draw, segmentation.DEFAULTS, segmentation.margin),
    "super_resolution": _Method(super_resolution.choose_steps, super_resolution.draw, super_resolution.DEFAULTS),
    "modality_translation": _Method(translation.choose_steps, translation.draw, translation.DEFAULTS),
}


class ReferenceEngine:
    """Classical image analysis behind the protocol of a model. Holds no state."""

    def __init__(self) -> None:
        self._description = describe()

    @property
    def description(self) -> EngineDescription:
        return self._description

    def think(
        self, images: Images, instruction: Instruction, sampling: Sampling, on_text: OnText | None = None
    ) -> list[Thought]:
        """Measure each image and write down what to do; see :class:`napari_s1omni.engine.protocol.Engine`."""
        method = _METHODS.get(instruction.task)
        if method is None:
            raise OperationRefused(
                f"the reference engine does not know the task '{instruction.task}'",
                f"tasks are {', '.join(_METHODS)}",
                "give the instruction one of these tasks",
            )
        polarity = find_polarity(instruction.request) if instruction.task == "segmentation" else None
        thoughts = []
        for i, image in enumerate(images):
            measured = measure_tile(image, polarity, sampling.think == "once")
            text = write_trace(measured, instruction, polarity, method.choose_steps(image, measured, instruction))
            if on_text is not None:
                on_text(i, text)
            margin = method.margin(Steps.read(text)) if measured.layer else 0
            thoughts.append(Thought(text, route=ROUTE, margin=margin))
        return thoughts

    def generate(
        self,
        images: Images,
        thoughts: Sequence[Thought],
        sampling: Sampling,
        noise: Sequence[NoiseField],
    ) -> Images:
        """Compute the steps that each thought states; see :class:`napari_s1omni.engine.protocol.Engine`.

        Nothing but the text of the thought is used. A step that it does not state takes a default, so a thought that
        only repeats the instruction can be drawn too.

        Raises
        ------
        ThoughtError
            If a thought names no task, or one of its steps cannot be used.
        GenerationError
            If a drawn tile is not finite.
        """
        drawn = [
            _draw(image, thought, field.shape) for image, thought, field in zip(images, thoughts, noise, strict=True)
        ]
        out = np.stack(drawn).astype(np.float32)
        if not np.isfinite(out).all():
            raise GenerationError("a drawn tile holds values that are not finite", "finite numbers", "check the source")
        return out

    def close(self) -> None:
        """Do nothing, since nothing is held."""


def _draw(image: NDArray[np.float32], thought: Thought, shape: tuple[int, int]) -> NDArray[np.float32]:
    stated = Steps.read(thought.text).values
    # A thought that only repeats the instruction states the task and the target as the instruction does.
    repeated = Instruction.read(thought.text)
    task = stated.get("task", repeated.task)
    if task not in _METHODS:
        raise ThoughtError(
            f"the thought names the task '{task}'" if task else "the thought names no task",
            f"a line '- task: name' with one of {', '.join(_METHODS)}",
            "correct the thought or think again",
        )
    method = _METHODS[task]
    asked = {"method": repeated.target} if repeated.target else {}
    return method.draw(image, Steps({**method.defaults, **asked, **stated}), shape)
