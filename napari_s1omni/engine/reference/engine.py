"""ReferenceEngine: measure, say what follows from it, compute exactly that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.protocol import EngineDescription, Images, OnText, Thought
from napari_s1omni.engine.reference import segmentation as blobs
from napari_s1omni.engine.reference import super_resolution as detail
from napari_s1omni.engine.reference import translation as contrasts
from napari_s1omni.engine.reference.description import describe
from napari_s1omni.engine.reference.measurement import TileMeasurement, measure_tile
from napari_s1omni.engine.reference.prompt_words import polarity_of
from napari_s1omni.engine.reference.recipe import Recipe
from napari_s1omni.engine.reference.trace import ROUTE, write
from napari_s1omni.errors import GenerationError, OperationRefused, ThoughtError


@dataclass(frozen=True, slots=True)
class _Method:
    decide: Callable[[NDArray[np.float32], TileMeasurement, Instruction], dict[str, str]]
    draw: Callable[[NDArray[np.float32], Recipe, tuple[int, int]], NDArray[np.float32]]
    defaults: Mapping[str, str]


_METHODS = {
    "segmentation": _Method(blobs.decide, blobs.draw, blobs.DEFAULTS),
    "super_resolution": _Method(detail.decide, detail.draw, detail.DEFAULTS),
    "modality_translation": _Method(contrasts.decide, contrasts.draw, contrasts.DEFAULTS),
}


class ReferenceEngine:
    """Classical image analysis behind the same two verbs as a model. Holds no state."""

    def __init__(self) -> None:
        self._description = describe()

    @property
    def description(self) -> EngineDescription:
        return self._description

    def think(self, images: Images, prompt: str, sampling: Sampling, on_text: OnText | None = None) -> list[Thought]:
        """Measure each image and write what to do; see :class:`napari_s1omni.engine.protocol.Engine`."""
        words = Instruction.read(prompt)
        if words.task not in _METHODS:
            raise OperationRefused(
                f"the reference engine does not know the task '{words.task}'",
                f"tasks are {', '.join(_METHODS)}",
                "begin the instruction with a line 'Task: segmentation'",
            )
        polarity = polarity_of(words.request) if words.task == "segmentation" else None
        thoughts = []
        for i, image in enumerate(images):
            seen = measure_tile(image, polarity)
            text = write(seen, words, polarity, _METHODS[words.task].decide(image, seen, words))
            if on_text is not None:
                on_text(i, text)
            thoughts.append(Thought(text, route=ROUTE))
        return thoughts

    def generate(
        self,
        images: Images,
        thoughts: Sequence[Thought],
        sampling: Sampling,
        noise: Sequence[NoiseField],
    ) -> Images:
        """Compute what each thought states, and nothing else; see :class:`napari_s1omni.engine.protocol.Engine`.

        A step that a thought does not state takes a fixed default. So a thought
        that only restates the instruction can be drawn too.

        Raises
        ------
        ThoughtError
            If a thought names no task, or a step of it cannot be understood.
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
        """Nothing is held."""


def load(name: str = "reference") -> ReferenceEngine:
    """Make the engine; `name` is accepted for symmetry with other engines."""
    return ReferenceEngine()


def _draw(image: NDArray[np.float32], thought: Thought, shape: tuple[int, int]) -> NDArray[np.float32]:
    recipe = Recipe.read(thought.text)
    words = Instruction.read(thought.text)
    task = recipe.steps.get("task", words.task)
    if task not in _METHODS:
        raise ThoughtError(
            f"the thought names the task '{task}'" if task else "the thought names no task",
            f"a line '- task: name' with one of {', '.join(_METHODS)}",
            "correct the thought or think again",
        )
    method = _METHODS[task]
    asked = {"method": words.target} if words.target else {}
    return method.draw(image, Recipe({**method.defaults, **asked, **recipe.steps}), shape)
