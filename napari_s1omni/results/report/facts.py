"""Facts: what a page says of a run, as pairs of a name and words."""

from __future__ import annotations

import datetime
from collections import Counter

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.units import format_bytes, format_duration
from napari_s1omni.execution.run.status import read_status
from napari_s1omni.results.result import Result

Facts = list[tuple[str, str]]

_NAMED = 100
"""Failed tiles that are named one by one."""


def done(result: Result) -> Facts:
    """What was asked for, of what, by which engine, with which numbers."""
    plan = result.plan
    engine, operation, grid = plan.engine, plan.job.operation, plan.grid
    options = operation.model_dump(exclude={"type", "prompt"}, exclude_defaults=True)
    source, software = plan.source, result.software
    placed = zip(source.axes, source.scale, source.units, strict=True)
    scale = [f"{a} {s:g} {u or 'px'}" for a, s, u in placed if a != "c"]
    own = f"napari_s1omni {software.get('napari_s1omni', '')}".strip()
    pairs = zip(plan.normalization.low, plan.normalization.high, strict=True)
    sizes = f"{grid.tile_size} px, overlap {grid.overlap} px, blocks of {grid.block_size} px, halo {grid.halo} px"
    return [
        ("Prompt", operation.prompt),
        ("Options", ", ".join(f"{k} = {v}" for k, v in options.items()) or "defaults"),
        ("Source", f"{source.source or 'in memory'}; {_axes(source)}, {source.dtype}; step: {', '.join(scale)}"),
        ("Content of the source", f"fingerprint {plan.source_digest[:16]}"),
        ("Result", f"{result.path}; {_axes(result.spec)}, {result.spec.dtype}"),
        ("Engine", f"{engine.name}, revision {engine.revision}. {engine.title}"),
        ("Weights", engine.weights_license),
        ("How to cite", f"{engine.citation}; {own}" if engine.citation else own),
        ("Thinking", f"{(plan.sampling.think or '').replace('_', ' ')}; seed {plan.sampling.seed}"),
        ("Tiles", sizes),
        ("Intensities", "; ".join(f"{a:g} to {b:g}" for a, b in pairs)),
        ("Plan", f"digest {plan.digest[:16]}"),
        ("Software", ", ".join(f"{package} {version}" for package, version in software.items())),
    ]


def coverage(result: Result) -> Facts:
    """How much of it is there, and what failed, was tried again or is empty."""
    records, summary = result.records, result.summary
    states = Counter(record.state for record in records)
    tiles: Counter[str] = Counter()
    for record in records:
        # A state that no tile has is told too.
        tiles.update(dict(record.tiles))
    reached, total = sum(tiles.values()), len(result.plan.grid)
    whole = reached - tiles["failed"]
    rows = [
        ("Blocks", f"{len(records)} of {total}: " + ", ".join(f"{n} {s}" for s, n in states.items())),
        ("Tiles", ", ".join(f"{n:,} {s}" for s, n in tiles.items()) or "none"),
        ("Retried", f"{counted(sum(record.attempt > 0 for record in records), 'block')} tried more than once"),
        ("Thoughts", f"{len(result.thoughts):,}"),
    ]
    if reached and records:
        # Tiles of blocks that are missing are not counted: their share is that of the blocks.
        rows.insert(0, ("Covered", f"{100 * whole / reached * len(records) / total:.1f} % of the region"))
    if summary.get("objects") is not None:
        joins, doubts = summary.get("joins", 0), summary.get("uncertain", 0)
        rows += [
            ("Objects", f"{summary['objects']:,}"),
            ("Joins of labels", f"{joins:,} across blocks; {doubts:,} doubtful pairs"),
        ]
    return rows


def missing(result: Result) -> list[str]:
    """Name the tiles that failed, each with its reason; the first hundred of very many."""
    holes = result.holes
    named = [f"tile {h.tile[0]}, {h.tile[1]} (z {h.z}, t {h.t}): {h.reason}" for h in holes[:_NAMED]]
    return named + [f"and {len(holes) - _NAMED:,} more"] * (len(holes) > _NAMED)


def times(result: Result) -> Facts:
    """When it ran, how long each stage took, and how much memory."""
    stages: dict[str, float] = {}
    for record in result.records:
        for stage, seconds in record.seconds.items():
            stages[stage] = stages.get(stage, 0.0) + seconds
    peak = max((record.peak_memory or 0 for record in result.records), default=0)
    last = read_status(result.path)
    begun = [] if last is None else [("Last run", f"{_moment(last.started)} to {_moment(last.updated)}, {last.state}")]
    return [
        *begun,
        *((stage.capitalize(), _seconds(seconds)) for stage, seconds in stages.items()),
        ("Peak memory of a worker", format_bytes(peak)),
        ("Worker processes", str(len({(record.worker, record.pid) for record in result.records}))),
    ]


def counted(n: int, noun: str) -> str:
    """Say how many of something there are."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _seconds(seconds: float) -> str:
    return format_duration(seconds) if seconds >= 10 else f"{seconds:.2f} s"


def _moment(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _axes(spec: LayerSpec) -> str:
    return ", ".join(f"{a} {n:,}" for a, n in zip(spec.axes, spec.shape, strict=True))
