"""How plans and results are worded for people and for programs."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.planning.cost import Cost, describe_cost
from napari_s1omni.planning.plan import Plan
from napari_s1omni.results.result import Result


def print_json(data: Any) -> None:
    """Print plain data for programs, on standard output."""
    typer.echo(json.dumps(data, indent=1, ensure_ascii=False))


def print_rows(title: str, rows: dict[str, str]) -> None:
    """Print a table of two columns on standard output."""
    table = Table(box=None, show_header=False, pad_edge=False, title=title, title_justify="left", title_style="bold")
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows.items():
        # Paths and prompts hold brackets that are no markup.
        table.add_row(name, text.replace("[", r"\["))
    console().print(table)


def console() -> Console:
    """Return a console on standard output that does not break lines where nobody reads them on a screen."""
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=140)


def layer(spec: LayerSpec) -> str:
    """Word a layer: ``y 512 x 512, uint8, px 0.65 um``."""
    shape = ", ".join(f"{axis} {size}" for axis, size in zip(spec.axes, spec.shape, strict=True))
    size = " x ".join(f"{spec.scale_of(a):g}" for a in "yx")
    unit = spec.unit_of("x")
    return f"{spec.kind}, {shape}, {spec.dtype}" + (f", px {size} {unit}" if unit else "")


def plan_rows(plan: Plan) -> dict[str, str]:
    """Word a plan."""
    grid = plan.grid
    depth = f" x {grid.depth} planes" if grid.depth > 1 else ""
    return {
        "operation": plan.job.operation.type,
        "prompt": plan.job.operation.prompt,
        "source": f"{plan.source.source or 'in memory'} ({layer(plan.source)})",
        "result": f"{plan.job.output or plan.job.into or 'temporary'} ({layer(plan.target)})",
        "engine": f"{plan.engine.name}, revision {plan.engine.revision}: {plan.engine.title}",
        **({"held by": plan.engine.host.placement} if plan.engine.host.placement else {}),
        **({"threads per worker": str(plan.engine.threads)} if plan.engine.threads else {}),
        "thinks": plan.sampling.think or "",
        "tiles": f"{grid.tile_size} px, overlap {grid.overlap} px",
        "blocks": f"{grid.block_size} px{depth}",
    }


def cost_json(forecast: Cost) -> dict[str, Any]:
    """Plain data of a forecast."""
    return {
        **dataclasses.asdict(forecast),
        "read_amplification": forecast.read_amplification,
        "extra_compute": forecast.extra_compute,
    }


def print_plan(plan: Plan, forecast: Cost, *, as_json: bool) -> None:
    """Print a plan with its forecast and every note."""
    if as_json:
        print_json({"plan": plan.to_json(), "cost": cost_json(forecast), "digest": plan.digest})
        return
    print_rows("Plan", plan_rows(plan))
    print_rows("Forecast", dict(describe_cost(forecast)))
    print_notes(plan.notes)


def print_notes(notes: tuple[str, ...]) -> None:
    """Print what was chosen or adjusted."""
    if notes:
        print_rows("Notes", {str(i): note for i, note in enumerate(notes, 1)})


def print_result(result: Result, *, as_json: bool) -> None:
    """Say what a finished run made."""
    holes = result.summary.get("holes") or 0
    objects = result.summary.get("objects")
    if as_json:
        print_json({"output": str(result.path), "result": result.spec.to_json(), **result.summary})
        return
    what = f"{objects:,} objects" if objects is not None else result.plan.job.operation.type.replace("_", " ")
    typer.echo(f"{what} in {result.path} ({layer(result.spec)})")
    if holes:
        typer.echo(f"{holes} tiles failed and are missing; 's1omni show {result.path}' names them.")
