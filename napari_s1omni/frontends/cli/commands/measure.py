"""``s1omni measure``: measure all objects of a mask into a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.errors import PlanError, StoreExists
from napari_s1omni.frontends.cli.arguments import ResultPlace, file_to_write
from napari_s1omni.operations.channels import channel_index
from napari_s1omni.results.result import Result
from napari_s1omni.results.tables import write_tables
from napari_s1omni.storage.source import open_source


def measure(
    output: ResultPlace,
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE", help="File to write: .csv or .parquet.", show_default=False, parser=file_to_write
        ),
    ],
    channels: Annotated[
        str | None,
        typer.Option("--channels", help="Channels to measure: numbers or names with commas.", show_default="all"),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="New path of the image, if it was moved.", show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Measure every object: area or volume, position, shape and intensity, in the units of the image.

    One block is in memory at a time, so the image may have any size. The column `uncertain` marks objects whose
    join across blocks was a close call, `touches_border` objects that the border of the image may cut.
    """
    result = Result.open(output)
    if not result.complete:
        raise PlanError(f"{output} is unfinished", "a finished result", f"finish it: s1omni resume {output}")
    if table.exists() and not overwrite:
        raise StoreExists(f"{table} exists", remedy="choose another name, or use --overwrite")
    reference = result.plan.job.source
    image = None
    if source is not None:
        image = open_source(
            source, level=reference.level, axes=reference.axes, scale=reference.scale, units=reference.units
        )
    chosen = None
    if channels is not None:
        spec = image.spec if image is not None else result.plan.source
        chosen = [channel_index(name.strip(), spec) for name in channels.split(",")]
    rows = write_tables(result.measure(image, chosen), table)
    typer.echo(f"{rows:,} objects in {table}")
