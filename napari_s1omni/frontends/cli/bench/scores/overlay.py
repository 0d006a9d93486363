"""``s1omni bench overlay``: how many objects survive being painted over an image and read again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.evaluation.overlay_masks import DEGREES, WAYS, OverlayScore, score_overlay
from napari_s1omni.frontends.cli.bench.scores.single_images import Limit, images_folder
from napari_s1omni.frontends.cli.printing import print_json
from napari_s1omni.frontends.cli.run_options import Json


def overlay(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Folder of sets with 'images' and 'masks'.", show_default="$S1OMNI_DATA/seg2d_nuclei"),
    ] = None,
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Paint true masks over their images as an engine would, blur them, and read them again (AP at IoU 0.5, pooled).

    No engine is run: this is the best that an engine with such masks can reach.
    """
    if not json:
        typer.echo("| set | images | objects | " + " | ".join(f"{way}: {', '.join(DEGREES)}" for way in WAYS) + " |")
        typer.echo(f"|{'---|' * (3 + len(WAYS))}")
    scores = []
    for score in score_overlay(images_folder(folder, "seg2d_nuclei"), limit):
        scores.append(score)
        if not json:
            typer.echo(_row(score))
    if json:
        print_json([dataclasses.asdict(score) for score in scores])


def _row(score: OverlayScore) -> str:
    name = f"{score.name} (chosen on)" if score.chosen_on else score.name
    numbers = " | ".join(", ".join(f"{value:.3f}" for value in found.values()) for found in score.found.values())
    return f"| {name} | {score.images} | {score.objects} | {numbers} |"
