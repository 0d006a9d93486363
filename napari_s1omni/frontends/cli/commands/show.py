"""``s1omni show``: show a result, its progress, and the thought of any tile."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Annotated, Any

import typer
from rich.markdown import Markdown
from rich.panel import Panel

from napari_s1omni.core.units import format_duration
from napari_s1omni.engine.protocol import Thought
from napari_s1omni.errors import JobError
from napari_s1omni.execution.redo.redo import parse_tiles
from napari_s1omni.execution.run.status import current_status
from napari_s1omni.frontends.cli.arguments import ResultPlace
from napari_s1omni.frontends.cli.formatting import plan_rows, print_notes
from napari_s1omni.frontends.cli.printing import console, print_json, print_rows
from napari_s1omni.frontends.cli.run_options import Json
from napari_s1omni.results.result import Result

_VISIBLE = 1.2
"""Seam score from which a join may be seen; one of the bounds of the histogram."""


def show(
    output: ResultPlace,
    tile: Annotated[
        str | None,
        typer.Option(
            "--tile", metavar="TILE", help="Show the thought of this tile: [[time/]plane/]row/column, or row,column."
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="Y,X", help="Show the thought at a position in pixels of the source at full resolution."
        ),
    ] = None,
    key: Annotated[str | None, typer.Option("--thought", metavar="KEY", help="Show the thought with this key.")] = None,
    z: Annotated[int, typer.Option("--z", help="Plane of the source, for --at and a tile without one.")] = 0,
    t: Annotated[int, typer.Option("--t", help="Time point of the source, for --at and a tile without one.")] = 0,
    group: Annotated[int, typer.Option("--group", help="Channel group, for --tile and --at.")] = 0,
    thoughts: Annotated[bool, typer.Option("--thoughts", help="List the keys of all thoughts.")] = False,
    json: Json = False,
) -> None:
    """Show the job, plan, progress and thoughts of a result, finished or not."""
    result = Result.open(output)
    if thoughts:
        keys = list(result.thoughts)
        if json:
            print_json(keys)
        else:
            typer.echo("\n".join(keys))
    elif tile or at or key:
        name, thought = _find_thought(result, tile, at, key, (z, t, group))
        if json:
            print_json({"key": name, **dataclasses.asdict(thought)})
        else:
            _print_thought(name, thought)
    elif json:
        print_json(
            {
                "path": str(result.uri),
                "complete": result.complete,
                "progress": _progress(result),
                "summary": result.summary,
                "plan": result.plan.to_json(),
                "records": [r.to_json() for r in result.records],
            }
        )
    else:
        _print_all(result, output)


def _print_all(result: Result, output: str) -> None:
    plan = result.plan
    rows = plan_rows(plan)
    if plan.engine.host.why:
        rows["why this engine"] = plan.engine.host.why
    print_rows(output, {**rows, "instruction": plan.instruction.text.replace("\n", "; ")})
    print_notes((*plan.notes, *result.notes))
    counted = _progress(result)
    progress = {"state": _state(result, output)}
    progress["blocks"] = f"{counted['done']} of {counted['blocks']}"
    progress["tiles"] = ", ".join(f"{n} {state}" for state, n in counted["tiles"].items())
    if counted["seconds"]:
        spent = {stage: format_duration(seconds) for stage, seconds in counted["seconds"].items() if seconds >= 0.5}
        progress["time"] = ", ".join(f"{stage} {words}" for stage, words in spent.items()) or "under a second"
    progress |= {name: _in_words(value) for name, value in result.summary.items() if value is not None}
    progress["thoughts"] = str(len(result.thoughts))
    print_rows("Progress", progress)
    failed = {
        f"block {','.join(map(str, r.block))}": r.message or r.state for r in result.records if r.message or not r.done
    }
    if failed:
        print_rows("Failed", failed)


def _in_words(value: Any) -> str:
    """Return a part of the summary as text; that of the seams has a mean, a number of tiles and a histogram."""
    if not isinstance(value, dict) or "tiles" not in value:
        return f"{value:,}" if isinstance(value, int) else str(value)
    if not value["tiles"]:
        return "none scored"
    worse = sum(count for name, count in value["histogram"].items() if float(name.removeprefix("from ")) >= _VISIBLE)
    mean = f"mean score {value['score']:.2f} of {value['tiles']:,} tiles (0.95 to 1.05 is invisible)"
    return f"{mean}, {worse:,} of them at {_VISIBLE:g} or more" if worse else mean


def _state(result: Result, output: str) -> str:
    """Say whether the result is complete, being made, or to be resumed."""
    if result.complete:
        return "complete"
    now = current_status(output)
    if now is not None and now.alive:
        process = f"process {now.pid} on {now.host}" if now.pid else "a process that is starting"
        phrase = f"{now.state.phrase}, {process}"
        if not now.last_heard:
            return phrase
        return f"{phrase}, {now.last_heard}; if it has ended, resume with: s1omni resume {output}"
    return f"unfinished; resume with: s1omni resume {output}"


def _progress(result: Result) -> dict[str, Any]:
    tiles: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for record in result.records:
        tiles.update(record.tiles)
        seconds.update(record.seconds)
    return {
        "blocks": len(result.plan.grid),
        "done": sum(record.done for record in result.records),
        "tiles": {state: n for state, n in tiles.items() if n},
        "seconds": dict(seconds),
    }


def _find_thought(
    result: Result, tile: str | None, at: str | None, key: str | None, place: tuple[int, int, int]
) -> tuple[str, Thought]:
    if key:
        if key not in result.thoughts:
            raise JobError(f"{result.uri} has no thought '{key}'", remedy="list the keys with --thoughts")
        return key, result.thoughts[key]
    frame = result.plan.source.pixel_frame
    for axis, index in zip("zt", place, strict=False):
        if not 0 <= index < frame.size(axis):
            raise JobError(f"--{axis} {index}", f"0 to {frame.size(axis) - 1}", "choose one of these")
    z, t = (frame.index_of_full(axis, index) for axis, index in zip("zt", place, strict=False))
    group = place[2]
    if at:
        position = dict(zip("yx", _position(at), strict=True))
        # One thought may hold for all of an image, but for nothing beside it.
        if not all(0 <= v <= frame.size(a) for a, v in position.items()):
            raise JobError(
                f"--at {at} lies outside {result.plan.source.source or 'the image'}",
                f"positions are pixels of full resolution, y 0 to {frame.size('y')}, x 0 to {frame.size('x')}",
                "choose a position in the image",
            )
        y, x = (float(frame.from_full(a, v)) for a, v in position.items())
    else:
        grid, places = result.plan.grid, parse_tiles(result.plan, tile or "")
        if len({place.tile for place in places}) > 1:
            raise JobError(f"--tile {tile}", "one tile, such as 3/5 or 3,5", "name a single one")
        (row, col) = next(iter(places)).tile
        # A plane or time point in the name of the tile goes before --z and --t.
        times, planes = {place.t for place in places}, {place.z for place in places}
        t = times.pop() if len(times) == 1 else t
        z = planes.pop() if len(planes) == 1 else z
        # A tile has its largest weight in the middle of its step.
        y, x = (i * grid.step + grid.tile_size / 2 for i in (row, col))
    found = result.thought_at(y, x, z=z, t=t, group=group)
    if found is None:
        raise JobError(
            f"no thought at y={y:g}, x={x:g}, z={z}, t={t}",
            "a position in the region, in a tile that is finished and not empty",
            "list the keys with --thoughts",
        )
    return found


def _position(text: str) -> tuple[float, float]:
    try:
        y, x = (float(part) for part in text.split(","))
    except ValueError:
        raise JobError(f"--at {text!r}", "two numbers, Y,X", "write --at 100,200") from None
    return y, x


def _print_thought(key: str, thought: Thought) -> None:
    out = console()
    if thought.prompt:
        out.print(Panel(thought.prompt, title="prompt", title_align="left", border_style="dim"))
    if thought.trace:
        out.print(Panel(Markdown(thought.trace), title=f"thought {key}", title_align="left", border_style="cyan"))
    out.print(
        Panel(
            thought.answer or "(empty)",
            title=f"answer, route {thought.route or 'none'}",
            title_align="left",
            border_style="green",
            subtitle=thought.remark or None,
        )
    )
