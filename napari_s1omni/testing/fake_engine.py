"""An engine without weights whose result is a known function of its input, so that runs can be tested exactly.

An image is drawn as itself (each pixel repeated in super-resolution), a mask as the pixels above one half.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.description import EngineDescription, EngineHost, EngineLimits, EngineMemory
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.protocol import Images, OnText, Thought
from napari_s1omni.errors import GenerationError, ThoughtError


class FakeEngine:
    """An engine with known results.

    Parameters
    ----------
    seconds : float
        Time to sleep for each drawn tile.
    poison : float, optional
        A tile whose largest value equals this always fails to be drawn.
    noise : float
        Amplitude of the noise, a function of absolute position, that is added to images.
    multiple_of : int
        Divisor of the tile sizes it accepts.
    on_generate : callable, optional
        Called with the number of tiles drawn so far before each batch; may raise or kill the process.
    """

    def __init__(
        self,
        *,
        seconds: float = 0.0,
        poison: float | None = None,
        noise: float = 0.0,
        multiple_of: int = 1,
        on_generate: Callable[[int], None] | None = None,
    ) -> None:
        self._seconds = seconds
        self._poison = poison
        self._noise = noise
        self._on_generate = on_generate
        self.description = EngineDescription(
            name="fake",
            revision="1",
            title="known answers for tests",
            operations=("segmentation", "super_resolution", "modality_translation"),
            limits=EngineLimits(multiple_of=multiple_of, min_size=1),
            tile_size=64,
            overlap=16,
            micro_batch=4,
            generates=False,
            host=EngineHost(memory=EngineMemory(resident=0, per_tile_pixel=16), seconds_per_tile=seconds or None),
        )
        self.thought = 0
        """Tiles thought about so far."""
        self.drawn = 0
        """Tiles drawn so far."""

    def think(
        self, images: Images, instruction: Instruction, sampling: Sampling, on_text: OnText | None = None
    ) -> list[Thought]:
        """State the task and the mean of the tile."""
        task, prompt = instruction.task, instruction.text
        if not task:
            raise ThoughtError("the instruction names no task", "an instruction with a task")
        self.thought += len(images)
        thoughts = [
            Thought(f"<think>mean {image.mean():.6f}</think>\n\n{task}\n<image_edit>", (), "<image_edit>", prompt)
            for image in images
        ]
        for i, thought in enumerate(thoughts):
            if on_text is not None:
                on_text(i, thought.text)
        return thoughts

    def generate(
        self, images: Images, thoughts: Sequence[Thought], sampling: Sampling, noise: Sequence[NoiseField]
    ) -> Images:
        """Draw the known result of each tile."""
        if self._on_generate is not None:
            self._on_generate(self.drawn)
        time.sleep(self._seconds * len(images))
        self.drawn += len(images)
        return np.stack([self._draw(*each) for each in zip(images, thoughts, noise, strict=True)])

    def close(self) -> None:
        """Do nothing, since nothing is held."""

    def _draw(self, image: Images, thought: Thought, noise: NoiseField) -> Images:
        if self._poison is not None and float(image.max()) == self._poison:
            raise GenerationError("a poisoned tile", "another one")
        if "segmentation" in thought.answer or "Task: segmentation" in thought.text:
            mask = image[0] > 0.5
            depth = ndimage.distance_transform_cdt(mask).astype(np.float32)
            return np.stack([mask, mask, np.minimum(depth / 8, 1)]).astype(np.float32)
        fy, fx = (n // s for n, s in zip(noise.shape, image.shape[1:], strict=True))
        drawn = np.repeat(np.repeat(image, fy, axis=1), fx, axis=2)
        return drawn + np.float32(self._noise) * noise.draw(0, 3) if self._noise else drawn
