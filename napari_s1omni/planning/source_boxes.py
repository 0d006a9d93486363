"""The parts of a source that a run reads, and the bytes of a copy of them."""

from __future__ import annotations

import dataclasses
import math

from napari_s1omni.planning.cost import SPILL_EDGE, source_box
from napari_s1omni.planning.plan import Plan

Box = tuple[slice, ...]


def source_boxes(plan: Plan) -> tuple[Box, ...]:
    """Return the boxes that a run reads of its source, in source px, one slice per axis each; they may overlap.

    The first is what its tiles read; a thought about the whole layer sees one plane more.
    """
    if plan.sampling.think != "once":
        return (source_box(plan),)
    grid, spec = plan.grid, plan.source
    tiles = source_box(dataclasses.replace(plan, sampling=plan.sampling.replace(think="per_tile")))
    middle = (grid.z[0] + grid.z[1]) // 2
    seen = {"t": (grid.t[0], grid.t[0] + 1), "z": (middle, middle + 1)}
    seen |= dict(zip("yx", grid.overview, strict=True))
    return tiles, tuple(slice(*seen.get(axis, (0, spec.size(axis)))) for axis in spec.axes)


def copied_bytes(plan: Plan) -> int:
    """Return the uncompressed bytes of all chunks of a copy that contain something a run reads."""
    spec = plan.source
    edges = [SPILL_EDGE if axis in "yx" else 1 for axis in spec.axes]
    parts = [
        [
            (part.start // edge * edge, min(-(-part.stop // edge) * edge, size))
            for part, size, edge in zip(box, spec.shape, edges, strict=True)
        ]
        for box in source_boxes(plan)
    ]
    total = sum(math.prod(stop - start for start, stop in part) for part in parts)
    if len(parts) == 2:
        both = zip(*parts, strict=True)
        total -= math.prod(max(0, min(a[1], b[1]) - max(a[0], b[0])) for a, b in both)
    return int(total * spec.np_dtype.itemsize)
