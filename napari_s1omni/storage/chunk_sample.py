"""Choose a fixed set of chunks, spread evenly over a layer, to look at instead of all its pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from napari_s1omni.core.spec import LayerSpec


def sample_chunks(spec: LayerSpec, chunks: Sequence[int], limit: int, *, whole: str = "") -> list[tuple[slice, ...]]:
    """Return the boxes of at most `limit` chunks; the same layer always gives the same ones.

    Parameters
    ----------
    spec : LayerSpec
    chunks : sequence of int
        Size of a chunk in pixels, per axis of the layer.
    limit : int
        Number of boxes.
    whole : str
        Axes along which each box spans the layer, such as ``c``.
    """
    steps = [n if a in whole else c for a, n, c in zip(spec.axes, spec.shape, chunks, strict=True)]
    counts = [-(-n // c) for n, c in zip(spec.shape, steps, strict=True)]
    total = math.prod(counts)
    picked = range(total) if total <= limit else _spread(counts, limit)
    return [
        tuple(
            slice(int(i) * c, min((int(i) + 1) * c, n))
            for i, c, n in zip(np.unravel_index(index, counts), steps, spec.shape, strict=True)
        )
        for index in picked
    ]


def shrink_box(spec: LayerSpec, box: Sequence[slice], limit: int, *, whole: str = "") -> tuple[slice, ...]:
    """Cut the end off a box of more than `limit` bytes, first axes first, but never along an axis in `whole`."""
    box = list(box)
    for d, (axis, part) in enumerate(zip(spec.axes, box, strict=True)):
        size = math.prod(p.stop - p.start for p in box) * spec.np_dtype.itemsize
        if size > limit and axis not in whole:
            keep = max(1, int((part.stop - part.start) * limit / size))
            box[d] = slice(part.start, part.start + keep)
    return tuple(box)


def _spread(counts: Sequence[int], limit: int) -> list[int]:
    """Return the flat indices of up to `limit` chunks, evenly spread along every axis.

    An additive recurrence with the generalised golden ratio (Roberts, "The
    unreasonable effectiveness of quasirandom sequences", 2018). A fixed stride
    would hit the same column of chunks again and again.
    """
    root = 2.0
    for _ in range(64):
        root = (1.0 + root) ** (1.0 / (len(counts) + 1))
    picked: dict[int, None] = {}
    for i in range(32 * limit):
        place = [int((0.5 + i * root ** -(d + 1)) % 1.0 * n) for d, n in enumerate(counts)]
        picked[int(np.ravel_multi_index(place, tuple(counts)))] = None
        if len(picked) == limit:
            break
    return sorted(picked)
