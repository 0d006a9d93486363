"""The pipeline of a run: read ahead, think and generate, write behind. Every executor uses it.

::

    thread "prefetch"      caller's thread                    thread "write-behind"
    read plane  ------->   cut tiles                          keep tiles that other blocks need
    (2 planes ahead)       drawn for another block? take it   join tiles into fields
                           micro-batch: think, generate --->  fields to pixels
                                                              shard, label slabs, journal

No tile is drawn twice, see :mod:`~napari_s1omni.execution.shared_tiles.kept_tiles`.
A micro-batch takes tiles across planes and blocks, so that every call of the
engine except the last has the same size.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from napari_s1omni.core.tiling import Block
from napari_s1omni.engine.protocol import Engine
from napari_s1omni.execution.pipeline.block import BlockBuilder, BlockResult
from napari_s1omni.execution.pipeline.plane_reader import Plane, PlaneReader
from napari_s1omni.execution.pipeline.prefetch import Prefetcher, WriteBehind
from napari_s1omni.execution.pipeline.region_mask import RegionMask
from napari_s1omni.execution.pipeline.retry import Retry
from napari_s1omni.execution.pipeline.surroundings import Surroundings
from napari_s1omni.execution.pipeline.thought_provider import ThoughtProvider, ThoughtStore
from napari_s1omni.execution.pipeline.tile_attempt import GeneratedTile, TileAttempt
from napari_s1omni.execution.pipeline.tile_generator import TileGenerator
from napari_s1omni.execution.pipeline.tile_input import TileInput
from napari_s1omni.execution.redo.redo_log import RedoLog
from napari_s1omni.execution.run.events import BlockDone, OnEvent, RunNoted, TilesDone, ignore_event
from napari_s1omni.execution.shared_tiles.kept_tiles import KeptTiles
from napari_s1omni.planning.memory import QUEUE, plane_bytes, waiting_bytes
from napari_s1omni.planning.plan import Plan
from napari_s1omni.planning.tile_sharing import TileSharing
from napari_s1omni.storage.files.disk import OnStep, no_step
from napari_s1omni.storage.logs.journal import BlockRecord
from napari_s1omni.storage.source import Source

_TILE_OVERHEAD = 512
"""Bytes that a tile without pixels counts for in the queue."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Everything that stays the same from block to block."""

    plan: Plan
    engine: Engine
    source: Source
    thoughts: ThoughtStore
    commit: Callable[[BlockResult], BlockRecord]
    """Writes a finished block; called in the write-behind thread."""
    check: Callable[[], None] = lambda: None
    """Called between micro-batches and between their stages; may wait, or raise to stop the run."""
    on_event: OnEvent = ignore_event
    """Told of tiles and blocks; called from two threads."""
    on_step: OnStep = no_step
    """Called with ``read``, ``think`` and ``generate`` before each stage."""
    retry: Retry = field(default_factory=Retry)
    """For transient errors of source and output."""
    redo_log: RedoLog = field(default_factory=RedoLog)
    """Tiles with sampling and thoughts of their own."""
    kept: KeptTiles | None = None
    """Tiles that other blocks need too; left out, they are kept in memory only."""

    def run(self, blocks: Iterable[Block | None]) -> None:
        """Read, think, generate, join, finish and write blocks.

        None in place of a block means that the next one may take long to come: the tiles read so far are generated
        without waiting for it. After an error, blocks are still written if all their tiles were generated.

        Raises
        ------
        SourceError
            If the source cannot be read.
        EngineError
            If the engine fails as a whole; a single failing tile becomes a hole instead.
        StoreError, DiskFull
            If the result cannot be written.
        """
        plan = self.plan
        reader = PlaneReader(plan, self.source, self.retry, self.on_step, RegionMask.of(plan))
        thoughts = ThoughtProvider(plan, self.engine, self.thoughts, reader.read, self.redo_log)
        attempt = TileAttempt(plan, self.engine, thoughts, Surroundings(plan, reader.read), self._before)
        sharing = TileSharing(plan.grid, reader.region.excludes)
        kept = self.kept or KeptTiles(plan, sharing)
        kept.use(thoughts)
        builders: dict[Block, BlockBuilder] = {}
        with (
            WriteBehind(functools.partial(self._add_tile, builders, kept), waiting_bytes(plan)) as write_behind,
            Prefetcher(reader.planes(blocks), max(QUEUE, 2 * plane_bytes(plan))) as planes,
        ):

            def on_tiles(count: int, seconds: float) -> None:
                self.on_event(TilesDone(count, seconds))
                write_behind.check()
                self.check()

            generator = TileGenerator(plan, attempt, thoughts, on_tiles, kept)
            for tile in generator.generate(self._tiles(reader, planes, builders, sharing)):
                pixels = 0 if tile.image is None else tile.image.nbytes + tile.source.image.nbytes
                write_behind.put(tile, pixels or _TILE_OVERHEAD)

    def _before(self, step: str) -> None:
        """Announce a stage of a micro-batch, which may be paused or stopped between thinking and generating."""
        self.on_step(step)
        self.check()

    def _tiles(
        self,
        reader: PlaneReader,
        planes: Iterable[Plane | None],
        builders: dict[Block, BlockBuilder],
        sharing: TileSharing,
    ) -> Iterator[TileInput | None]:
        """Cut planes into tiles; None is passed on."""
        for plane in planes:
            # In empty areas there is no micro-batch after which to check.
            self.check()
            if plane is None:
                yield None
                continue
            builder = builders.get(plane.block)
            if builder is None:
                builder = builders[plane.block] = BlockBuilder(self.plan, plane.block, reader.region, sharing)
            builder.seconds["read"] += plane.seconds
            yield from reader.tiles(plane)

    def _add_tile(self, builders: dict[Block, BlockBuilder], kept: KeptTiles, tile: GeneratedTile) -> None:
        """Keep a tile for other blocks and add it to its own; finish and write the block after its last tile."""
        block = tile.source.block
        noted = kept.note
        kept.store(tile)
        if kept.note != noted:
            self.on_event(RunNoted(kept.note))
        builders[block].add(tile)
        if builders[block].complete:
            result = builders.pop(block).result()
            self.on_event(BlockDone(self.retry(functools.partial(self.commit, result))))
