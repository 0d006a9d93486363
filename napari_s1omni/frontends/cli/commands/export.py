"""``s1omni export``: a result as a file that other programs open."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.errors import JobError
from napari_s1omni.frontends.cli.commands.run import HOLES
from napari_s1omni.results.result import Result
from napari_s1omni.storage.writers.contours import trace_labels
from napari_s1omni.storage.writers.outlines import ENDINGS, write_outlines
from napari_s1omni.storage.writers.tiff import write_tiff

_TIFF = (".tif", ".tiff")


def export(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Folder of a result.", show_default=False)],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write: .tif, .geojson or .zip.", show_default=False)
    ],
    level: Annotated[int, typer.Option("--level", min=0, help="Level of the pyramid; 0 is full resolution.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Write a result as OME-TIFF with px size and units, or the outlines of a mask.

    Outlines are GeoJSON for QuPath (.geojson) or ROIs for ImageJ (.zip), along the edges of px and in px of the
    source, one per object and plane. In a TIFF nothing is rescaled or cast.
    """
    outlines = file.suffix.lower() in ENDINGS
    if not outlines and file.suffix.lower() not in _TIFF:
        raise JobError(f"file {file}", f"a name that ends with {', '.join((*_TIFF, *ENDINGS))}", "name such a file")
    result = Result.open(output)
    if outlines:
        count = _outlines(result, file, level, overwrite)
        typer.echo(f"{file} ({count:,} outlines)")
        _end(result, output)
        return
    if level >= len(result.levels):
        raise JobError(f"level {level} of {output}", f"levels 0 to {len(result.levels) - 1}", "choose one of these")
    write_tiff(file, result.levels[level], result.level_spec(level), overwrite=overwrite)
    typer.echo(f"{file} ({' x '.join(str(n) for n in result.levels[level].shape)} px)")
    _end(result, output)


def _outlines(result: Result, file: Path, level: int, overwrite: bool) -> int:
    if result.spec.kind != "labels" or level:
        what = f"level {level}" if level else "an image"
        raise JobError(f"{file} for {what}", "outlines are made of a mask at full resolution", "write a .tif")
    layers = result.layers(channels=())
    found = trace_labels(layers.labels, layers.spec, layers.block)
    return write_outlines(file, found, layers.offset or {}, overwrite=overwrite)


def _end(result: Result, output: Path) -> None:
    if not result.complete:
        typer.echo(f"{output} is unfinished; what is missing is 0 in the file.", err=True)
        raise typer.Exit(HOLES)
