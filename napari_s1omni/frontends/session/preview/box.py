"""The region of a preview: whole tiles near the centre of the view."""

from __future__ import annotations

from collections.abc import Mapping

from napari_s1omni.core.tiling import TileGrid
from napari_s1omni.planning.job import Box


def preview_box(grid: TileGrid, spans: Mapping[str, tuple[float, float]], cells: int = 2) -> Box:
    """Choose the region of a preview: up to `cells` x `cells` lattice cells around the centre of the view.

    Parameters
    ----------
    grid : TileGrid
        Grid of the whole job.
    spans : mapping of axis to (start, stop)
        The view, in source pixels; only the start of t and z is used.
    cells : int
        Edge of the preview in lattice cells.
    """
    chosen: dict[str, tuple[int, int]] = {}
    for axis, first, last in (("y", *grid.y), ("x", *grid.x)):
        low, high = spans.get(axis, (first, last))
        low, high = max(low, first), min(high, last)
        if high <= low:
            low, high = first, last
        # Whole cells of the lattice, so that the run draws the very same tiles.
        corner = first // grid.step * grid.step
        count = max(1, -(-(last - corner) // grid.step))
        n = min(cells, count, max(1, round((high - low) / grid.step)))
        start = int(((low + high) / 2 - n * grid.step / 2 - corner) / grid.step + 0.5)
        start = max(0, min(start, count - n))
        chosen[axis] = (max(first, corner + start * grid.step), min(last, corner + (start + n) * grid.step))
    for axis, (first, last) in (("t", grid.t), ("z", grid.z)):
        at = max(first, min(int(spans.get(axis, (first, 0))[0]), last - 1))
        chosen[axis] = (at, at + 1)
    return Box(**chosen)
