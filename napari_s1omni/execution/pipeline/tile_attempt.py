"""One call of the engine for a micro-batch of tiles, and further attempts for tiles that fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.engine.protocol import Engine, Thought
from napari_s1omni.errors import GenerationError, ThoughtError, TileError
from napari_s1omni.execution.pipeline.surroundings import Surroundings
from napari_s1omni.execution.pipeline.thought_provider import ThoughtProvider
from napari_s1omni.execution.pipeline.tile_input import TileInput
from napari_s1omni.planning.plan import Plan

_ATTEMPTS_ALONE = 2
"""How often a tile is tried alone before it counts as failed; after a failed thought it is not tried again."""


@dataclass(frozen=True, slots=True)
class GeneratedTile:
    """The outcome of one tile."""

    source: TileInput
    """The tile as the engine saw it."""
    image: NDArray[np.float32] | None
    """float32 (3, H, W) as the engine generated it; None, which stands for zeros, if nothing was generated."""
    state: Literal["drawn", "kept", "empty", "failed", "outside"]
    """``kept``: it was drawn for another block."""
    error: str = ""
    """Type and message of the error if it failed."""
    micro_batch: int | None = None
    """Tiles per call of the engine; None if the engine was not called."""
    seconds: tuple[float, float] = (0.0, 0.0)
    """Its share of the time spent thinking and generating."""
    tokens: int = 0
    """Length of its thought, in tokens of the engine."""
    thought: str = ""
    """Key of its thought."""


class TileAttempt:
    """Calls the engine for tiles of one plan.

    Parameters
    ----------
    plan : Plan
    engine : Engine
    thoughts : ThoughtProvider
    surroundings : Surroundings
        Reads tiles with the margin that a thought asks for.
    on_step : callable
        Called with ``think`` and ``generate`` before each of the two stages; may wait, or raise to stop the run.
    """

    def __init__(
        self,
        plan: Plan,
        engine: Engine,
        thoughts: ThoughtProvider,
        surroundings: Surroundings,
        on_step: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._engine = engine
        self._thoughts = thoughts
        self._surroundings = surroundings
        self._on_step = on_step
        self._tile_shape = plan.drawn_shape

    def generate(self, tiles: Sequence[TileInput], micro_batch: int) -> list[GeneratedTile]:
        """Generate tiles in one call; if it fails, each tile is tried alone, so that only the faulty one is lost.

        Parameters
        ----------
        tiles : sequence of TileInput
            All with the same sampling.
        micro_batch : int
            Tiles per call at present, noted with each tile.

        Raises
        ------
        EngineError
            If the engine fails as a whole, or has no room for these tiles.
        """
        try:
            return self._call(tiles, micro_batch)
        except TileError as error:
            if len(tiles) > 1:
                return [self._generate_alone(tile, micro_batch, _ATTEMPTS_ALONE, error) for tile in tiles]
            attempts = 0 if isinstance(error, ThoughtError) else _ATTEMPTS_ALONE - 1
            return [self._generate_alone(tiles[0], micro_batch, attempts, error)]

    def _generate_alone(self, tile: TileInput, micro_batch: int, attempts: int, error: TileError) -> GeneratedTile:
        for _ in range(attempts):
            try:
                return self._call([tile], micro_batch)[0]
            except TileError as again:
                error = again
                # After a failed thought the engine has already tried twice itself.
                if isinstance(again, ThoughtError):
                    break
        return GeneratedTile(tile, None, "failed", f"{type(error).__name__}: {error}", micro_batch)

    def _call(self, tiles: Sequence[TileInput], micro_batch: int) -> list[GeneratedTile]:
        # A step may wait while the run is paused.
        self._on_step("think")
        start = time.perf_counter()
        thoughts = self._thoughts.thoughts(tiles)
        thinking = time.perf_counter() - start
        self._on_step("generate")
        start = time.perf_counter()
        images = self._draw(tiles, thoughts)
        seconds = thinking / len(tiles), (time.perf_counter() - start) / len(tiles)
        return [
            GeneratedTile(
                tile,
                image,
                "drawn",
                micro_batch=micro_batch,
                seconds=seconds,
                tokens=len(thought.token_ids),
                thought=self._thoughts.key(tile),
            )
            for tile, image, thought in zip(tiles, images, thoughts, strict=True)
        ]

    def _draw(self, tiles: Sequence[TileInput], thoughts: Sequence[Thought]) -> list[NDArray[np.float32]]:
        """Generate tiles, those with different margins apart because their images differ in size."""
        drawn: dict[int, NDArray[np.float32]] = {}
        for margin in sorted({thought.margin for thought in thoughts}):
            part = [i for i, thought in enumerate(thoughts) if thought.margin == margin]
            images = self._engine.generate(
                np.stack([self._surroundings.image(tiles[i], margin) for i in part]),
                [thoughts[i] for i in part],
                self._thoughts.sampling(tiles[0]),
                [self._noise(tiles[i]) for i in part],
            )
            self._check(images, len(part))
            drawn.update(zip(part, images, strict=True))
        return [drawn[i] for i in range(len(tiles))]

    def _check(self, images: NDArray[np.float32], count: int) -> None:
        """Raise :class:`GenerationError` unless the images have the expected shape and are finite."""
        expected = (count, 3 + self._plan.engine.expects_error, *self._tile_shape)
        if images.shape != expected or not np.isfinite(images).all():
            raise GenerationError(
                f"engine '{self._plan.engine.name}' drew shape {images.shape}, "
                f"finite: {bool(np.isfinite(images).all())}",
                f"finite tiles of shape {expected}",
            )

    def _noise(self, tile: TileInput) -> NoiseField:
        fy, fx = self._plan.grid.factor
        origin = (tile.tile.y[0] * fy, tile.tile.x[0] * fx)
        return NoiseField(self._thoughts.sampling(tile).seed, (tile.t, tile.z), origin, self._tile_shape)
