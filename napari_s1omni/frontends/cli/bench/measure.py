"""``s1omni bench measure``: time and memory for a table of many objects."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.benchmarks import measure as object_table
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import Json


def measure(
    edge: Annotated[int, typer.Option(min=64, help="Edge of the plane in pixels.")] = 16384,
    count: Annotated[int, typer.Option(min=1, help="Number of touching ellipses.")] = 200_000,
    block: Annotated[int, typer.Option(min=16, help="Edge of a block in pixels.")] = 1024,
    json: Json = False,
) -> None:
    """Measure the ellipses of a plane into a CSV; CPU time does not include making the plane."""
    with tempfile.TemporaryDirectory() as folder:
        report = object_table.measure(Path(folder) / "objects.csv", edge, count, block)
    if json:
        print_json(dataclasses.asdict(report))
        return
    rows = {
        "objects": f"{report.objects:,}",
        "CPU seconds": f"{report.cpu_seconds:.1f}",
        "wall-clock seconds, including making the labels": f"{report.seconds:.1f}",
        "peak memory (MB)": f"{report.peak_memory / 1e6:.0f}",
    }
    print_rows(f"Measuring {edge} x {edge} pixels", rows)
