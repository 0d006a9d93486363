"""Report: one self-contained HTML page about a run, fit for a supplement.

It says what was done, with what, how well it went, and shows tiles with the
thoughts they were drawn from: the worst ones first, then some at random.
Nothing on the page is fetched from elsewhere.
"""

from __future__ import annotations

import datetime
import html
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from napari_s1omni.cost import duration, size
from napari_s1omni.engine.protocol import Thought
from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.status import read_status
from napari_s1omni.exhibits import as_data, overview, tile_pictures
from napari_s1omni.results import Result
from napari_s1omni.storage.quality import BINS
from napari_s1omni.storage.source import Source

_SHOWN = 6
"""Worst and random examples, each."""
_STRIP = 256
"""Rows of the lattice that are looked at together."""
_EVEN = 0.95
"""Where the bin of joins that cannot be seen begins."""
_STYLE = """
:root{--ink:#19202a;--soft:#5b6572;--line:#dfe3e8;--card:#f6f7f9;--mark:#0072b2;--warn:#b44800}
*{box-sizing:border-box}body{margin:0 auto;padding:40px 28px 80px;max-width:1060px;color:var(--ink);background:#fff;
font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:27px;line-height:1.25;margin:0 0 6px}h2{font-size:18px;margin:38px 0 12px;border-top:1px solid var(--line);
padding-top:22px}p{margin:6px 0 12px}.lead{color:var(--soft);max-width:70ch}.mark{display:inline-block;padding:1px 9px;
border-radius:10px;font-size:13px;background:#e8f1f8;color:var(--mark);margin-right:6px}.mark.warn{background:#fbeee4;
color:var(--warn)}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:4px 14px 4px 0;
border-bottom:1px solid var(--line);font-weight:400}th{color:var(--soft);white-space:nowrap;width:13em}
td{overflow-wrap:anywhere}.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(470px,1fr));gap:16px}
.whole{margin-top:18px}figure{margin:0;padding:12px;background:var(--card);border-radius:6px}
figure img{width:49%;margin-right:1%;border:1px solid var(--line)}figcaption{font-size:13px;color:var(--soft);
margin-bottom:6px}blockquote{margin:8px 0 0;font-size:13px;white-space:pre-line;border-left:3px solid var(--mark);
padding-left:10px;max-height:15em;overflow:auto}pre{background:var(--card);padding:12px;border-radius:6px;overflow:auto;
font-size:13px}svg text{font:12px system-ui,sans-serif;fill:var(--soft)}
@media print{body{padding:0}figure{break-inside:avoid}blockquote{max-height:none}}
"""


@dataclass(frozen=True, slots=True)
class Example:
    """One tile to show."""

    t: int
    z: int
    group: int
    row: int
    col: int
    score: float | None
    """Its seam score, where it has one."""


def write_report(result: Result, path: Path, image: Source | None = None) -> int:
    """Write the page; return its size in bytes.

    Parameters
    ----------
    result : Result
    path : Path
        An ``.html`` file.
    image : Source, optional
        The source layer; by default it is opened where the plan found it. The
        page does without pictures of the source where it is gone.
    """
    text = report(result, image)
    path.write_text(text, encoding="utf-8")
    return len(text.encode())


def report(result: Result, image: Source | None = None) -> str:
    """Return the page as HTML; parameters as in :func:`write_report`."""
    plan = result.plan
    if image is None:
        try:
            image = result.layers().image
        except S1OmniError:
            image = None
    worst, chance = _examples(result)
    seams = result.summary.get("seams")
    name = (plan.source.source or "an image in memory").rstrip("/").rpartition("/")[2]
    title = f"{plan.job.operation.type.replace('_', '-').capitalize()} of {name} by {plan.engine.name}"
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f'<p class="lead">{html.escape(_summary(result))}</p><p>{_marks(result)}</p>',
        _overview(result, image),
        _section("What was done", _table(_done(result))),
        _section("Coverage", _table(_coverage(result)) + _holes(result)),
        _section("Joins between tiles", _histogram(seams)) if seams and seams["tiles"] else "",
        _section("Least even joins", _tiles(result, image, worst)) if worst else "",
        _section("Tiles at random", _tiles(result, image, chance)) if chance else "",
        _section("Choices and adjustments", _list(plan.notes)) if plan.notes else "",
        _section("Time and memory", _table(_times(result))),
        _section("Do it again", f"<pre>{html.escape(plan.job.dump())}</pre>"),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        + "".join(parts)
        + "</body></html>"
    )


def _summary(result: Result) -> str:
    plan, summary = result.plan, result.summary
    what = "x".join(str(n) for n in result.spec.shape)
    found = f" {summary['objects']:,} objects were found." if summary.get("objects") is not None else ""
    state = "" if result.complete else " The run is not complete yet."
    source = plan.source.source or "An image in memory"
    return f"{source} was processed in {len(plan.grid)} blocks into {what} px.{found}{state}"


def _marks(result: Result) -> str:
    marks = []
    if result.plan.engine.generates and result.spec.kind == "image":
        marks.append(("these px were generated by a model; they are no measurement", True))
    holes = result.summary.get("holes", 0)
    if holes:
        marks.append((f"{holes} tiles are missing", True))
    if result.complete and not holes:
        marks.append(("complete", False))
    return "".join(f'<span class="mark{" warn" if w else ""}">{html.escape(m)}</span>' for m, w in marks)


def _done(result: Result) -> list[tuple[str, str]]:
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


def _coverage(result: Result) -> list[tuple[str, str]]:
    records = result.records
    states: dict[str, int] = {}
    tiles: dict[str, int] = {}
    for record in records:
        states[record.state] = states.get(record.state, 0) + 1
        for state, count in record.tiles.items():
            tiles[state] = tiles.get(state, 0) + count
    rows = [
        ("Blocks", f"{len(records)} of {len(result.plan.grid)}: " + ", ".join(f"{n} {s}" for s, n in states.items())),
        ("Tiles", ", ".join(f"{n:,} {s}" for s, n in tiles.items()) or "none"),
        ("Retried", f"{sum(record.attempt > 0 for record in records)} blocks were tried more than once"),
        ("Thoughts", f"{len(result.thoughts):,}"),
    ]
    if result.summary.get("objects") is not None:
        joins, doubts = result.summary.get("joins", 0), result.summary.get("uncertain", 0)
        rows += [
            ("Objects", f"{result.summary['objects']:,}"),
            ("Joins of labels", f"{joins:,} across blocks; {doubts:,} doubtful pairs"),
        ]
    return rows


def _times(result: Result) -> list[tuple[str, str]]:
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
        ("Peak memory of a worker", size(peak)),
        ("Worker processes", str(len({(record.worker, record.pid) for record in result.records}))),
    ]


def _seconds(seconds: float) -> str:
    return duration(seconds) if seconds >= 10 else f"{seconds:.2f} s"


def _moment(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _holes(result: Result) -> str:
    words = [f"tile {h.tile[0]}, {h.tile[1]} (z {h.z}, t {h.t}): {h.reason}" for h in result.holes]
    return _list(words) if words else ""


def _examples(result: Result) -> tuple[list[Example], list[Example]]:
    """The tiles with the worst joins, and others at random; a report of the same result shows the same ones."""
    plan, grid, scores = result.plan, result.plan.grid, result.seams
    first = grid.y[0] // grid.step, grid.x[0] // grid.step
    cells = (-(-(span[1] - span[0]) // grid.step) for span in (grid.y, grid.x))
    shape = (grid.t[1] - grid.t[0], grid.groups, grid.z[1] - grid.z[0], *cells)

    def example(place: Sequence[int], score: float) -> Example:
        t, group, z, i, j = (int(n) for n in place)
        row, col = (min(f + k, n - 1) for f, k, n in zip(first, (i, j), grid.lattice, strict=True))
        return Example(grid.t[0] + t, grid.z[0] + z, group, row, col, score if score > 0 else None)

    worst: list[tuple[float, tuple[int, ...]]] = []
    if scores is not None:
        axes = [i for i, axis in enumerate("tczyx") if axis in plan.target.axes]
        for start in np.ndindex(*shape[:3]):
            for top in range(0, shape[3], _STRIP):
                box = [slice(n, n + 1) for n in start] + [slice(top, top + _STRIP), slice(None)]
                strip = np.asarray(scores[tuple(box[i] for i in axes)]).reshape(-1, shape[4])
                order = np.argsort(strip, axis=None)[::-1][:_SHOWN]
                places = zip(*np.unravel_index(order, strip.shape), strict=True)
                worst += [(float(strip[i, j]), (*start, top + int(i), int(j))) for i, j in places]
                worst = sorted(worst, reverse=True)[:_SHOWN]
    shown = {place for score, place in worst if score > 0}
    total = math.prod(shape)
    chosen = random.Random(plan.digest).sample(range(total), min(total, 2 * _SHOWN))
    chance = [tuple(int(n) for n in np.unravel_index(index, shape)) for index in chosen]
    others = [place for place in chance if place not in shown][:_SHOWN]
    return [example(place, score) for score, place in worst if score > 0], [example(place, 0) for place in others]


def _tiles(result: Result, image: Source | None, examples: Iterable[Example]) -> str:
    return '<div class="tiles">' + "".join(_tile(result, image, e) for e in examples) + "</div>"


def _tile(result: Result, image: Source | None, e: Example) -> str:
    grid = result.plan.grid
    tile = grid.tile(e.row, e.col)
    spans = {"t": (e.t, e.t + 1), "z": (e.z, e.z + 1), "y": tile.y, "x": tile.x}
    found = result.thought_at((tile.y[0] + tile.y[1]) / 2, (tile.x[0] + tile.x[1]) / 2, z=e.z, t=e.t, group=e.group)
    pictures = tile_pictures(result, image, spans, e.group)
    caption = f"row {e.row}, column {e.col}" + (f", z {e.z}" if grid.planes > 1 else "")
    caption += "" if e.score is None else f", joins {e.score:.2f}"
    return f"<figure><figcaption>{caption}</figcaption>{_images(pictures)}{_quote(found)}</figure>"


def _images(pictures: Sequence[Image]) -> str:
    words = ("source", "result")[-len(pictures) :]
    return "".join(f'<img alt="{alt}" src="{as_data(picture)}">' for alt, picture in zip(words, pictures, strict=True))


def _overview(result: Result, image: Source | None) -> str:
    if not result.records:
        return ""
    pictures = overview(result, image)
    middle = " (the plane in the middle)" if result.plan.grid.planes > 1 else ""
    words = ("Source and result" if len(pictures) == 2 else "Result") + middle
    return f'<figure class="whole"><figcaption>{words}</figcaption>{_images(pictures)}</figure>'


def _quote(found: tuple[str, Thought] | None) -> str:
    if found is None:
        return "<blockquote>nothing was thought here</blockquote>"
    thought = found[1]
    words = "\n".join(part for part in (thought.trace, thought.answer) if part) or thought.text
    return f"<blockquote>{html.escape(words)}</blockquote>"


def _histogram(seams: Mapping[str, Any]) -> str:
    """Seam scores as bars; about 1 is a join like any other line."""
    counts, starts = list(seams["histogram"].values()), BINS
    names = [f"{a:g} to {b:g}" for a, b in pairwise(starts)] + [f"{starts[-1]:g} or more"]
    width, height, foot = 640, 130, 22
    step, top = width / len(counts), max(1, *counts)
    bars = []
    for i, (name, n) in enumerate(zip(names, counts, strict=True)):
        tall = n / top * (height - 24)
        place = f'x="{i * step + 3:.1f}" y="{height - tall:.1f}" width="{step - 6:.1f}" height="{tall:.1f}"'
        bars.append(f'<rect {place} fill="{"#56b4e9" if starts[i] == _EVEN else "#b8c0c9"}"/>')
        middle = f'x="{(i + 0.5) * step:.0f}" text-anchor="middle"'
        bars.append(f'<text {middle} y="{height - tall - 6:.0f}">{n:,}</text>')
        bars.append(f'<text {middle} y="{height + 16}">{name}</text>')
    said = (
        f"Step across joins over step across lines nearby, for {seams['tiles']:,} tiles; mean {seams['score']:.2f}. "
        "A join of 0.95 to 1.05 cannot be told from any other line."
    )
    shape = f'viewBox="0 0 {width} {height + foot}" width="{width}"'
    return f'<p>{said}</p><svg {shape} role="img">{"".join(bars)}</svg>'


def _axes(spec: Any) -> str:
    return ", ".join(f"{a} {n:,}" for a, n in zip(spec.axes, spec.shape, strict=True))


def _section(title: str, body: str) -> str:
    return f"<h2>{html.escape(title)}</h2>{body}"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"


def _list(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>"
