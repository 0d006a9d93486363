"""Forecast: what a job will cost, in one line, and how much of it looks empty."""

from __future__ import annotations

from napari_s1omni.core.units import format_bytes, format_duration
from napari_s1omni.frontends.session.preview_client import Previewed
from napari_s1omni.jobs.prepare import Prepared

_SAMPLED = 24
"""Tiles that are looked at."""
_READ = 2**24
"""Bytes of a tile above which it is not looked at."""


def empty_share(prepared: Prepared) -> float | None:
    """Estimate the share of tiles without any contrast, which are skipped; None where tiles are never skipped.

    Reads up to 24 tiles, spread evenly over the region.
    """
    plan, source = prepared.plan, prepared.source
    if plan.target.kind != "labels":
        return None
    grid, spec = plan.grid, plan.source
    rows, cols = grid.tile_rows(grid.y), grid.tile_cols(grid.x)
    planes = [(t, z) for t in (grid.t[0],) for z in range(*grid.z)]
    total = len(rows) * len(cols) * len(planes)
    step = max(1, total // _SAMPLED)
    if grid.tile_size**2 * spec.np_dtype.itemsize > _READ:
        return None
    # An odd stride does not fall on the same column again and again.
    looked = range(0, total, step | 1)
    empty = 0
    for i in looked:
        plane, at = divmod(i, len(rows) * len(cols))
        row, col = divmod(at, len(cols))
        tile = grid.tile(rows[row], cols[col])
        t, z = planes[plane]
        c = plan.groups[0]
        spans = {"t": (t, t + 1), "c": (c[0], c[0] + 1), "z": (z, z + 1), "y": tile.y, "x": tile.x}
        pixels = source.read(tuple(slice(*spans[a]) for a in spec.axes))
        empty += bool(pixels.min() == pixels.max())
    return empty / max(1, len(looked))


def sentence(prepared: Prepared, empty: float | None = None, rate: float | None = None) -> str:
    """Say it in one line: ``1,842 tiles, about 41 min here, 6.2 GB; 37 % look empty``.

    Parameters
    ----------
    prepared : Prepared
    empty : float, optional
        From :func:`empty_share`.
    rate : float, optional
        Seconds per tile as measured here; by default what the engine says of itself.
    """
    cost = prepared.cost
    tiles = f"{cost.tiles:,} tile{'s' if cost.tiles != 1 else ''}"
    seconds = cost.seconds if rate is None else rate * cost.tiles_computed
    if seconds is not None and empty:
        seconds *= 1 - empty
    time = "time unknown" if seconds is None else f"about {format_duration(max(1, seconds))} here"
    words = f"{tiles}, {time}, {format_bytes(cost.output_bytes)}"
    return words if not empty else f"{words}; {empty:.0%} look empty"


def rate_for(prepared: Prepared, preview: Previewed | None) -> float | None:
    """Return the seconds per tile that a preview took, where they hold for a plan too."""
    if preview is None:
        return None
    made, planned = preview.plan, prepared.plan
    # A rate holds for tiles of the same size, drawn by the same engine in as many steps.
    same = made.engine.revision == planned.engine.revision and made.grid.tile_size == planned.grid.tile_size
    steps = made.sampling.num_inference_steps == planned.sampling.num_inference_steps
    return preview.rate if same and steps else None
