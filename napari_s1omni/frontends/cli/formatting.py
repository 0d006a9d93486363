"""Plans and results as text and as JSON."""

from __future__ import annotations

import dataclasses
from typing import Any

import typer

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.units import count_of
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.planning.cost import Cost, describe_cost
from napari_s1omni.planning.plan import Plan
from napari_s1omni.results.result import Result


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
        **{name.lower(): text for name, text in plan.acquisition.facts()},
        "result": f"{plan.job.output or plan.job.into or 'temporary'} ({describe_layer(plan.target)})",
        "engine": f"{plan.engine.name}, revision {plan.engine.revision}: {plan.engine.title}",
        **({"held by": plan.engine.host.placement} if plan.engine.host.placement else {}),
        **({"threads per worker": str(plan.engine.threads)} if plan.engine.threads else {}),
        "thinks": plan.sampling.think or "",
        "tiles": plan.tiles_in_words,
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
    summary = count_of(objects, "object") if objects is not None else result.plan.job.operation.type.replace("_", " ")
    typer.echo(f"{summary} in {result.uri} ({describe_layer(result.spec)})")
    for note in result.notes:
        typer.echo(note)
    if holes:
        typer.echo(f"{holes} tiles failed and are missing; 's1omni show {result.uri}' lists them.")
