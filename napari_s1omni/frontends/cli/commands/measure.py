"""``s1omni measure``: a table of all objects of a result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.errors import PlanError, StoreExists
from napari_s1omni.operations.channels import channel_index
from napari_s1omni.results.region_properties import write_tables
from napari_s1omni.results.result import Result
from napari_s1omni.storage.source import open_reference


def measure(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Folder of a mask.", show_default=False)],
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="The file to write, .csv or .parquet.", show_default=False)
    ],
    channels: Annotated[
        str | None,
        typer.Option("--channels", help="Channels to measure, by number or name, with commas.", show_default="all"),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="Where the image is now, if it was moved.", show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Measure every object: area or volume, place, shape, and the intensity of each channel, in the layer's units.

    Streamed: of a layer of any size one block is held at a time. `uncertain` marks objects that were, or might
    have been, joined across blocks by a close call; `touches_border` those that the layer's border may cut.
    """
    result = Result.open(output)
    if not result.complete:
        raise PlanError(f"{output} is unfinished", "a finished result", f"finish it: s1omni resume {output}")
    if table.exists() and not overwrite:
        raise StoreExists(f"{table} is there already", remedy="choose another name, or --overwrite")
    image = None if source is None else open_reference(result.plan.job.source, source)
    chosen = None
    if channels is not None:
        spec = image.spec if image is not None else result.plan.source
        chosen = [channel_index(name.strip(), spec) for name in channels.split(",")]
    rows = write_tables(result.measure(image, chosen), table)
    typer.echo(f"{rows:,} objects in {table}")
