"""``s1omni bench overhead | memory | resume | scaling``: what a durable run costs beyond its model."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.benchmarks import durability
from napari_s1omni.benchmarks import durability_page as comparison
from napari_s1omni.frontends.cli.formatting import print_rows
from napari_s1omni.frontends.cli.run_options import Json


def overhead(
    tiles: Annotated[int, typer.Option(min=16, help="Tiles of 50 ms; an eighth of them with 500 ms.")] = 1024,
    blocks: Annotated[int, typer.Option(min=64, help="Blocks in which there is nothing to do.")] = 16384,
    json: Json = False,
) -> None:
    """Compare one worker with a bare loop over the same tiles, the same fake model taking 50 and 500 ms."""
    _show("Overhead", {**durability.no_op(blocks), **durability.overhead(tiles, max(16, tiles // 8))}, json)


def page(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The page, in Markdown.", show_default=False)],
    tiles: Annotated[int, typer.Option(min=64, help="Tiles of 50 ms; a quarter of them with 500 ms.")] = 512,
    blocks: Annotated[int, typer.Option(min=0, help="Blocks of the largest rehearsal; 0 for none.")] = 1_000_000,
    json: Json = False,
) -> None:
    """Measure all of this, and other ways to do it, in one run; write the page docs/benchmarks.md."""
    numbers: durability.Numbers = {}
    for numbers in comparison.measure(tiles, blocks):
        file.write_text(comparison.page(numbers), encoding="utf-8")
        typer.echo(f"measured: {', '.join(name for name in numbers if name != 'machine')}", err=True)
    if json:
        typer.echo(dumps(numbers))


def memory(
    largest: Annotated[float, typer.Option(min=0.5, help="GB of the largest volume.")] = 4.0, json: Json = False
) -> None:
    """Measure the peak memory of driver and worker from a quarter of a GB to 4 GB, and the forecast."""
    sizes = tuple(gb for gb in (0.25, 0.5, 1.0, 2.0, 4.0, 8.0) if gb <= largest)
    _show("Memory", durability.memory(sizes), json)


def resume(json: Json = False) -> None:
    """Kill a run in the middle, and time how soon the next one draws a new tile."""
    _show("Resume", durability.resume(), json)


def scaling(
    tiles: Annotated[int, typer.Option(min=16, help="Tiles of a tenth of a second.")] = 384,
    blocks: Annotated[int, typer.Option(min=0, help="Also run so many blocks in which there is nothing to do.")] = 0,
    json: Json = False,
) -> None:
    """Compare one worker with two, the model sleeping; and rehearse very large runs."""
    numbers = durability.scaling(tiles=tiles)
    if blocks:
        numbers["rehearsal"] = durability.many(blocks)
    _show("Scaling", numbers, json)


def _show(title: str, numbers: durability.Numbers, json: bool) -> None:
    if json:
        # One line, so that the last line of the output is all of it.
        typer.echo(dumps(numbers))
    else:
        print_rows(title, {name: _worded(value) for name, value in numbers.items()})


def _worded(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return ", ".join(map(_worded, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {_worded(part)}" for name, part in value.items())
    return f"{value:,}"
