"""``s1omni bench volumes``: volumes in blocks, compared with the same volumes as a whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation.volumes import STACKS, TOLERANCE, open_volumes, score_volume
from napari_s1omni.frontends.cli.bench.single_images import images_folder
from napari_s1omni.frontends.cli.formatting import print_json
from napari_s1omni.frontends.cli.run_options import Json


def volumes(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Folder of the stacks.", show_default="$S1OMNI_DATA/seg3d"),
    ] = None,
    engine: Annotated[str, typer.Option("--engine", "-e", help="Engine to run.")] = "reference",
    json: Json = False,
) -> None:
    """Segment stacks of nuclei as a whole and in blocks, score both in 3D; fail if they differ by more than 0.02."""
    data = images_folder(folder, "seg3d")
    scores = [score_volume(volume, engine) for volume in open_volumes(data)]
    if not scores:
        raise SourceError(f"{data} holds no known stack", f"folders named {', '.join(STACKS)}", "name their folder")
    absent = [name for name in STACKS if name not in {s.name for s in scores}]
    if absent:
        typer.echo(f"not in {data}, not measured: {', '.join(absent)}", err=True)
    if json:
        print_json([{**dataclasses.asdict(s), "difference": s.difference} for s in scores])
    else:
        typer.echo(
            "| stack | objects | AP@0.5 of linked truth | blocks | whole | in blocks | AP@0.5 whole | AP@0.5 in blocks "
            "| difference |"
        )
        typer.echo(f"|{'---|' * 9}")
        for s in scores:
            numbers = f"{s.ap_whole:.3f} | {s.ap_blocks:.3f} | {s.difference:+.3f}"
            counts = f"{s.objects} | {s.ap_linked:.3f} | {s.blocks} | {s.found_whole} | {s.found_blocks}"
            typer.echo(f"| {s.name} | {counts} | {numbers} |")
    if any(abs(s.difference) > TOLERANCE for s in scores):
        raise typer.Exit(1)
