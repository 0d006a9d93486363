"""The region of a preview: whole lattice cells near the centre of the view."""

from __future__ import annotations

from collections.abc import Mapping

from napari_s1omni.core.tiling import TileGrid
from napari_s1omni.planning.job import Box

TILES = 4
"""Most tiles of a preview, where one cell has no more."""


def preview_box(grid: TileGrid, spans: Mapping[str, tuple[float, float]]) -> Box:
    """Choose the region of a preview: lattice cells around the centre of the view, at most four tiles in all.

    Parameters
    ----------
    grid : TileGrid
        Grid of the whole job.
    spans : mapping of axis to (start, stop)
        The view, in source pixels; only the start of t and z is used.
    """
    chosen: dict[str, tuple[int, int]] = {}
    # Every channel group draws each cell on its own.
    left = max(1, TILES // grid.groups)
    for axis, first, last in (("y", *grid.y), ("x", *grid.x)):
        low, high = spans.get(axis, (first, last))
        low, high = max(low, first), min(high, last)
        if high <= low:
            low, high = first, last
        origin = first // grid.step
        count = max(1, -(-last // grid.step) - origin)
        cells = min(2, left, count, max(1, round((high - low) / grid.step)))
        left //= cells
        start = int((low + high) / 2 / grid.step - cells / 2 + 0.5)
        start = max(origin, min(start, origin + count - cells))
        chosen[axis] = (max(first, start * grid.step), min(last, (start + cells) * grid.step))
    for axis, (first, last) in (("t", grid.t), ("z", grid.z)):
        at = max(first, min(int(spans.get(axis, (first, 0))[0]), last - 1))
        chosen[axis] = (at, at + 1)
    return Box(**chosen)
