"""An engine that remembers what it drew, so that a tile which was tried and accepted is not drawn again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.protocol import Engine, Images, OnText, Thought
from napari_s1omni.jobs.engine_cache import SharedEngine

_LIMIT = 2**28
"""Bytes of drawn tiles that are kept."""


class DrawnTiles:
    """An engine with a memory of its last tiles; closing it leaves the engine open.

    A tile that was drawn alone may differ in the last bits from the same tile drawn in a micro-batch, so this serves
    what a user looks at and accepts, and not whole runs.

    Parameters
    ----------
    engine : Engine
    """

    def __init__(self, engine: Engine) -> None:
        self.description = engine.description
        self.plain = SharedEngine(engine)
        """The engine without a memory; closing it leaves the engine open, too."""
        self.drawn = 0
        """Tiles that the engine drew so far."""
        self.seconds = 0.0
        """Seconds that it took to think about and draw them."""
        self._engine = engine
        self._thoughts: dict[str, Thought] = {}
        self._images: dict[str, Images] = {}

    def think(
        self, images: Images, instruction: Instruction, sampling: Sampling, on_text: OnText | None = None
    ) -> list[Thought]:
        """Think about the tiles that are new; see :meth:`napari_s1omni.engine.protocol.Engine.think`."""
        keys = [_key(image, instruction.text, sampling) for image in images]

        def make(new: list[int]) -> Sequence[Thought]:
            start = time.perf_counter()
            made = self._engine.think(images[new], instruction, sampling, on_text)
            self.seconds += time.perf_counter() - start
            return made

        return _remembered(self._thoughts, keys, make)

    def generate(
        self, images: Images, thoughts: Sequence[Thought], sampling: Sampling, noise: Sequence[NoiseField]
    ) -> Images:
        """Draw the tiles that are new; see :meth:`napari_s1omni.engine.protocol.Engine.generate`."""
        facts = zip(images, thoughts, noise, strict=True)
        keys = [_key(image, thought, sampling, field) for image, thought, field in facts]

        def make(new: list[int]) -> Sequence[Images]:
            start = time.perf_counter()
            made = self._engine.generate(images[new], [thoughts[i] for i in new], sampling, [noise[i] for i in new])
            self.seconds += time.perf_counter() - start
            self.drawn += len(new)
            return list(made)

        found = np.stack(_remembered(self._images, keys, make))
        while len(self._images) > 1 and sum(image.nbytes for image in self._images.values()) > _LIMIT:
            del self._images[next(iter(self._images))]
        return found

    def close(self) -> None:
        """Forget all tiles."""
        self._thoughts.clear()
        self._images.clear()


def _remembered(memory: dict[str, Any], keys: list[str], make: Callable[[list[int]], Sequence[Any]]) -> list[Any]:
    """Return the value of each key; those that are not in the memory yet are made together."""
    new = [i for i, key in enumerate(keys) if key not in memory]
    if new:
        memory.update(zip((keys[i] for i in new), make(new), strict=True))
    return [memory[key] for key in keys]


def _key(image: Images, *facts: object) -> str:
    digest = hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16)
    digest.update(repr(facts).encode())
    return digest.hexdigest()
