"""``s1omni bench busy``: runs and previews beside other work."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_s1omni.benchmarks import busy_machine
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import Json


def busy(
    edge: Annotated[int, typer.Option(min=256, help="Edge of the layer in pixels.")] = 1024,
    engine: Annotated[str, typer.Option("--engine", "-e", help="Engine to run.")] = "nano",
    neighbours: Annotated[int, typer.Option(min=1, help="Number of busy processes beside it.")] = 4,
    runs: Annotated[bool, typer.Option(help="Time whole runs.")] = True,
    surface: Annotated[bool, typer.Option(help="Time previews and what follows them in napari.")] = True,
    json: Json = False,
) -> None:
    """Time a run alone, two at once and one beside busy processes, with threads that sleep or spin while they wait."""
    numbers = busy_machine.runs(edge, engine, neighbours) if runs else {}
    if surface:
        numbers |= busy_machine.surface(edge, engine, neighbours)
    if json:
        print_json(numbers)
    else:
        rows = {name.replace("_", " "): f"{value:.3g}" for name, value in numbers.items()}
        print_rows(f"{edge} x {edge} px, engine {engine}, {neighbours} busy processes", rows)
