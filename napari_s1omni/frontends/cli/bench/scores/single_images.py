"""``s1omni bench nuclei`` and ``s1omni bench restored``: scores of single images."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.evaluation.nano.by_source import ENGINES
from napari_s1omni.evaluation.single_images import score_nuclei, score_restoration
from napari_s1omni.frontends.cli.bench.scores.by_source import print_by_source
from napari_s1omni.frontends.cli.printing import print_json
from napari_s1omni.frontends.cli.run_options import Json
from napari_s1omni.settings import data_folder

Engine = Annotated[str, typer.Option("--engine", "-e", help="Engine to run.")]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="Number of images per set, spread evenly; by default all.")
]


def images_folder(folder: Path | None, name: str) -> Path:
    """Return the folder of images that was given, else the one of this name in ``$S1OMNI_DATA``."""
    return folder or data_folder(option="an argument") / name


def nuclei(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of sets with 'images' and 'masks'.",
            show_default="$S1OMNI_DATA/seg2d_nuclei",
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            "-e",
            help="Engine to run; with --unseen or --validation beside reference.",
            show_default="reference, and by source also nano and auto",
        ),
    ] = None,
    limit: Limit = None,
    unseen: Annotated[bool, typer.Option("--unseen", help="Score by source, those that no training read.")] = False,
    validation: Annotated[bool, typer.Option("--validation", help="Score by source, validation fields.")] = False,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the data, for scores by source.", show_default="$S1OMNI_DATA")
    ] = None,
    json: Json = False,
) -> None:
    """Score instances against annotated nuclei (AP at IoU 0.5, pooled), and tiled results against untiled ones.

    By source, with --unseen or --validation, each engine runs with its defaults, also on axons.
    """
    if unseen or validation:
        engines = ENGINES if engine is None else tuple(dict.fromkeys(("reference", engine)))
        print_by_source(data_folder(data), "unseen" if unseen else "validation", engines, limit, json)
        return
    scores = []
    if not json:
        typer.echo("| set | images | objects | first half | second half | all | tiled to whole |")
        typer.echo("|---|---|---|---|---|---|---|")
    for s in score_nuclei(images_folder(folder, "seg2d_nuclei"), engine or "reference", limit):
        scores.append(s)
        if not json:
            numbers = " | ".join(f"{v:.3f}" for v in (s.first_half, s.second_half, s.all, s.tiled_to_whole))
            typer.echo(f"| {s.name} | {s.images} | {s.objects} | {numbers} |")
    if json:
        print_json([dataclasses.asdict(s) for s in scores])


def restored(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Folder of images.", show_default="$S1OMNI_DATA/sr"),
    ] = None,
    engine: Engine = "reference",
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Blur (sigma 0.8 px), bin 2 x 2, restore, and compare with bicubic interpolation; fail if that is better."""
    found = list(score_restoration(images_folder(folder, "sr"), limit, engine))
    if json:
        print_json([{**dataclasses.asdict(r), "gain": r.gain} for r in found])
    else:
        typer.echo("| image | PSNR (dB) | bicubic (dB) | gain (dB) |")
        typer.echo("|---|---|---|---|")
        for r in found:
            typer.echo(f"| {r.name} | {r.ours:.2f} | {r.bicubic:.2f} | {r.gain:+.2f} |")
        typer.echo(f"| mean | | | {sum(r.gain for r in found) / len(found):+.2f} |")
    if any(r.gain <= 0 for r in found):
        raise typer.Exit(1)
