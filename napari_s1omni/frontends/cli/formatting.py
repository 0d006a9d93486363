"""Plans and results as text and as JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.planning.cost import Cost, describe_cost
from napari_s1omni.planning.plan import Plan
from napari_s1omni.results.result import Result
from napari_s1omni.system.streams import is_unicode


def print_json(data: Any) -> None:
    """Print JSON on standard output."""
    typer.echo(json.dumps(data, indent=1, ensure_ascii=not is_unicode(sys.stdout)))


def print_rows(title: str, rows: dict[str, str]) -> None:
    """Print a table of two columns on standard output."""
    out, table = console(), Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows.items():
        # Brackets in paths and prompts are not markup.
        table.add_row(name, text.replace("[", r"\["))
    # On a line of its own, which is never broken: it may be a path.
    out.print(title, style="bold", markup=False, soft_wrap=True)
    out.print(table)


class ProgressConsole(Console):
    """A console on standard error. If nobody reads it any more it falls silent, and the run goes on."""

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__(stderr=True, quiet=quiet)

    def on_broken_pipe(self) -> None:
        """Write nowhere from now on."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def console() -> Console:
    """Return a console on standard output; 140 columns wide if that is not a terminal."""
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=140)


def describe_layer(spec: LayerSpec) -> str:
    """Describe a layer: ``labels, y 512, x 512, uint32, pixel 0.65 x 0.65 um``."""
    shape = ", ".join(f"{axis} {size}" for axis, size in zip(spec.axes, spec.shape, strict=True))
    size = " x ".join(f"{spec.scale_of(a):g}" for a in "yx")
    unit = spec.unit_of("x")
    return f"{spec.kind}, {shape}, {spec.dtype}" + (f", pixel {size} {unit}" if unit else "")


def plan_rows(plan: Plan) -> dict[str, str]:
    """Return the facts of a plan as name and text."""
    grid = plan.grid
    depth = f" x {grid.depth} planes" if grid.depth > 1 else ""
    return {
        "operation": plan.job.operation.type,
        "prompt": plan.job.operation.prompt,
        "source": f"{plan.source.source or 'in memory'} ({describe_layer(plan.source)})",
        "result": f"{plan.job.output or plan.job.into or 'temporary'} ({describe_layer(plan.target)})",
        "engine": f"{plan.engine.name}, revision {plan.engine.revision}: {plan.engine.title}",
        **({"held by": plan.engine.host.placement} if plan.engine.host.placement else {}),
        **({"threads per worker": str(plan.engine.threads)} if plan.engine.threads else {}),
        "thinks": plan.sampling.think or "",
        "tiles": f"{grid.tile_size} px, overlap {grid.overlap} px",
        "blocks": f"{grid.block_size} px{depth}",
    }


def cost_json(estimate: Cost) -> dict[str, Any]:
    """Return an estimate as plain data."""
    return {
        **dataclasses.asdict(estimate),
        "disk_bytes": estimate.disk_bytes,
        "read_amplification": estimate.read_amplification,
        "extra_compute": estimate.extra_compute,
    }


def print_plan(plan: Plan, estimate: Cost, *, as_json: bool) -> None:
    """Print a plan, its estimated cost and its notes."""
    if as_json:
        print_json({"plan": plan.to_json(), "cost": cost_json(estimate), "digest": plan.digest})
        return
    print_rows("Plan", plan_rows(plan))
    print_rows("Estimate", dict(describe_cost(estimate)))
    print_notes(plan.notes)


def print_notes(notes: tuple[str, ...]) -> None:
    """Print the notes of a plan: choices and adjustments."""
    if notes:
        print_rows("Notes", {str(i): note for i, note in enumerate(notes, 1)})


def print_result(result: Result, *, as_json: bool) -> None:
    """Print a summary of a finished run."""
    holes = result.summary.get("holes") or 0
    objects = result.summary.get("objects")
    if as_json:
        print_json({"output": result.uri, "result": result.spec.to_json(), **result.summary})
        return
    summary = f"{objects:,} objects" if objects is not None else result.plan.job.operation.type.replace("_", " ")
    typer.echo(f"{summary} in {result.uri} ({describe_layer(result.spec)})")
    if holes:
        typer.echo(f"{holes} tiles failed and are missing; 's1omni show {result.uri}' lists them.")
