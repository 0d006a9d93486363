"""Choice of example tiles for a report, and their pictures and thoughts."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from napari_s1omni.engine.protocol import Thought
from napari_s1omni.results.report.markup import figure
from napari_s1omni.results.report.pictures import tile_pictures
from napari_s1omni.results.result import Result
from napari_s1omni.storage.source import Source

_SHOWN = 6
"""Number of worst and of random examples."""
_STRIP = 256
"""Rows of tiles whose scores are read at once."""


@dataclass(frozen=True, slots=True)
class Example:
    """One tile to show."""

    t: int
    z: int
    group: int
    row: int
    col: int
    score: float | None
    """Seam score; None if the tile has none."""


def choose_examples(result: Result) -> tuple[list[Example], list[Example]]:
    """Choose the tiles with the most visible joins, and a random sample that is the same for the same plan.

    Returns
    -------
    (worst, random) : lists of Example
        Six each at most.
    """
    plan, grid = result.plan, result.plan.grid
    first = grid.starting_in(grid.y).start, grid.starting_in(grid.x).start
    shape = _region_shape(result)

    def example(place: Sequence[int], score: float) -> Example:
        t, group, z, i, j = (int(n) for n in place)
        row, col = (min(f + k, n - 1) for f, k, n in zip(first, (i, j), grid.lattice, strict=True))
        return Example(grid.t[0] + t, grid.z[0] + z, group, row, col, score if score > 0 else None)

    worst = [(score, place) for score, place in _worst_tiles(result, shape) if score > 0]
    in_worst = {place for _, place in worst}
    total = math.prod(shape)
    sample = random.Random(plan.digest).sample(range(total), min(total, 2 * _SHOWN))
    candidates = [tuple(int(n) for n in np.unravel_index(index, shape)) for index in sample]
    others = [place for place in candidates if place not in in_worst][:_SHOWN]
    return [example(place, score) for score, place in worst], [example(place, 0) for place in others]


def gallery(result: Result, image: Source | None, chosen: Iterable[Example]) -> str:
    """Return HTML with the picture and the thought of each tile; empty if there are none."""
    figures = "".join(_example_figure(result, image, e) for e in chosen)
    return f'<div class="tiles">{figures}</div>' if figures else ""


def _region_shape(result: Result) -> tuple[int, int, int, int, int]:
    grid = result.plan.grid
    rows, cols = (-(-(span[1] - span[0]) // grid.step) for span in (grid.y, grid.x))
    return grid.t[1] - grid.t[0], grid.groups, grid.z[1] - grid.z[0], rows, cols


def _worst_tiles(result: Result, shape: tuple[int, ...]) -> list[tuple[float, tuple[int, ...]]]:
    """Return scores and places of the tiles with the worst joins, read strip by strip."""
    scores = result.seams
    worst: list[tuple[float, tuple[int, ...]]] = []
    if scores is None:
        return worst
    axes = [i for i, axis in enumerate("tczyx") if axis in result.plan.target.axes]
    for start in np.ndindex(*shape[:3]):
        for top in range(0, shape[3], _STRIP):
            box = [slice(n, n + 1) for n in start] + [slice(top, top + _STRIP), slice(None)]
            strip = np.asarray(scores[tuple(box[i] for i in axes)]).reshape(-1, shape[4])
            order = np.argsort(strip, axis=None)[::-1][:_SHOWN]
            places = zip(*np.unravel_index(order, strip.shape), strict=True)
            worst += [(float(strip[i, j]), (*start, top + int(i), int(j))) for i, j in places]
            worst = sorted(worst, reverse=True)[:_SHOWN]
    return worst


def _example_figure(result: Result, image: Source | None, e: Example) -> str:
    grid = result.plan.grid
    tile = grid.tile(e.row, e.col)
    spans = {"t": (e.t, e.t + 1), "z": (e.z, e.z + 1), "y": tile.y, "x": tile.x}
    found = result.thought_at((tile.y[0] + tile.y[1]) / 2, (tile.x[0] + tile.x[1]) / 2, z=e.z, t=e.t, group=e.group)
    caption = f"row {e.row}, column {e.col}" + (f", z {e.z}" if grid.planes > 1 else "")
    caption += f", t {e.t}" if grid.t[1] - grid.t[0] > 1 else ""
    caption += "" if e.score is None else f", joins {e.score:.2f}"
    return figure(caption, tile_pictures(result, image, spans, e.group), _thought_text(found))


def _thought_text(found: tuple[str, Thought] | None) -> str:
    if found is None:
        return "no thought is stored for this tile"
    thought = found[1]
    return "\n".join(part for part in (thought.trace, thought.answer) if part) or thought.text or "the thought is empty"
