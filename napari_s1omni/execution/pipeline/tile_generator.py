"""Generates tiles in micro-batches, smaller ones where the device has too little memory."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from napari_s1omni.core.tiling import TilePlace
from napari_s1omni.errors import EngineOutOfMemory
from napari_s1omni.execution.pipeline.thought_provider import ThoughtProvider
from napari_s1omni.execution.pipeline.tile_attempt import GeneratedTile, TileAttempt
from napari_s1omni.execution.pipeline.tile_input import TileInput
from napari_s1omni.execution.shared_tiles.kept_tiles import KeptTiles
from napari_s1omni.planning.memory import KEPT_IN_BATCH
from napari_s1omni.planning.plan import Plan

_NO_IMAGE = np.zeros((3, 1, 1), np.float32)
"""Replaces the image of a tile that is not generated, to free its memory."""


class TileGenerator:
    """Generates the tiles of one plan with one engine.

    Parameters
    ----------
    plan : Plan
    attempt : TileAttempt
        Calls the engine.
    thoughts : ThoughtProvider
    on_tiles : callable
        Called after each micro-batch with the number of generated tiles and the seconds they took; may raise to
        stop the run.
    kept : KeptTiles, optional
        Tiles drawn for other blocks; left out, every tile is drawn.
    """

    def __init__(
        self,
        plan: Plan,
        attempt: TileAttempt,
        thoughts: ThoughtProvider,
        on_tiles: Callable[[int, float], None],
        kept: KeptTiles | None = None,
    ) -> None:
        self._plan = plan
        self._attempt = attempt
        self._thoughts = thoughts
        self._on_tiles = on_tiles
        self._kept = kept
        self.micro_batch = plan.engine.micro_batch
        """Tiles per call; halved when the device runs out of memory, and never raised again."""
        # Without a GPU a model takes about as long for a batch as for its tiles one by one: the first is seen soon.
        self._alone = plan.engine.threads > 0

    def generate(self, tiles: Iterable[TileInput | None]) -> Iterator[GeneratedTile]:
        """Generate tiles of any planes and blocks in micro-batches, and yield them in the order given.

        At None, the tiles collected so far are generated without waiting for a full micro-batch.
        """
        for batch in self._batches(tiles):
            start = time.perf_counter()
            # Two blocks may wait for the same tile.
            todo: dict[TilePlace, TileInput] = {}
            for tile in batch:
                if isinstance(tile, TileInput):
                    todo.setdefault(tile.place, tile)
            generated = dict(zip(todo, self._generate_batch(list(todo.values())), strict=True))
            if self._kept is not None:
                for found in generated.values():
                    self._kept.add(found)
            if todo:
                self._on_tiles(len(todo), time.perf_counter() - start)
            for tile in batch:
                if isinstance(tile, GeneratedTile):
                    yield tile
                elif todo[tile.place] is tile:
                    yield generated[tile.place]
                else:
                    yield self._same(tile, generated[tile.place])

    def _batches(self, tiles: Iterable[TileInput | None]) -> Iterator[list[TileInput | GeneratedTile]]:
        """Collect tiles until a micro-batch of them is to be generated; the others keep their place among them."""
        batch: list[TileInput | GeneratedTile] = []
        places: set[TilePlace] = set()
        waiting = 0
        for tile in tiles:
            if tile is not None:
                known = self._without_drawing(tile)
                batch.append(known or tile)
                if known is None:
                    places.add(tile.place)
                elif known.image is not None:
                    waiting += known.image.nbytes + known.source.image.nbytes
            # What is not drawn does not wait for others, and not much of it waits in all.
            enough = 1 if self._alone else self.micro_batch
            if tile is None or not places or len(places) >= enough or waiting > KEPT_IN_BATCH:
                self._alone = self._alone and not places
                yield batch
                batch, places, waiting = [], set(), 0
        yield batch

    def _without_drawing(self, tile: TileInput) -> GeneratedTile | None:
        """Return a tile for which the engine is not needed: empty, outside, or drawn for another block."""
        if self._is_empty(tile):
            bare = dataclasses.replace(tile, image=_NO_IMAGE)
            return GeneratedTile(bare, None, "outside") if tile.outside else self._empty(bare)
        return self._kept.find(tile) if self._kept is not None else None

    def _same(self, tile: TileInput, drawn: GeneratedTile) -> GeneratedTile:
        """Return a tile that was drawn in the same micro-batch for another block; what failed there is tried again."""
        if drawn.state == "drawn":
            return GeneratedTile(tile, drawn.image, "kept", thought=drawn.thought)
        start = time.perf_counter()
        (again,) = self._generate_batch([tile])
        self._on_tiles(1, time.perf_counter() - start)
        return again

    def _generate_batch(self, tiles: Sequence[TileInput]) -> list[GeneratedTile]:
        """Generate a micro-batch, tiles of different redo rounds apart because their sampling differs."""
        rounds: dict[int, list[int]] = {}
        for i, tile in enumerate(tiles):
            rounds.setdefault(self._thoughts.redo_round(tile), []).append(i)
        generated: dict[int, GeneratedTile] = {}
        for numbers in rounds.values():
            left = numbers
            while left:
                part = left[: self.micro_batch]
                try:
                    done = self._attempt.generate([tiles[i] for i in part], self.micro_batch)
                except EngineOutOfMemory as error:
                    self._halve_micro_batch(len(numbers), error)
                    continue
                generated.update(zip(part, done, strict=True))
                left = left[len(part) :]
        return [generated[i] for i in range(len(tiles))]

    def _halve_micro_batch(self, count: int, error: EngineOutOfMemory) -> None:
        """Use smaller micro-batches, as a part of `count` tiles did not fit; raise if a single tile does not."""
        if self.micro_batch == 1:
            raise EngineOutOfMemory(
                error.given,
                "room for one tile",
                f"use smaller tiles than {self._plan.grid.tile_size} px, or a device with more memory",
                **error.facts,
            ) from error
        self.micro_batch = max(1, min(self.micro_batch, count) // 2)

    def _is_empty(self, tile: TileInput) -> bool:
        """Whether there is nothing to generate: outside the region, nothing known, or labels without any contrast."""
        if tile.outside or (tile.unknown is not None and bool(tile.unknown.all())):
            return True
        return self._plan.target.kind == "labels" and bool(tile.image.min() == tile.image.max())

    def _empty(self, tile: TileInput) -> GeneratedTile:
        """Return a tile in which nothing was generated; in an image its pixels become NaN."""
        if self._plan.target.kind == "labels":
            return GeneratedTile(tile, None, "empty")
        planes = 3 + self._plan.engine.expects_error
        return GeneratedTile(tile, np.zeros((planes, *self._plan.drawn_shape), np.float32), "empty")
