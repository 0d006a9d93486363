"""Cost of a plan: tiles, bytes, memory and time, known before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_s1omni.core.tiling import TileGrid
from napari_s1omni.core.units import format_bytes, format_duration_range
from napari_s1omni.errors import NotEnoughMemory
from napari_s1omni.planning.memory import peak_memory
from napari_s1omni.planning.plan import Plan

SPILL_EDGE = 1024
"""Edge along y and x, in pixels, of the chunks in which a source in memory is written for worker processes."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Forecast of a plan. No term of the memory grows with the volume."""

    tiles: int
    """Tiles that touch the region, each counted once."""
    tiles_computed: int
    """Tiles that are run, as a run counts them; those that several blocks need count once for each."""
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
        """Share of tiles run for neighbouring blocks, beyond those of the region."""
        return self.tiles_computed / self.tiles - 1

    @property
    def expected_seconds(self) -> tuple[float, float] | None:
        """Between which times one worker ends most probably; twice the same where only the engine states a rate."""
        return self.seconds_range or (None if self.seconds is None else (self.seconds, self.seconds))


@dataclass(frozen=True, slots=True)
class RegionTiles:
    """What a run of a polygon or mask region draws and reads, which its bounding box does not say."""

    once: int
    """Tiles that touch the region, each counted once."""
    run: int
    """Tiles that are run, counted for each block."""
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
    seen = (grid.block((0, 0, k, 0, 0)).field_z for k in range(grid.shape[2]))
    planes_run = times * sum(stop - start for start, stop in seen)
    channels = sum(len(group) for group in plan.groups)
    runs_rows, read_rows = _tiles_and_px(grid, "y")
    runs_cols, read_cols = _tiles_and_px(grid, "x")
    item = plan.source.np_dtype.itemsize
    if region is None:
        once = len(grid.tile_rows(grid.y)) * len(grid.tile_cols(grid.x)) * planes * grid.groups
        runs = runs_rows * runs_cols * planes_run * grid.groups
        region = RegionTiles(once, runs, planes_run * read_rows * read_cols)
    rate = plan.engine.host.seconds_per_tile
    return Cost(
        tiles=region.once,
        tiles_computed=region.run,
        blocks=len(grid),
        output_bytes=plan.target.nbytes * 4 // 3,
        scratch_bytes=plan.target.nbytes if plan.target.kind == "labels" else 0,
        source_bytes=planes * channels * item * (grid.y[1] - grid.y[0]) * (grid.x[1] - grid.x[0]),
        read_bytes=channels * item * region.read_px,
        spilled_bytes=0 if plan.source.source else _spilled_bytes(plan),
        peak_memory=peak_memory(plan),
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
    again = f": {forecast.tiles:,} of the region and {share} beside it and at faces of blocks"
    time = forecast.expected_seconds
    return {
        "tiles": f"{forecast.tiles_computed:,}{again if extra else ''}",
        "blocks": f"{forecast.blocks:,}",
        "read": f"{format_bytes(forecast.read_bytes)}, {forecast.read_amplification:.1f} times the region",
        "result on disk, about": format_bytes(forecast.disk_bytes),
        **({"written for worker processes": format_bytes(forecast.spilled_bytes)} if forecast.spilled_bytes else {}),
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


def _tiles_and_px(grid: TileGrid, axis: str) -> tuple[int, int]:
    """Tiles run and pixels read along one axis, summed over its blocks."""
    rows = axis == "y"
    runs = read = 0
    for i in range(grid.shape[3 if rows else 4]):
        block = grid.block((0, 0, 0, i, 0) if rows else (0, 0, 0, 0, i))
        tiles = grid.tile_rows(block.field_y) if rows else grid.tile_cols(block.field_x)
        span = grid.read_box(block)[0 if rows else 1]
        runs += len(tiles)
        read += span[1] - span[0]
    return runs, read


def _spilled_bytes(plan: Plan) -> int:
    """Bytes of all chunks that contain something a run reads."""
    total = plan.source.np_dtype.itemsize
    for axis, part, size in zip(plan.source.axes, source_box(plan), plan.source.shape, strict=True):
        edge = SPILL_EDGE if axis in "yx" else 1
        total *= min(-(-part.stop // edge) * edge, size) - part.start // edge * edge
    return total
