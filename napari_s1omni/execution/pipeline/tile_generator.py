"""Drawing: from windows to fields, one micro-batch at a time, with the policy for tiles that fail."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.engine.protocol import Engine
from napari_s1omni.errors import EngineOutOfMemory, GenerationError, ThoughtError, TileError
from napari_s1omni.execution.pipeline.thought_provider import ThoughtProvider, Window
from napari_s1omni.planning.plan import Plan

_TRIES = 2
"""Times a suspect tile is run alone before it is given up; a thought that ran away alone is not asked for again."""


@dataclass(frozen=True, slots=True)
class GeneratedTile:
    """What was drawn for one window, or why nothing was."""

    window: Window
    image: NDArray[np.float32] | None
    """float32 (3, H, W) as the engine drew it; None, which stands for zeros, where the tile was not drawn."""
    state: Literal["drawn", "empty", "failed", "outside"]
    error: str | None = None
    """Why it failed."""
    micro_batch: int | None = None
    """Tiles per call when it was drawn; None where nothing was."""
    seconds: tuple[float, float] = (0.0, 0.0)
    """Its share of the time spent thinking and drawing."""
    tokens: int = 0
    """Length of its thought, in the engine's tokens."""
    thought: str = ""
    """Key of its thought."""


class TileGenerator:
    """Draws windows with one engine for one plan.

    Parameters
    ----------
    plan : Plan
    engine : Engine
    mind : ThoughtProvider
    on_step : callable
        Told ``think`` and ``generate`` before each stage of a micro-batch.
    on_tiles : callable
        Told how many tiles were drawn, and in how many seconds, after each micro-batch; may raise to stop the run.
    """

    def __init__(
        self,
        plan: Plan,
        engine: Engine,
        mind: ThoughtProvider,
        on_step: Callable[[str], None],
        on_tiles: Callable[[int, float], None],
    ) -> None:
        self._plan = plan
        self._engine = engine
        self._mind = mind
        self._on_step = on_step
        self._on_tiles = on_tiles
        self._nothing = np.zeros((3, 1, 1), np.float32)
        fy, fx = plan.grid.factor
        self._shape = (3, plan.grid.tile_size * fy, plan.grid.tile_size * fx)
        self.micro_batch = plan.engine.micro_batch
        """Tiles per call; halved when the device has no room for them, and never raised again."""

    def draw(self, windows: Iterable[Window | None]) -> Iterator[GeneratedTile]:
        """Draw windows in micro-batches, whatever planes and blocks they belong to, yielding in the order given.

        At None, what is there is drawn without waiting for a whole micro-batch.
        """
        waiting: list[Window] = []
        busy: list[Window] = []
        for window in windows:
            if window is None:
                yield from self._in_order(waiting, busy)
                waiting, busy = [], []
                continue
            if not self._is_empty(window):
                busy.append(window)
                waiting.append(window)
            elif waiting:
                # Of an empty tile only its place is still needed.
                waiting.append(dataclasses.replace(window, image=self._nothing))
            else:
                yield _undrawn(window)
            if len(busy) >= self.micro_batch:
                yield from self._in_order(waiting, busy)
                waiting, busy = [], []
        yield from self._in_order(waiting, busy)

    def _in_order(self, waiting: list[Window], busy: list[Window]) -> Iterator[GeneratedTile]:
        start = time.perf_counter()
        drawn = self._draw_all(busy)
        if drawn:
            self._on_tiles(len(drawn), time.perf_counter() - start)
        found = iter(drawn)
        for window in waiting:
            yield _undrawn(window) if window.image is self._nothing else next(found)

    def _draw_all(self, windows: list[Window]) -> list[GeneratedTile]:
        """Draw windows, those with numbers of their own apart from the others."""
        kinds: dict[int, list[int]] = {}
        for place, window in enumerate(windows):
            kinds.setdefault(self._mind.round(window), []).append(place)
        drawn = {
            place: found
            for places in kinds.values()
            for place, found in zip(places, self._draw_fitting([windows[i] for i in places]), strict=True)
        }
        return [drawn[place] for place in range(len(windows))]

    def _draw_fitting(self, windows: list[Window]) -> list[GeneratedTile]:
        """Draw at most a micro-batch, in smaller ones where the device has no room."""
        done: list[GeneratedTile] = []
        while len(done) < len(windows):
            try:
                done += self._draw_batch(windows[len(done) : len(done) + self.micro_batch])
            except EngineOutOfMemory as error:
                if self.micro_batch == 1:
                    raise EngineOutOfMemory(
                        error.given,
                        "room for one tile",
                        f"use smaller tiles than {self._plan.grid.tile_size} px, or a device with more memory",
                        **error.facts,
                    ) from error
                self.micro_batch = max(1, min(self.micro_batch, len(windows)) // 2)
        return done

    def _is_empty(self, window: Window) -> bool:
        """Report whether nothing is to be drawn: outside, or a mask of a tile without any contrast (no threshold)."""
        return window.outside or (self._plan.target.kind == "labels" and bool(window.image.min() == window.image.max()))

    def _draw_batch(self, windows: Sequence[Window]) -> list[GeneratedTile]:
        try:
            return self._attempt(windows)
        except TileError as error:
            # Only the culprit may pay: every tile of the batch gets its own tries.
            tries = _TRIES if len(windows) > 1 else 0 if isinstance(error, ThoughtError) else _TRIES - 1
            return [self._alone(window, tries, error) for window in windows]

    def _alone(self, window: Window, tries: int, error: TileError) -> GeneratedTile:
        for _ in range(tries):
            try:
                return self._attempt([window])[0]
            except ThoughtError as again:
                # The engine itself has thought twice.
                error = again
                break
            except TileError as again:
                error = again
        return GeneratedTile(window, None, "failed", f"{type(error).__name__}: {error}", self.micro_batch)

    def _attempt(self, windows: Sequence[Window]) -> list[GeneratedTile]:
        plan = self._plan
        start = time.perf_counter()
        self._on_step("think")
        thoughts = self._mind.thoughts(windows)
        middle = time.perf_counter()
        self._on_step("generate")
        images = np.stack([w.image for w in windows])
        drawn = self._engine.generate(
            images, thoughts, self._mind.sampling(windows[0]), [self._noise(w) for w in windows]
        )
        expected = (len(windows), *self._shape)
        if drawn.shape != expected or not np.isfinite(drawn).all():
            raise GenerationError(
                f"engine '{plan.engine.name}' drew shape {drawn.shape}, finite: {bool(np.isfinite(drawn).all())}",
                f"finite tiles of shape {expected}",
            )
        end = time.perf_counter()
        seconds = (middle - start) / len(windows), (end - middle) / len(windows)
        return [
            GeneratedTile(
                window,
                tile,
                "drawn",
                None,
                self.micro_batch,
                seconds,
                len(thought.token_ids),
                self._mind.key(window),
            )
            for window, tile, thought in zip(windows, drawn, thoughts, strict=True)
        ]

    def _noise(self, window: Window) -> NoiseField:
        fy, fx = self._plan.grid.factor
        edge = self._plan.grid.tile_size
        origin = (window.tile.y[0] * fy, window.tile.x[0] * fx)
        return NoiseField(self._mind.sampling(window).seed, (window.t, window.z), origin, (edge * fy, edge * fx))


def _undrawn(window: Window) -> GeneratedTile:
    return GeneratedTile(window, None, "outside" if window.outside else "empty")
