"""Draws a few tiles of a plan into memory, the one in the middle first, as a run would draw them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tiling import Span, TileGrid
from napari_s1omni.engine.protocol import Engine, Thought
from napari_s1omni.execution.pipeline.block import BlockBuilder
from napari_s1omni.execution.pipeline.block_writer import BlockWriter
from napari_s1omni.execution.pipeline.plane_reader import PlaneReader
from napari_s1omni.execution.pipeline.region_mask import RegionMask
from napari_s1omni.execution.pipeline.retry import Retry
from napari_s1omni.execution.pipeline.surroundings import Surroundings
from napari_s1omni.execution.pipeline.thought_provider import ThoughtProvider
from napari_s1omni.execution.pipeline.tile_attempt import GeneratedTile, TileAttempt
from napari_s1omni.execution.pipeline.tile_generator import TileGenerator
from napari_s1omni.execution.pipeline.tile_input import TileInput
from napari_s1omni.execution.stitching.block_labels import is_stitched
from napari_s1omni.execution.stitching.stitching_pass import StitchPass
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.files.disk import no_step
from napari_s1omni.storage.logs.journal import BlockRecord
from napari_s1omni.storage.result.label_scratch import MemoryScratch
from napari_s1omni.storage.sinks.memory_sink import MemorySink
from napari_s1omni.storage.source import Source


class CellGrid(TileGrid):
    """The grid of a preview: one tile for each lattice cell of its region.

    A run also draws the tiles around a region that reach into it, to blend its border and to see whole objects there.
    A preview does without them, so that four cells are four tiles.
    """

    @classmethod
    def of(cls, grid: TileGrid) -> CellGrid:
        """Return the grid of the same region in one block."""
        values = {field.name: getattr(grid, field.name) for field in dataclasses.fields(TileGrid)}
        longest = max(grid.y[1] - grid.y[0], grid.x[1] - grid.x[0])
        edge = max(grid.block_size, -(-longest // grid.step) * grid.step)
        depth = max(grid.depth, grid.z[1] - grid.z[0])
        return cls(**{**values, "block_size": edge, "depth": depth, "halo": 0, "halo_z": 0})

    def tile_rows(self, span: Span) -> range:
        """Rows of the lattice whose tiles are drawn for the rows `span` of the source."""
        return _own(TileGrid.tile_rows(self, span), self.y, self.step)

    def tile_cols(self, span: Span) -> range:
        """Columns of the lattice whose tiles are drawn for the columns `span` of the source."""
        return _own(TileGrid.tile_cols(self, span), self.x, self.step)


@dataclass(frozen=True, slots=True)
class Preview:
    """The result of a preview, or what is there of it."""

    plan: Plan
    spec: LayerSpec
    """Axes, size, scale and position in the world of `pixels`."""
    pixels: NDArray[Any]
    """The result at full resolution, in the axes of `spec`; 0 where no tile is drawn yet."""
    thoughts: dict[str, Thought]
    """Thoughts by key, as in a result."""
    records: tuple[BlockRecord, ...]
    done: int
    """Tiles that are drawn."""
    tiles: int
    """Tiles of the whole preview."""


class MemoryThoughts(dict[str, Thought]):
    """Thoughts in memory; satisfies :class:`~napari_s1omni.execution.pipeline.thought_provider.ThoughtStore`."""

    def put(self, key: str, thought: Thought) -> None:
        """Store a thought."""
        self[key] = thought

    def commit(self) -> None:
        """Do nothing: memory needs no sync."""

    def refresh(self) -> None:
        """Do nothing: nobody else writes here."""


def run_preview(
    plan: Plan,
    source: Source,
    engine: Engine,
    *,
    on_part: Callable[[Preview], None] = lambda part: None,
) -> Preview:
    """Draw the tiles of a small region one by one, the one nearest to its middle first.

    Parameters
    ----------
    plan : Plan
        Its region is the preview; it should have a few tiles only.
    source : Source
    engine : Engine
        Loaded; the caller keeps it for the next preview.
    on_part : callable
        Called after each tile with what is there; may raise to stop.
    """
    plan = dataclasses.replace(plan, grid=CellGrid.of(plan.grid))
    region = RegionMask.of(plan)
    reader = PlaneReader(plan, source, Retry(), no_step, region)
    thoughts = MemoryThoughts()
    provider = ThoughtProvider(plan, engine, thoughts, reader.read)
    attempt = TileAttempt(plan, engine, provider, Surroundings(plan, reader.read), no_step)
    generator = TileGenerator(plan, attempt, provider, lambda count, seconds: None)
    planes = [read() for _, read in reader.planes(plan.grid)]
    tiles = [tile for plane in planes if plane is not None for tile in reader.tiles(plane)]
    drawn: dict[int, GeneratedTile] = {}
    preview = _picture(plan, region, tiles, drawn, thoughts)
    for number in sorted(range(len(tiles)), key=lambda n: _distance(plan.grid, tiles[n])):
        (drawn[number],) = generator.generate([tiles[number]])
        preview = _picture(plan, region, tiles, drawn, thoughts)
        on_part(preview)
    return preview


def _picture(
    plan: Plan,
    region: RegionMask,
    tiles: Sequence[TileInput],
    drawn: Mapping[int, GeneratedTile],
    thoughts: MemoryThoughts,
) -> Preview:
    """Join the tiles that are drawn; the others count as outside of the region."""
    sink, scratch = MemorySink(plan.target, plan.block_shape), MemoryScratch(plan.target)
    records: list[BlockRecord] = []
    stitched = is_stitched(plan)
    writer = BlockWriter(plan, sink, scratch if stitched else None, records, thoughts)
    for block in plan.grid:
        builder = BlockBuilder(plan, block, region)
        for number, tile in enumerate(tiles):
            if tile.block == block:
                builder.add(drawn.get(number, GeneratedTile(tile, None, "outside")))
        writer.commit(builder.result(), 0)
    if stitched:
        StitchPass(plan, sink, scratch, {record.block: record for record in records}).run()
    return Preview(plan, plan.target, sink.levels[0], dict(thoughts), tuple(records), len(drawn), len(tiles))


def _distance(grid: TileGrid, tile: TileInput) -> float:
    """Return the squared distance of a tile's middle to that of the region, in source px."""
    axes = zip(tile.tile.index, (grid.y, grid.x), strict=True)
    return sum((at * grid.step + grid.tile_size / 2 - sum(span) / 2) ** 2 for at, span in axes)


def _own(touching: range, region: Span, step: int) -> range:
    """Return those of some rows or columns whose cells lie in the region; at the far edge, the last tile has two."""
    start = max(touching.start, min(region[0] // step, touching.stop - 1))
    return range(start, max(start + 1, min(touching.stop, -(-region[1] // step))))
