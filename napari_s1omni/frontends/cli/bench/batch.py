"""``s1omni bench batch``: the overhead of a batch of small images."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from napari_s1omni.benchmarks.batch import measure
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import Json


def batch(
    images: Annotated[int, typer.Option(min=2, help="Number of images.")] = 50,
    edge: Annotated[int, typer.Option(min=32, help="Edge of an image in pixels.")] = 256,
    engine: Annotated[str, typer.Option("--engine", "-e", help="Engine to run.")] = "reference",
    rounds: Annotated[int, typer.Option(min=1, help="Repetitions; only the fastest counts.")] = 2,
    json: Json = False,
) -> None:
    """Run small images one by one on a loaded engine, then as a batch, and compare."""
    report = measure(images, edge, engine, rounds)
    if json:
        ratios = {"ratio": report.ratio, "command_ratio": report.command_ratio}
        print_json({**dataclasses.asdict(report), **ratios})
        return
    rows = {
        "one image, engine loaded (s)": f"{report.warm:.3f}",
        f"{images} images as a batch (s)": f"{report.batch:.2f}, {report.ratio:.3f} of {images} single images",
        "the same with 's1omni run' (s)": f"{report.command:.2f}, {report.command_ratio:.3f}",
    }
    print_rows(f"{images} images of {edge} x {edge} px, engine {engine}", rows)
