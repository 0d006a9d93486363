"""``s1omni bench batch``: many small images against one."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from napari_s1omni.benchmarks import batch as batch_scale
from napari_s1omni.frontends.cli.formatting import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import Json


def batch(
    images: Annotated[int, typer.Option(min=2, help="Images of the batch.")] = 50,
    edge: Annotated[int, typer.Option(min=32, help="Edge of an image in px.")] = 256,
    engine: Annotated[str, typer.Option("--engine", "-e", help="Engine to run.")] = "reference",
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, of which the fastest counts.")] = 2,
    json: Json = False,
) -> None:
    """Run small images one by one with a warm engine, then as a batch, and compare."""
    report = batch_scale.measure(images, edge, engine, rounds)
    if json:
        ratios = {"ratio": report.ratio, "command_ratio": report.command_ratio}
        print_json({**dataclasses.asdict(report), **ratios})
        return
    rows = {
        "one image, warm (s)": f"{report.warm:.3f}",
        f"{images} images as a batch (s)": f"{report.batch:.2f}, {report.ratio:.3f} of {images} times one",
        "the same by 's1omni run' (s)": f"{report.command:.2f}, {report.command_ratio:.3f}",
    }
    print_rows(f"{images} images of {edge} x {edge} px, engine {engine}", rows)
