"""``s1omni bench tile-sizes``: the same objects in tiles of any size."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.evaluation.tile_sizes import COIN_SIZES, LEAST, SIZES, count_coins, score_tile_sizes
from napari_s1omni.frontends.cli.bench.scores.single_images import Engine, Limit, images_folder
from napari_s1omni.frontends.cli.printing import print_json
from napari_s1omni.frontends.cli.run_options import Json


def tile_sizes(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of sets with 'images'.",
            show_default="$S1OMNI_DATA/seg2d_nuclei",
        ),
    ] = None,
    engine: Engine = "reference",
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Count coins in tiles of four sizes, compare nuclei in tiles of two sizes with one tile; fail if they differ."""
    coins = count_coins(engine)
    if not json:
        typer.echo("coins: " + ", ".join(f"{coins[size]} at {size} px" for size in COIN_SIZES))
        typer.echo("| set | images | " + " | ".join(f"{size} px" for size in SIZES) + " |")
        typer.echo(f"|{'---|' * (2 + len(SIZES))}")
    scores = []
    for s in score_tile_sizes(images_folder(folder, "seg2d_nuclei"), engine, limit):
        scores.append(s)
        if not json:
            typer.echo(f"| {s.name} | {s.images} | " + " | ".join(f"{s.agreement[size]:.3f}" for size in SIZES) + " |")
    if json:
        print_json({"coins": coins, "sets": [dataclasses.asdict(s) for s in scores]})
    least = LEAST.get(engine, 0.0)
    if len(set(coins.values())) > 1 or any(value < least for s in scores for value in s.agreement.values()):
        raise typer.Exit(1)
