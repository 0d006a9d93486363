"""``s1omni bench volumes``: volumes in blocks, compared with the same volumes as a whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation.volumes import STACKS, TOLERANCE, keep_scores, open_volumes, score_volume
from napari_s1omni.frontends.cli.bench.scores.single_images import images_folder
from napari_s1omni.frontends.cli.printing import print_json
from napari_s1omni.frontends.cli.run_options import Json


def volumes(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Folder of the stacks.", show_default="$S1OMNI_DATA/seg3d"),
    ] = None,
    engine: Annotated[str, typer.Option("--engine", "-e", help="Engine to run.")] = "reference",
    json: Json = False,
    write: Annotated[
        Path | None,
        typer.Option(help="Also keep the scores in this file, such as the one from which plans tell what to expect."),
    ] = None,
) -> None:
    """Segment stacks of nuclei as a whole and in blocks, score both in 3D; fail if they differ by more than 0.02."""
    data = images_folder(folder, "seg3d")
    scores = [score_volume(volume, engine) for volume in open_volumes(data)]
    if not scores:
        raise SourceError(f"{data} holds no known stack", f"folders named {', '.join(STACKS)}", "name their folder")
    if write is not None:
        keep_scores(write, engine, scores)
    absent = [name for name in STACKS if name not in {s.name for s in scores}]
    if absent:
        typer.echo(f"not in {data}, not measured: {', '.join(absent)}", err=True)
    if json:
        print_json([{**dataclasses.asdict(s), "difference": s.difference} for s in scores])
    else:
        heads = ("links alone", "with rules")
        linked = [f"linked truth, {h}" for h in heads]
        columns = ("stack", "objects", *linked, "blocks", "found whole", "found in blocks")
        typer.echo(f"| {' | '.join((*columns, *(f'AP whole, {h}' for h in heads), 'AP in blocks', 'difference'))} |")
        typer.echo(f"|{'---|' * 11}")
        for s in scores:
            truth = f"{s.ap_links:.3f} | {s.ap_linked:.3f}"
            counts = f"{s.objects} | {truth} | {s.blocks} | {s.found_whole} | {s.found_blocks}"
            numbers = f"{s.ap_plain:.3f} | {s.ap_whole:.3f} | {s.ap_blocks:.3f} | {s.difference:+.3f}"
            typer.echo(f"| {s.name} | {counts} | {numbers} |")
    if any(abs(s.difference) > TOLERANCE for s in scores):
        raise typer.Exit(1)
