"""``s1omni measure``: measure all objects of a mask into a table."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.core.image_references import with_image
from napari_s1omni.core.units import count_of
from napari_s1omni.errors import JobError
from napari_s1omni.frontends.cli.arguments import ChosenImage, ResultPlace, file_to_write
from napari_s1omni.frontends.cli.batch_folder import measure_folder
from napari_s1omni.operations.channels import read_channels
from napari_s1omni.results.batch.batch_rows import find_batch
from napari_s1omni.results.object_tables import object_tables
from napari_s1omni.results.result import Result
from napari_s1omni.results.tables import write_tables
from napari_s1omni.storage.listing.image_headers import moved_reference
from napari_s1omni.storage.source import open_reference


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
    image: ChosenImage = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Measure every object: area or volume, position, shape and intensity, in the units of the image.

    One block is in memory at a time, so the image may have any size. The columns `unit` and `area_unit` name the units;
    `bbox-0`, `centroid-0` and so on are in pixels of the image at full resolution, and
    `bbox_min_y` and so on are the same boxes by the name of the axis. The column `uncertain` marks objects
    whose join across blocks was a close call, `touches_border` objects that the border of the image may cut.
    The folder of a batch gives one table, with the columns `image`, `well` and `field`.
    """
    if (batch := find_batch(output)) is not None:
        if channels is not None or source is not None or image is not None:
            raise JobError("--channels, --source and --image for a batch", "they measure one image", "leave them out")
        measure_folder(batch, table, overwrite=overwrite)
        return
    result = Result.open(output)
    reference = result.plan.job.source
    pixels = None
    if source is not None:
        place = with_image(source, image) if image is not None else moved_reference(reference.uri, source)
        pixels = open_reference(reference, place)
    elif image is not None:
        raise JobError("--image without --source", "it chooses an image of that file", "add --source, or leave it out")
    chosen = None if channels is None else read_channels(channels)
    rows = write_tables(object_tables(result, pixels, chosen), table, overwrite=overwrite)
    typer.echo(f"{count_of(rows, 'object')} in {table}")
    sides = [result.spec.scale_of(a) for a in "yx"]
    if result.spec.size("z") == 1 and not math.isclose(*sides, rel_tol=1e-6):
        typer.echo("The column perimeter is empty: a perimeter is defined for square pixels only.", err=True)
