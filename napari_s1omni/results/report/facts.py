"""Facts about a run for a report, as pairs of name and text."""

from __future__ import annotations

import datetime
from collections import Counter

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.units import count_of, format_bytes, format_duration
from napari_s1omni.execution.run.status import read_status
from napari_s1omni.results.result import Result
from napari_s1omni.results.stack_notes import stack_notes

Facts = list[tuple[str, str]]

_LISTED = 100
"""Failed tiles that are listed one by one."""


def describe_job(result: Result) -> Facts:
    """Describe prompt, source, engine and numbers of the plan."""
    plan = result.plan
    engine, operation, grid = plan.engine, plan.job.operation, plan.grid
    options = operation.model_dump(exclude={"type", "prompt"}, exclude_defaults=True)
    source, software = plan.source, result.software
    sizes = zip(source.axes, source.scale, source.units, strict=True)
    # A single plane or time point has no step.
    scale = [f"{a} {s:g} {u or 'px'}" for a, s, u in sizes if a in "yx" or (a in "tz" and source.size(a) > 1)]
    own = f"napari_s1omni {software.get('napari_s1omni', '')}".strip()
    pairs = zip(plan.normalization.low, plan.normalization.high, strict=True)
    tiles = f"{plan.tiles_in_words}, blocks of {grid.block_size} px, halo {grid.halo} px"
    return [
        ("Prompt", operation.prompt),
        ("Options", ", ".join(f"{k} = {v}" for k, v in options.items()) or "defaults"),
        ("Source", f"{source.source or 'in memory'}; {_axes(source)}, {source.dtype}; pixel size: {', '.join(scale)}"),
        *result.acquisition.facts(),
        ("Content of the source", f"fingerprint {plan.source_digest[:16]}"),
        ("Result", f"{result.uri}; {_axes(result.spec)}, {result.spec.dtype}"),
        ("Engine", f"{engine.name}, revision {engine.revision}. {engine.title}"),
        ("Weights", engine.weights_license),
        ("How to cite", f"{engine.citation}; {own}" if engine.citation else own),
        ("Thinking", f"{(plan.sampling.think or '').replace('_', ' ')}; seed {plan.sampling.seed}"),
        ("Tiles", tiles),
        ("Intensities", "; ".join(f"{a:g} to {b:g}" for a, b in pairs)),
        ("Plan", f"digest {plan.digest[:16]}"),
        ("Software", ", ".join(f"{package} {version}" for package, version in software.items())),
    ]


def describe_coverage(result: Result) -> Facts:
    """Count finished, failed, retried and empty blocks and tiles."""
    records, summary = result.records, result.summary
    states = Counter(record.state for record in records)
    tiles: Counter[str] = Counter()
    for record in records:
        # Keep states with a count of 0.
        tiles.update(dict(record.tiles))
    reached, total = sum(tiles.values()), len(result.plan.grid)
    whole = reached - tiles["failed"]
    rows = [
        ("Blocks", f"{len(records)} of {total}: " + ", ".join(f"{n} {s}" for s, n in states.items())),
        ("Tiles", ", ".join(f"{n:,} {s}" for s, n in tiles.items()) or "none"),
        ("Retried", f"{count_of(sum(record.attempt > 0 for record in records), 'block')} tried more than once"),
        ("Thoughts", f"{len(result.thoughts):,}"),
    ]
    if reached and records:
        # Missing blocks have no tile counts; their share is the share of blocks.
        rows.insert(0, ("Covered", f"{100 * whole / reached * len(records) / total:.1f} % of the region"))
    if summary.get("objects") is not None:
        joins, uncertain = summary.get("joins", 0), summary.get("uncertain", 0)
        rows += [
            ("Objects", f"{summary['objects']:,}"),
            *([("Planes", " ".join(said))] if (said := stack_notes(summary)) else []),
            ("Joins of labels", f"{joins:,} across blocks; {uncertain:,} uncertain pairs"),
        ]
    return rows


def list_missing(result: Result) -> list[str]:
    """List the failed tiles with their reasons; the first hundred, if there are more."""
    holes = result.holes
    named = [f"tile {h.tile[0]}, {h.tile[1]} (z {h.z}, t {h.t}): {h.reason}" for h in holes[:_LISTED]]
    return named + [f"and {len(holes) - _LISTED:,} more"] * (len(holes) > _LISTED)


def describe_times(result: Result) -> Facts:
    """Describe when the run took place, the time of each stage, and the peak memory."""
    stages: dict[str, float] = {}
    for record in result.records:
        for stage, seconds in record.seconds.items():
            stages[stage] = stages.get(stage, 0.0) + seconds
    peak = max((record.peak_memory or 0 for record in result.records), default=0)
    last = read_status(result.uri)
    last_run = [] if last is None else [("Last run", f"{_utc(last.started)} to {_utc(last.updated)}, {last.state}")]
    return [
        *last_run,
        *((stage.capitalize(), _seconds(seconds)) for stage, seconds in stages.items()),
        ("Peak memory of a worker", format_bytes(peak)),
        ("Worker processes", str(len({(record.worker, record.pid) for record in result.records}))),
    ]


def _seconds(seconds: float) -> str:
    return format_duration(seconds) if seconds >= 10 else f"{seconds:.2f} s"


def _utc(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _axes(spec: LayerSpec) -> str:
    return ", ".join(f"{a} {n:,}" for a, n in zip(spec.axes, spec.shape, strict=True))
