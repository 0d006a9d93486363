"""``s1omni bench ablation``: does the thought change the drawn image?"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.evaluation.ablation.run import run_ablation
from napari_s1omni.evaluation.ablation.table import table
from napari_s1omni.frontends.cli.printing import print_json
from napari_s1omni.frontends.cli.run_options import Json


def ablation(
    engine: Annotated[str, typer.Option("--engine", "-e", help="nano, or a folder in its layout.")] = "nano",
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of the real images; without it, only simulated tiles.")
    ] = None,
    scenes: Annotated[int, typer.Option("--scenes", min=1, help="Simulated scenes to search for ambiguous ones.")] = 48,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the bootstrap and of the random states.")] = 0,
    control: Annotated[
        str | None, typer.Option("--control", help="Folder of an editor trained with a task embedding only.")
    ] = None,
    json: Json = False,
) -> None:
    """Score the same tiles drawn with unchanged, zeroed, random, shuffled, shortened, true and falsified thoughts."""
    rows = run_ablation(engine, data, scenes=scenes, seed=seed, control=control)
    if json:
        print_json([dataclasses.asdict(row) for row in rows])
        return
    typer.echo(table(rows))
