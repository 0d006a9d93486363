"""``s1omni export``: write a result to a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.frontends.cli.arguments import ResultPlace, file_to_write
from napari_s1omni.frontends.cli.batch_folder import export_batch
from napari_s1omni.frontends.cli.run_options import HOLES
from napari_s1omni.results.batch.batch_rows import find_batch
from napari_s1omni.results.export import export_result, is_outlines
from napari_s1omni.results.result import Result


def export(
    output: ResultPlace,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="The file to write: .tif, .geojson, .zip, .mha, .nii.gz or .dcm (DICOM SEG). For a batch, tif, "
            "geojson, zip, mha, nifti or dicom-seg: one file per image.",
            show_default=False,
            parser=file_to_write,
        ),
    ],
    level: Annotated[int, typer.Option("--level", min=0, help="Level of the pyramid; 0 is full resolution.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write a result as OME-TIFF with pixel size and units, for medical programs, or the outlines of a mask.

    Outlines are GeoJSON for QuPath (.geojson) or ROIs for ImageJ (.zip): one per object and plane, along the
    edges of pixels, in pixels of the source at full resolution. A TIFF holds the values unchanged. MetaImage (.mha),
    NIfTI (.nii.gz) and DICOM SEG (.dcm, for labels of a DICOM series) lie where the source lies in the patient.
    """
    if (batch := find_batch(output)) is not None:
        export_batch(batch, file, level=level, overwrite=overwrite)
        return
    is_outlines(file)
    result = Result.open(output)
    typer.echo(f"{file} ({export_result(result, file, level=level, overwrite=overwrite)})")
    if not result.complete:
        typer.echo(f"{output} is unfinished; missing blocks are 0 in the file.", err=True)
        raise typer.Exit(HOLES)
