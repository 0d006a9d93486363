"""The pipeline: read ahead, think and draw, write behind. It is the same in this process and in a worker.

::

    read ahead           caller's thread                      write behind
    read plane  ----->   cut tiles                            join tiles into fields
    (2 planes)           micro-batch: think, generate  -----> fields to px
                                                              shard, slabs, journal

A micro-batch takes tiles from wherever the plan goes on, across planes and
blocks, so that every call of the engine but the last has the same size.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from napari_s1omni.core.tiling import Block
from napari_s1omni.engine.protocol import Engine
from napari_s1omni.execution.pipeline.block import BlockResult, BlockWork
from napari_s1omni.execution.pipeline.plane_reader import Plane, PlaneReader
from napari_s1omni.execution.pipeline.prefetch import Prefetcher, WriteBehind
from napari_s1omni.execution.pipeline.region_mask import RegionMask
from napari_s1omni.execution.pipeline.retry import Retry
from napari_s1omni.execution.pipeline.thought_provider import ThoughtProvider, ThoughtStore, Window
from napari_s1omni.execution.pipeline.tile_generator import GeneratedTile, TileGenerator
from napari_s1omni.execution.run.events import BlockDone, OnEvent, TilesDone, ignore
from napari_s1omni.execution.run.redo_log import RedoLog
from napari_s1omni.planning.memory import QUEUE, field_bytes, plane_bytes
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.files.disk import OnStep, no_step
from napari_s1omni.storage.logs.journal import BlockRecord
from napari_s1omni.storage.source import Source


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Everything that stays the same from block to block."""

    plan: Plan
    engine: Engine
    source: Source
    thoughts: ThoughtStore
    commit: Callable[[BlockResult], BlockRecord]
    """Writes a finished block; called in a thread of its own."""
    check: Callable[[], None] = lambda: None
    """Called between micro-batches; may wait, or raise to stop."""
    on_event: OnEvent = ignore
    """Told of tiles and blocks; from two threads."""
    on_step: OnStep = no_step
    """Told ``read``, ``think``, ``generate`` before each stage."""
    patience: Retry = field(default_factory=Retry)
    """For source and output."""
    redone: RedoLog = field(default_factory=RedoLog)
    """Tiles with numbers and thoughts of their own."""

    def run(self, blocks: Iterable[Block | None]) -> None:
        """Read, think, generate, join, finish and write blocks.

        None in the place of a block lets what is in hand be drawn at once, as the next one may be long in coming.
        When it ends with an error, blocks whose tiles were all drawn are written nevertheless.

        Raises
        ------
        SourceError
            If the source cannot be read.
        EngineError
            If the engine fails as a whole; a single failing tile becomes a hole instead.
        StoreError, DiskFull
            If the result cannot be written.
        """
        reader = PlaneReader(self.plan, self.source, self.patience, self.on_step, RegionMask.of(self.plan))
        mind = ThoughtProvider(self.plan, self.engine, self.thoughts, reader.read, self.redone)
        works: dict[Block, BlockWork] = {}
        with (
            WriteBehind(functools.partial(self._join, works), max(QUEUE, field_bytes(self.plan))) as behind,
            Prefetcher(reader.planes(blocks), max(QUEUE, 2 * plane_bytes(self.plan))) as planes,
        ):

            def on_tiles(count: int, seconds: float) -> None:
                self.on_event(TilesDone(count, seconds))
                behind.check()
                self.check()

            artist = TileGenerator(self.plan, self.engine, mind, self.on_step, on_tiles)
            for drawn in artist.draw(self._windows(reader, planes, works)):
                behind.put(drawn, 512 if drawn.image is None else drawn.image.nbytes + drawn.window.image.nbytes)

    def _windows(
        self, reader: PlaneReader, planes: Iterable[Plane | None], works: dict[Block, BlockWork]
    ) -> Iterator[Window | None]:
        for plane in planes:
            # Where all is empty there is no micro-batch after which to look.
            self.check()
            if plane is None:
                yield None
                continue
            work = works.setdefault(plane.block, BlockWork(self.plan, plane.block, reader.area))
            work.seconds["read"] += plane.seconds
            yield from reader.windows(plane)

    def _join(self, works: dict[Block, BlockWork], drawn: GeneratedTile) -> None:
        """Add a tile to its block; with the last one, finish and write it."""
        block = drawn.window.block
        works[block].add(drawn)
        if works[block].complete:
            result = works.pop(block).result()
            self.on_event(BlockDone(self.patience(lambda: self.commit(result))))
