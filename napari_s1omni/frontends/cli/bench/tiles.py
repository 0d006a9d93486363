"""``s1omni bench tiles``: what a megapixel costs."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_s1omni.benchmarks import tile_costs
from napari_s1omni.frontends.cli.printing import print_json
from napari_s1omni.frontends.cli.run_options import Json


def tiles(
    engine: Annotated[list[str] | None, typer.Option("--engine", "-e", help="Engines to time.")] = None,
    json: Json = False,
) -> None:
    """Count how often each tile is drawn; compare a run with a bare loop; time engines. Takes two minutes."""
    found = tile_costs.measure(tuple(engine) if engine else ("reference", "nano"))
    if json:
        print_json(found)
        return
    typer.echo("| | |\n|---|---|")
    for name, share in found["drawn_over_lattice"].items():
        typer.echo(f"| tiles drawn over cells of the lattice, {name.upper()} | {share:.3f} |")
    for name, share in found["overhead"].items():
        typer.echo(f"| time of a run over that of a bare loop, {name} a tile | {share:+.1%} |")
    for name, seconds in found["seconds_per_megapixel"].items():
        typer.echo(f"| seconds per megapixel, {name} | {seconds:.2f} |")
