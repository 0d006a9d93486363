"""``s1omni bench overhead | memory | resume | scaling | page``: the cost of durable runs beyond the model."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.benchmarks.durability import memory as run_memory
from napari_s1omni.benchmarks.durability import numbers as all_numbers
from napari_s1omni.benchmarks.durability import overhead as run_overhead
from napari_s1omni.benchmarks.durability import page as numbers_page
from napari_s1omni.benchmarks.durability import resuming
from napari_s1omni.benchmarks.fresh_process import Numbers
from napari_s1omni.frontends.cli.printing import print_rows
from napari_s1omni.frontends.cli.run_options import Json


def overhead(
    tiles: Annotated[int, typer.Option(min=16, help="Number of tiles with 50 ms; an eighth of it with 500 ms.")] = 1024,
    blocks: Annotated[int, typer.Option(min=64, help="Number of blank blocks.")] = 16384,
    json: Json = False,
) -> None:
    """Compare one worker with a bare loop over the same tiles, for a fake model that takes 50 or 500 ms per tile."""
    _show("Overhead", {**run_overhead.no_op(blocks), **run_overhead.overhead(tiles, max(16, tiles // 8))}, json)


def page(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Markdown file to write.", show_default=False)],
    tiles: Annotated[int, typer.Option(min=64, help="Number of tiles with 50 ms; a quarter of it with 500 ms.")] = 512,
    blocks: Annotated[int, typer.Option(min=0, help="Blocks of the largest run; 0 for none.")] = 1_000_000,
    json: Json = False,
) -> None:
    """Measure all of this and other frameworks in one run; write the page docs/durability.md."""
    numbers: Numbers = {}
    for numbers in all_numbers.measure(tiles, blocks):
        file.write_text(numbers_page.page(numbers), encoding="utf-8")
        typer.echo(f"measured: {', '.join(name for name in numbers if name != 'machine')}", err=True)
    if json:
        typer.echo(dumps(numbers))


def memory(
    largest: Annotated[float, typer.Option(min=0.5, help="Size of the largest volume in GB.")] = 4.0, json: Json = False
) -> None:
    """Measure the peak memory of driver and worker for volumes of 0.25 to 4 GB, and compare it with the estimate."""
    sizes = tuple(gb for gb in (0.25, 0.5, 1.0, 2.0, 4.0, 8.0) if gb <= largest)
    _show("Memory", run_memory.memory(sizes), json)


def resume(json: Json = False) -> None:
    """Kill a run halfway, and time how soon the next one draws a new tile."""
    _show("Resume", resuming.resume(), json)


def scaling(
    tiles: Annotated[int, typer.Option(min=16, help="Number of tiles with 0.1 s.")] = 384,
    blocks: Annotated[int, typer.Option(min=0, help="Also run this many blank blocks.")] = 0,
    json: Json = False,
) -> None:
    """Compare one worker with two, for a model that sleeps; optionally time a very large run."""
    numbers = run_overhead.scaling(tiles=tiles)
    if blocks:
        numbers["large_run"] = resuming.large_run(blocks)
    _show("Scaling", numbers, json)


def _show(title: str, numbers: Numbers, json: bool) -> None:
    if json:
        # One line, so that the last line of the output holds everything.
        typer.echo(dumps(numbers))
    else:
        print_rows(title, {name: _format(value) for name, value in numbers.items()})


def _format(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return ", ".join(map(_format, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {_format(part)}" for name, part in value.items())
    return f"{value:,}"
