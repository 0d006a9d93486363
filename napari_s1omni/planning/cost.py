"""Cost: what a plan will need, known before anything runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_s1omni.core.tiling import TileGrid
from napari_s1omni.errors import NotEnoughMemory
from napari_s1omni.planning.plan import Plan

_BASE = 135 * 10**6
"""Bytes of a worker process with numpy, scipy, zarr, Dask and this package, and of the heap that it keeps."""
_JOIN = 33
"""Bytes per px of the plane that is being joined: three channels and their copy, gradients for the seam scores."""
_FINISH_LABELS = 44
"""Bytes per field px while labels are made: masks, distances, seeds, watershed queue, scores."""
_FINISH_IMAGE = 30
"""Bytes per field value while an image is cast: float64 copy, masks."""
_SLACK = 1.1
"""What the allocator holds of memory that was given back."""
SPILL_EDGE = 1024
"""Px along y and x of the pieces in which a source in memory is written for worker processes."""
QUEUE = 4 * 2**20
"""Bytes that the queues between the stages may always hold, so that small blocks are not handed over one by one."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Forecast of a plan. No term of the memory grows with the volume."""

    tiles: int
    """Tiles of the region, each counted once."""
    tiles_computed: int
    """Tiles that are run, those at block faces for each block that needs them."""
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
    """Uncompressed bytes of a source that lives in memory, written once beside the output where worker processes run;
    0 where the source can be opened by anyone."""
    peak_memory: int
    """Bytes of one worker process at its peak."""
    seconds: float | None
    """Expected time of one worker, or None where the engine gives no rate."""

    @property
    def read_amplification(self) -> float:
        """Bytes read over bytes of the region."""
        return self.read_bytes / self.source_bytes

    @property
    def extra_compute(self) -> float:
        """Share of tiles run again at block faces."""
        return self.tiles_computed / self.tiles - 1


def cost(plan: Plan) -> Cost:
    """Forecast tiles, bytes, memory and time of a plan. Pure."""
    grid = plan.grid
    times = grid.t[1] - grid.t[0]
    planes = times * (grid.z[1] - grid.z[0])
    seen = (grid.block((0, 0, k, 0, 0)).field_z for k in range(grid.shape[2]))
    planes_run = times * sum(stop - start for start, stop in seen)
    channels = sum(len(group) for group in plan.groups)
    runs_rows, read_rows = _axis(grid, "y")
    runs_cols, read_cols = _axis(grid, "x")
    once = len(grid.tile_rows(grid.y)) * len(grid.tile_cols(grid.x))
    item = plan.source.np_dtype.itemsize
    is_labels = plan.target.kind == "labels"
    tiles = once * planes * grid.groups
    computed = runs_rows * runs_cols * planes_run * grid.groups
    rate = plan.engine.host.seconds_per_tile
    return Cost(
        tiles=tiles,
        tiles_computed=computed,
        blocks=len(grid),
        output_bytes=plan.target.nbytes * 4 // 3,
        scratch_bytes=plan.target.nbytes if is_labels else 0,
        source_bytes=planes * channels * item * (grid.y[1] - grid.y[0]) * (grid.x[1] - grid.x[0]),
        read_bytes=planes_run * channels * item * read_rows * read_cols,
        spilled_bytes=0 if plan.source.source else _spilled(plan),
        peak_memory=_peak(plan, max(len(g) for g in plan.groups)),
        seconds=None if rate is None else rate * computed,
    )


def _axis(grid: TileGrid, axis: str) -> tuple[int, int]:
    """Tiles run and px read along one axis, summed over its blocks."""
    rows = axis == "y"
    runs = read = 0
    for i in range(grid.shape[3 if rows else 4]):
        block = grid.block((0, 0, 0, i, 0) if rows else (0, 0, 0, 0, i))
        tiles = grid.tile_rows(block.field_y) if rows else grid.tile_cols(block.field_x)
        span = grid.read_box(block)[0 if rows else 1]
        runs += len(tiles)
        read += span[1] - span[0]
    return runs, read


def read_box(plan: Plan) -> tuple[slice, ...]:
    """Everything that a run reads of its source, in source px, one slice per axis."""
    grid, spec = plan.grid, plan.source
    spans = {"t": grid.t, "z": (max(0, grid.z[0] - grid.halo_z), min(grid.planes, grid.z[1] + grid.halo_z))}
    k = plan.sampling.region_tiles if plan.sampling.think == "per_region" else 1
    for place, axis in enumerate("yx"):
        extent = grid.extent[place]
        start, stop = (grid.y, grid.x)[place]
        tiles = (grid.tile_rows, grid.tile_cols)[place]((max(0, start - grid.halo), min(extent, stop + grid.halo)))
        # A thought looks at all tiles of its region, be they drawn or not.
        last = min(-(-(tiles[-1] + 1) // k) * k, grid.lattice[place]) - 1
        spans[axis] = tiles[0] // k * k * grid.step, min(last * grid.step + grid.tile_size, extent)
        if plan.sampling.think == "once":
            seen = grid.overview[place]
            spans[axis] = min(spans[axis][0], seen[0]), max(spans[axis][1], seen[1])
    return tuple(slice(*spans.get(axis, (0, spec.size(axis)))) for axis in spec.axes)


def _spilled(plan: Plan) -> int:
    """Bytes of all pieces that hold something of what a run reads."""
    total = plan.source.np_dtype.itemsize
    for axis, part, size in zip(plan.source.axes, read_box(plan), plan.source.shape, strict=True):
        edge = SPILL_EDGE if axis in "yx" else 1
        total *= min(-(-part.stop // edge) * edge, size) - part.start // edge * edge
    return total


def plane_bytes(plan: Plan) -> int:
    """Bytes of the largest plane of a block's read box in model range. Pure."""
    grid = plan.grid
    rows, cols = grid.shape[3:]
    # Inner blocks are alike.
    tall, wide = sorted({0, min(1, rows - 1), rows - 1}), sorted({0, min(1, cols - 1), cols - 1})
    boxes = [grid.read_box(grid.block((0, 0, 0, i, j))) for i in tall for j in wide]
    return 3 * 4 * max((y[1] - y[0]) * (x[1] - x[0]) for y, x in boxes)


def field_bytes(plan: Plan) -> int:
    """Bytes of the joined fields of a block with its halo, at most. Pure."""
    grid = plan.grid
    edge = grid.block_size + 2 * grid.halo
    px = math.prod(min(edge, n) * f for n, f in zip(grid.extent, grid.factor, strict=True))
    return 3 * 4 * px * min(grid.depth + 2 * grid.halo_z, grid.planes)


def _peak(plan: Plan, channels: int) -> int:
    """Sum what is held at a time, stage by stage, in the order in which a px passes them."""
    grid, engine = plan.grid, plan.engine
    plane, fields = plane_bytes(plan), field_bytes(plan)
    px = fields // (3 * 4)
    fy, fx = grid.factor
    tile, drawn = 3 * 4 * grid.tile_size**2, 3 * 4 * grid.tile_size**2 * fy * fx
    depth = min(grid.depth + 2 * grid.halo_z, grid.planes)
    per_px = _FINISH_LABELS if plan.target.kind == "labels" else _FINISH_IMAGE * channels
    return int(
        _BASE
        + engine.host.memory.resident
        + _SLACK
        # Read ahead: one plane in use, one being read, with its raw px.
        * (
            max(QUEUE, 2 * plane)
            + plane * channels * (plan.source.np_dtype.itemsize + 4) // 12
            # The micro-batch: its tiles, side by side in one array, and what the engine makes of them.
            + engine.micro_batch * (2 * tile + drawn + engine.host.memory.per_tile_pixel * drawn / 12)
            # Behind the engine: drawn tiles that wait, the fields of the block; a plane is joined, or all are finished.
            + max(QUEUE, fields)
            + fields
            + max(_JOIN * px / depth, (per_px + 2.4 * plan.target.np_dtype.itemsize) * px)
        )
    )


def validate(plan: Plan, memory: int) -> Cost:
    """Refuse a plan that does not fit, with the numbers. Pure.

    Parameters
    ----------
    plan : Plan
    memory : int
        Bytes that a worker may use.

    Raises
    ------
    NotEnoughMemory
        If the forecast is above `memory`.
    """
    forecast = cost(plan)
    if forecast.peak_memory > memory:
        raise NotEnoughMemory(
            f"the forecast of {forecast.peak_memory / 2**30:.1f} GiB per worker",
            f"{memory / 2**30:.1f} GiB are free",
            f"use a smaller block size than {plan.grid.block_size} px or smaller tiles than {plan.grid.tile_size} px",
            forecast=forecast.peak_memory,
            available=memory,
        )
    return forecast


def describe(forecast: Cost) -> Mapping[str, Any]:
    """Return the forecast as labelled text, for people."""
    return {
        "tiles": f"{forecast.tiles:,}",
        "blocks": f"{forecast.blocks:,}",
        "extra tiles at block faces": f"{forecast.extra_compute:.0%}",
        "read amplification": f"{forecast.read_amplification:.2f}",
        "output (uncompressed, with pyramid)": size(forecast.output_bytes),
        **({"written for worker processes": size(forecast.spilled_bytes)} if forecast.spilled_bytes else {}),
        "peak memory per worker": size(forecast.peak_memory),
        "time with one worker": "unknown" if forecast.seconds is None else duration(forecast.seconds),
    }


def size(count: float) -> str:
    """Word a number of bytes: ``6.2 GB``."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("unreachable")


def duration(seconds: float) -> str:
    """Word a time: ``41 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
