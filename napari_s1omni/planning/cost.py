"""Cost of a plan: tiles, bytes, memory and time, known before anything runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_s1omni.core.tiling import Block, Span, TileGrid
from napari_s1omni.core.units import format_bytes, format_duration_range
from napari_s1omni.errors import NotEnoughMemory
from napari_s1omni.planning.memory import peak_memory
from napari_s1omni.planning.plan import Plan
from napari_s1omni.settings import scratch_bytes

SPILL_EDGE = 1024
"""Edge along y and x, in pixels, of the chunks in which a source in memory is written for worker processes."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Forecast of a plan. No term of the memory grows with the volume."""

    tiles: int
    """Tiles that touch the region."""
    tiles_computed: int
    """Tiles that are run, as a run counts them: those beside the region that a halo needs, too. None counts twice,
    however many blocks need it."""
    blocks: int
    output_bytes: int
    """Uncompressed size of the result with its pyramid."""
    scratch_bytes: int
    """Uncompressed size of block-local labels kept until they are joined."""
    source_bytes: int
    """Uncompressed size of the region."""
    read_bytes: int
    """Uncompressed bytes that are read, halos included."""
    spilled_bytes: int
    """Uncompressed bytes of a source in memory, written once beside the output for worker processes; 0 for a source
    on disk."""
    peak_memory: int
    """Bytes of one worker process at its peak."""
    kept_bytes: int
    """About the most bytes of drawn tiles that wait beside the result for other blocks at a time, uncompressed."""
    seconds: float | None
    """Expected time of one worker, or None if no rate is known."""
    seconds_range: tuple[float, float] | None = None
    """Between which times it lies most probably, from earlier runs; None if there were none."""

    @property
    def disk_bytes(self) -> int:
        """Bytes of the result on disk with its pyramid, compressed to half; a run checks that so many are free."""
        return self.output_bytes // 2

    @property
    def read_amplification(self) -> float:
        """Bytes read over bytes of the region."""
        return self.read_bytes / self.source_bytes

    @property
    def extra_compute(self) -> float:
        """Share of tiles run beside the region, beyond its own."""
        return self.tiles_computed / self.tiles - 1

    @property
    def expected_seconds(self) -> tuple[float, float] | None:
        """Between which times one worker ends most probably; twice the same where only the engine states a rate."""
        return self.seconds_range or (None if self.seconds is None else (self.seconds, self.seconds))


@dataclass(frozen=True, slots=True)
class RegionTiles:
    """What a run of a polygon or mask region draws and reads, which its bounding box does not say."""

    run: int
    """Tiles that are run, each counted once."""
    read_px: int
    """Pixels that are read, per channel."""


def estimate_cost(plan: Plan, region: RegionTiles | None = None) -> Cost:
    """Forecast tiles, bytes, memory and time of a plan. Pure.

    Parameters
    ----------
    plan : Plan
    region : RegionTiles, optional
        Tiles of a region given by a file; left out, all tiles of its bounding box count.
    """
    grid = plan.grid
    times = grid.t[1] - grid.t[0]
    planes = times * (grid.z[1] - grid.z[0])
    seen = [grid.block((0, 0, k, 0, 0)).field_z for k in range(grid.shape[2])]
    planes_read = times * sum(stop - start for start, stop in seen)
    planes_run = times * (seen[-1][1] - seen[0][0])
    channels = sum(len(group) for group in plan.groups)
    first, last = _end_blocks(grid)
    rows = len(grid.tile_rows((first.field_y[0], last.field_y[1])))
    cols = len(grid.tile_cols((first.field_x[0], last.field_x[1])))
    item = plan.source.np_dtype.itemsize
    once = len(grid.tile_rows(grid.y)) * len(grid.tile_cols(grid.x)) * planes * grid.groups
    if region is None:
        region = RegionTiles(
            rows * cols * planes_run * grid.groups, planes_read * _px_read(grid, 0) * _px_read(grid, 1)
        )
    else:
        once = region.run
    rate = plan.engine.host.seconds_per_tile
    return Cost(
        tiles=once,
        tiles_computed=region.run,
        blocks=len(grid),
        output_bytes=plan.target.nbytes * 4 // 3,
        scratch_bytes=plan.target.nbytes if plan.target.kind == "labels" else 0,
        source_bytes=planes * channels * item * (grid.y[1] - grid.y[0]) * (grid.x[1] - grid.x[0]),
        read_bytes=channels * item * region.read_px,
        spilled_bytes=0 if plan.source.source else _spilled_bytes(plan),
        peak_memory=peak_memory(plan),
        kept_bytes=_kept_on_disk(plan),
        seconds=None if rate is None else rate * region.run,
    )


def check_memory(plan: Plan, memory: int, region: RegionTiles | None = None) -> Cost:
    """Estimate the cost of a plan, and refuse one that does not fit into memory. Pure.

    Parameters
    ----------
    plan : Plan
    memory : int
        Bytes that a worker may use.
    region : RegionTiles, optional
        As in :func:`estimate_cost`.

    Raises
    ------
    NotEnoughMemory
        If the forecast is above `memory`.
    """
    forecast = estimate_cost(plan, region)
    if forecast.peak_memory > memory:
        raise NotEnoughMemory(
            f"the forecast of {format_bytes(forecast.peak_memory)} per worker",
            f"{format_bytes(memory)} are free",
            f"use a smaller block size than {plan.grid.block_size} px or smaller tiles than {plan.grid.tile_size} px",
            forecast=forecast.peak_memory,
            available=memory,
        )
    return forecast


def describe_cost(forecast: Cost) -> Mapping[str, Any]:
    """Return the forecast as labelled text."""
    extra = forecast.tiles_computed - forecast.tiles
    share = f"{extra:,} ({forecast.extra_compute:.0%})"
    beside = f": {forecast.tiles:,} of the region and {share} beside it"
    time = forecast.expected_seconds
    return {
        "tiles": f"{forecast.tiles_computed:,}{beside if extra else ''}; drawn twice: 0",
        "blocks": f"{forecast.blocks:,}",
        "read": f"{format_bytes(forecast.read_bytes)}, {forecast.read_amplification:.1f} times the region",
        "result on disk, about": format_bytes(forecast.disk_bytes),
        **({"written for worker processes": format_bytes(forecast.spilled_bytes)} if forecast.spilled_bytes else {}),
        **(
            {"drawn tiles kept for other blocks, at most": format_bytes(min(forecast.kept_bytes, scratch_bytes()))}
            if forecast.kept_bytes
            else {}
        ),
        "peak memory per worker": format_bytes(forecast.peak_memory),
        "time with one worker": "known after the first run of this engine on this machine"
        if time is None
        else format_duration_range(*time),
    }


def source_box(plan: Plan) -> tuple[slice, ...]:
    """Return the box that a run reads of its source, in source px, one slice per axis."""
    grid, spec = plan.grid, plan.source
    spans = {"t": grid.t, "z": (max(0, grid.z[0] - grid.halo_z), min(grid.planes, grid.z[1] + grid.halo_z))}
    k = plan.sampling.region_tiles if plan.sampling.think == "per_region" else 1
    for place, axis in enumerate("yx"):
        extent = grid.extent[place]
        start, stop = (grid.y, grid.x)[place]
        tiles = (grid.tile_rows, grid.tile_cols)[place]((max(0, start - grid.halo), min(extent, stop + grid.halo)))
        # A thought sees all tiles of its region, generated or not.
        last = min(-(-(tiles[-1] + 1) // k) * k, grid.lattice[place]) - 1
        spans[axis] = tiles[0] // k * k * grid.step, min(last * grid.step + grid.tile_size, extent)
        if plan.sampling.think == "once":
            seen = grid.overview[place]
            spans[axis] = min(spans[axis][0], seen[0]), max(spans[axis][1], seen[1])
        first, end = spans[axis]
        spans[axis] = max(0, first - plan.engine.margin), min(extent, end + plan.engine.margin)
    return tuple(slice(*spans.get(axis, (0, spec.size(axis)))) for axis in spec.axes)


def _px_read(grid: TileGrid, axis: int) -> int:
    """Pixels read along y (0) or x (1), summed over the blocks along it."""
    blocks = range(grid.shape[3 + axis])
    spans = (grid.read_box(grid.block((0, 0, 0, n, 0) if axis == 0 else (0, 0, 0, 0, n)))[axis] for n in blocks)
    return sum(stop - start for start, stop in spans)


def _kept_on_disk(plan: Plan) -> int:
    """Bytes of the tiles at the front of a run: at the faces of a layer of blocks, of a row of it, and of one block."""
    grid = plan.grid
    first, last = _end_blocks(grid)
    tiles_along = (_planes, grid.tile_rows, grid.tile_cols)
    whole, own, shared = [], [], []
    for axis, tiles in enumerate(tiles_along):
        spans = [(block.field_z, block.field_y, block.field_x)[axis] for block in (first, last)]
        whole.append(len(tiles((spans[0][0], spans[1][1]))))
        own.append(len(tiles(spans[0])))
        z, y, x = (int(axis == at and n > 1) for at, n in enumerate(grid.shape[2:]))
        after = grid.block((0, 0, z, y, x))
        beyond = tiles((after.field_z, after.field_y, after.field_x)[axis])
        shared.append(len({*tiles(spans[0])} & {*beyond}) if after != first else 0)
    kept = shared[0] * whole[1] * whole[2] + own[0] * shared[1] * whole[2] + own[0] * own[1] * shared[2]
    return kept * (3 + plan.engine.expects_error) * 4 * grid.tile_size**2 * math.prod(grid.factor)


def _planes(span: Span) -> range:
    return range(*span)


def _end_blocks(grid: TileGrid) -> tuple[Block, Block]:
    """Return the first and the last block of a time point and channel group."""
    z, y, x = (n - 1 for n in grid.shape[2:])
    return grid.block((0, 0, 0, 0, 0)), grid.block((0, 0, z, y, x))


def _spilled_bytes(plan: Plan) -> int:
    """Bytes of all chunks that contain something a run reads."""
    total = plan.source.np_dtype.itemsize
    for axis, part, size in zip(plan.source.axes, source_box(plan), plan.source.shape, strict=True):
        edge = SPILL_EDGE if axis in "yx" else 1
        total *= min(-(-part.stop // edge) * edge, size) - part.start // edge * edge
    return total
