"""Which tiles of a block failed. The one place that says so for results, redo and the tile overlay."""

from __future__ import annotations

from collections.abc import Iterator

from napari_s1omni.core.tiling import TilePlace
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.logs.journal import BlockRecord
from napari_s1omni.storage.logs.tile_failure import TileFailure


def failed_tiles(plan: Plan, record: BlockRecord) -> Iterator[tuple[TilePlace, str]]:
    """Yield place and reason of each failed tile of a block.

    If the block failed as a whole, these are all the tiles that it generates, those of its halo included,
    which is also what ``record.tiles["failed"]`` counts.
    """
    block = plan.grid.block(plan.block_index(record.block))
    failures: Iterator[TileFailure] | tuple[TileFailure, ...] = record.failures
    if record.failed_whole:
        reason = record.error or ""
        failures = (
            TileFailure(z, tile.index, reason) for z in range(*block.field_z) for tile in plan.grid.tiles(block)
        )
    for failure in failures:
        yield TilePlace(block.t, failure.z, block.group, *failure.tile), failure.reason
