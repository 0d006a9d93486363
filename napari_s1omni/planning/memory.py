"""Peak memory of one worker process, as a formula of the plan. No term grows with the volume."""

from __future__ import annotations

import math

from napari_s1omni.planning.plan import Plan

_BASE = 135 * 10**6
"""Bytes of a worker process with numpy, scipy, zarr, Dask and this package, and of the heap that it keeps."""
_JOIN = 33
"""Bytes per pixel of the plane that is being joined: three channels and their copy, gradients for the seam scores."""
_FINISH_LABELS = 44
"""Bytes per field pixel while labels are made: masks, distances, seeds, watershed queue, scores."""
_FINISH_IMAGE = 30
"""Bytes per field value while an image is cast: float64 copy, masks."""
_SLACK = 1.1
"""Factor for freed memory that the allocator keeps."""
QUEUE = 4 * 2**20
"""Bytes that the queues between stages may always hold, so that small blocks are passed on several at a time."""
_WAITING = 2**29
"""Bytes of drawn tiles that may wait while a block is finished."""
_KEPT = 2**27
"""Bytes of drawn tiles that are held for other blocks."""
KEPT_IN_BATCH = 2**25
"""Bytes of tiles drawn for other blocks that may wait for a micro-batch to be full."""


def plane_bytes(plan: Plan) -> int:
    """Return the bytes of the largest plane of a block's read box, in model range."""
    grid = plan.grid
    rows, cols = grid.shape[3:]
    # Inner blocks are alike.
    tall, wide = sorted({0, min(1, rows - 1), rows - 1}), sorted({0, min(1, cols - 1), cols - 1})
    boxes = [grid.read_box(grid.block((0, 0, 0, i, j))) for i in tall for j in wide]
    return 3 * 4 * max((y[1] - y[0]) * (x[1] - x[0]) for y, x in boxes)


def field_bytes(plan: Plan) -> int:
    """Return the most bytes that the joined fields of a block with its halo take."""
    grid = plan.grid
    edge = grid.block_size + 2 * grid.halo
    px = math.prod(min(edge, n) * f for n, f in zip(grid.extent, grid.factor, strict=True))
    return 3 * 4 * px * min(grid.depth + 2 * grid.halo_z, grid.planes)


def waiting_bytes(plan: Plan) -> int:
    """Return the most bytes of drawn tiles that wait behind the engine: as many as a block has, or 512 MiB."""
    return max(QUEUE, min(field_bytes(plan), _WAITING))


def kept_bytes(plan: Plan) -> int:
    """Return the most bytes of drawn tiles that a worker holds for other blocks: as many as a block has, or 128 MiB."""
    grid = plan.grid
    faces = (grid.overlap or grid.halo) and max(grid.shape[3:]) > 1
    if not faces and not (grid.halo_z and grid.shape[2] > 1):
        return 0
    across = -(-(grid.block_size + 2 * grid.halo + grid.overlap) // grid.step) + 1
    tiles = math.prod(min(across, n) for n in grid.lattice) * min(grid.depth + 2 * grid.halo_z, grid.planes)
    return min(_KEPT, tiles * 3 * 4 * grid.tile_size**2 * math.prod(grid.factor))


def peak_memory(plan: Plan) -> int:
    """Return the bytes of one worker process at its peak: what each stage holds, in the order of the stages."""
    grid, engine = plan.grid, plan.engine
    channels = max(len(group) for group in plan.groups)
    plane, fields = plane_bytes(plan), field_bytes(plan)
    px = fields // (3 * 4)
    seen = (grid.tile_size, grid.tile_size) if plan.fit is None else plan.fit.seen
    tile, drawn = 3 * 4 * math.prod(seen), 3 * 4 * math.prod(plan.drawn_shape)
    depth = min(grid.depth + 2 * grid.halo_z, grid.planes)
    kept = kept_bytes(plan)
    kept += min(kept, KEPT_IN_BATCH) if engine.micro_batch > 1 else 0
    per_px = _FINISH_LABELS if plan.target.kind == "labels" else _FINISH_IMAGE * channels
    return int(
        _BASE
        + engine.host.memory.resident
        + _SLACK
        # Prefetching: one plane in use, one being read, with its raw pixels.
        * (
            max(QUEUE, 2 * plane)
            + plane * channels * (plan.source.np_dtype.itemsize + 4) // 12
            # The micro-batch: its tiles, side by side in one array, and the engine's working memory.
            + engine.micro_batch * (2 * tile + drawn + engine.host.memory.per_tile_pixel * drawn / 12)
            # Behind the engine: waiting tiles, those for other blocks, the fields of the block; a plane is joined, or
            # all are finished.
            + waiting_bytes(plan)
            + kept
            + fields
            + max(_JOIN * px / depth, (per_px + 2.4 * plan.target.np_dtype.itemsize) * px)
        )
    )
