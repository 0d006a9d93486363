"""``s1omni bench busy``: runs and previews beside other work."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_s1omni.benchmarks import busy_machine
from napari_s1omni.frontends.cli.printing import print_json
from napari_s1omni.frontends.cli.run_options import Json
from napari_s1omni.system.machine import usable_processors

_RUNS = {
    "alone_{}_s": "one run",
    "two_at_once_{}_s": "two at once, until both have ended",
    "beside_busy_{}_s": "one beside the busy processes",
    "two_at_once_{}_ratio": "two at once against one after the other",
    "beside_busy_{}_ratio": "beside the busy processes against alone",
}
"""Rows of the table of runs."""
_SURFACE = {
    "preview_first_tile_cold_s": "first tile of a preview, engine not loaded yet",
    "preview_first_tile_warm_s": "first tile of a preview, engine loaded",
    "preview_four_tiles_warm_s": "four tiles of a preview, engine loaded",
    "preview_first_tile_beside_busy_s": "first tile of a preview beside the busy processes, engine loaded",
    "preview_beside_busy_ratio": "the same against without them",
    "run_first_tile_s": "first tiles of a run, engine not loaded yet",
    "run_first_tile_engine_loaded_s": "first tiles of a run, engine loaded",
    "accept_drawn_tile_s": "accepting a tile that was tried",
}
"""Rows of the table of what a user waits for."""


def busy(
    edge: Annotated[int, typer.Option(min=512, help="Edge of the layer in pixels.")] = 1024,
    engine: Annotated[str, typer.Option("--engine", "-e", help="Engine to run.")] = "nano",
    neighbours: Annotated[int, typer.Option(min=1, help="Number of busy processes beside it.")] = 4,
    runs: Annotated[bool, typer.Option(help="Time whole runs.")] = True,
    surface: Annotated[bool, typer.Option(help="Time previews and what follows them in napari.")] = True,
    json: Json = False,
) -> None:
    """Time a run alone, two at once and one beside busy processes, with threads that sleep or spin while they wait.

    Takes about five minutes on two processors that have nothing else to do. Unset `OMP_NUM_THREADS` and
    `S1OMNI_THREADS` before: engines compute with as many threads as they say.
    """
    numbers = busy_machine.runs(edge, engine, neighbours) if runs else {}
    if surface:
        numbers |= busy_machine.surface(edge, engine, neighbours)
    if json:
        print_json(numbers)
        return
    size = f"{edge:,} x {edge:,} px, engine {engine}, {usable_processors()} processors, {neighbours} busy processes"
    typer.echo(f"{size}; seconds until the end, or until the first tile:")
    if runs:
        typer.echo("\n| | threads that sleep while they wait | threads that spin |\n|---|---|---|")
        for name, words in _RUNS.items():
            found = (numbers[name.format(policy)] for policy in busy_machine.POLICIES)
            typer.echo(f"| {words} | " + " | ".join(f"{value:.3g}" for value in found) + " |")
    if surface:
        typer.echo("\n| in napari and notebooks | |\n|---|---|")
        for name, words in _SURFACE.items():
            typer.echo(f"| {words} | {numbers[name]:.3g} |")
