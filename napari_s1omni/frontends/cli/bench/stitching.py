"""``s1omni bench stitching``: correctness, time and memory of labels across blocks."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.benchmarks.stitching import memory as stitching_memory
from napari_s1omni.benchmarks.stitching import oracles as stitching_oracles
from napari_s1omni.benchmarks.stitching import scale as stitching_scale
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import Json

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Labels across blocks: oracles, scale and memory.")


@app.command()
def oracles() -> None:
    """Stitch layers with known objects block by block, and print a table in Markdown; fail if any differs."""
    text, passed = stitching_oracles.markdown()
    typer.echo(text, nl=False)
    if not passed:
        raise typer.Exit(1)


@app.command()
def scale(
    edge: Annotated[int, typer.Option(min=64, help="Edge of the plane in pixels.")] = 16384,
    count: Annotated[int, typer.Option(min=1, help="Number of touching ellipses.")] = 200_000,
    block: Annotated[int, typer.Option(min=16, help="Edge of a block in pixels.")] = 1024,
    halo: Annotated[int, typer.Option(min=1, help="Halo of a block in pixels.")] = 64,
    json: Json = False,
) -> None:
    """Stitch a plane of touching ellipses on disk and compare with the truth."""
    with tempfile.TemporaryDirectory() as folder:
        report = stitching_scale.measure(Path(folder) / "result", edge, count, block, halo)
    numbers = dataclasses.asdict(report)
    numbers |= numbers.pop("agreement")
    if json:
        print_json(numbers)
    else:
        print_rows(f"{report.agreement.expected} ellipses on {edge} x {edge} pixels", _format(numbers))
    if not report.agreement.equal:
        raise typer.Exit(1)


@app.command()
def memory(
    blocks: Annotated[int, typer.Option(min=2, help="Number of blocks.")] = 50_000,
    objects: Annotated[int, typer.Option(min=2, help="Objects per block.")] = 10_000,
    shared: Annotated[int, typer.Option(min=1, help="Objects that each block shares with the next.")] = 400,
    json: Json = False,
) -> None:
    """Number the objects of synthetic blocks, the only step that holds something of the whole layer."""
    numbers = dataclasses.asdict(stitching_memory.measure(blocks, objects, shared))
    if json:
        print_json(numbers)
    else:
        print_rows(f"Numbering {blocks} blocks", _format(numbers))


def _format(numbers: dict[str, int | float]) -> dict[str, str]:
    return {name: f"{value:.3g}" if isinstance(value, float) else f"{value:,}" for name, value in numbers.items()}
