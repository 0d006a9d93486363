"""``s1omni export``: write a result to a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.errors import JobError
from napari_s1omni.frontends.cli.arguments import ResultPlace, file_to_write
from napari_s1omni.frontends.cli.run_options import HOLES
from napari_s1omni.results.result import Result
from napari_s1omni.storage.writers.contours import trace_labels
from napari_s1omni.storage.writers.outlines import ENDINGS, write_outlines
from napari_s1omni.storage.writers.tiff import write_tiff

_TIFF = (".tif", ".tiff")


def export(
    output: ResultPlace,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="The file to write: .tif, .geojson or .zip.",
            show_default=False,
            parser=file_to_write,
        ),
    ],
    level: Annotated[int, typer.Option("--level", min=0, help="Level of the pyramid; 0 is full resolution.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write a result as OME-TIFF with pixel size and units, or the outlines of a mask.

    Outlines are GeoJSON for QuPath (.geojson) or ROIs for ImageJ (.zip): one per object and plane, along the
    edges of pixels, in pixels of the source at full resolution. A TIFF holds the values unchanged.
    """
    outlines = file.suffix.lower() in ENDINGS
    if not outlines and file.suffix.lower() not in _TIFF:
        raise JobError(
            f"{file} has an unknown ending", f"an export ends in {', '.join((*_TIFF, *ENDINGS))}", "choose such a name"
        )
    result = Result.open(output)
    if outlines:
        count = _export_outlines(result, file, level, overwrite)
        source = result.plan.source.source or "the image"
        typer.echo(f"{file} ({count:,} outlines, in full-resolution pixels of {source})")
        _exit_if_unfinished(result, output)
        return
    if level >= len(result.levels):
        raise JobError(f"level {level} of {output}", f"levels 0 to {len(result.levels) - 1}", "choose one of these")
    write_tiff(file, result.checked_level(level), result.level_spec(level), overwrite=overwrite)
    typer.echo(f"{file} ({' x '.join(str(n) for n in result.levels[level].shape)} px)")
    _exit_if_unfinished(result, output)


def _export_outlines(result: Result, file: Path, level: int, overwrite: bool) -> int:
    if result.spec.kind != "labels" or level:
        found = f"level {level}" if level else "an image"
        raise JobError(f"{file} for {found}", "outlines need a mask at full resolution", "write a .tif")
    outlines = trace_labels(result.checked_level(), result.spec, result.block)
    # Another run, or the same one into another folder, gives other ids.
    where = result.uri if result.is_remote else result.path.resolve()
    identity = f"{result.plan.digest} {where}"
    return write_outlines(file, outlines, result.frame, identity, overwrite=overwrite)


def _exit_if_unfinished(result: Result, output: str) -> None:
    if not result.complete:
        typer.echo(f"{output} is unfinished; missing blocks are 0 in the file.", err=True)
        raise typer.Exit(HOLES)
