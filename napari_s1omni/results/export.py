"""Write a result to a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_s1omni.errors import JobError
from napari_s1omni.results.medical_export import ENDINGS as MEDICAL
from napari_s1omni.results.medical_export import export_medical
from napari_s1omni.results.result import Result
from napari_s1omni.storage.writers.contours import trace_labels
from napari_s1omni.storage.writers.outlines import ENDINGS, write_outlines
from napari_s1omni.storage.writers.tiff import write_tiff

TIFF = (".tif", ".tiff")
"""Endings of TIFF files."""
FORMATS = {"geojson": "geojson", "zip": "zip", "tif": "tif", "mha": "mha", "nifti": "nii.gz", "dicom-seg": "dcm"}
"""What each result of a batch can be exported as -> the ending of its files."""


def is_outlines(file: Path) -> bool:
    """Whether a file of this name holds outlines; else it holds pixels.

    Raises
    ------
    JobError
        If it is neither.
    """
    outlines = file.suffix.lower() in ENDINGS
    if not outlines and not file.name.lower().endswith((*TIFF, *MEDICAL)):
        raise JobError(
            f"{file} has an unknown ending",
            f"an export ends in {', '.join((*TIFF, *MEDICAL, *ENDINGS))}",
            "choose such a name",
        )
    return outlines


def export_result(result: Result, file: Path, *, level: int = 0, overwrite: bool = False) -> str:
    """Write a result as OME-TIFF or for medical programs, or the outlines of a mask; return what was written in words.

    Parameters
    ----------
    result : Result
    file : Path
        Its ending is one of :data:`TIFF`, of outlines (``.geojson``, ``.json``, ``.zip``), or of medical programs:
        ``.mha``, ``.nii.gz``, ``.nii``, and ``.dcm`` for a DICOM SEG.
    level : int
        Level of the pyramid, for pixels; 0 is full resolution.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    JobError
        If the ending is unknown, or the result has no such level or no outlines.
    StoreExists
        If the file exists and `overwrite` is off.
    """
    if is_outlines(file):
        count = _export_outlines(result, file, level, overwrite)
        return f"{count:,} outlines, in full-resolution pixels of {result.plan.source.source or 'the image'}"
    if level >= len(result.levels):
        raise JobError(f"level {level} of {result.uri}", f"levels 0 to {len(result.levels) - 1}", "choose one of these")
    if file.name.lower().endswith(MEDICAL):
        return export_medical(result, file, level=level, overwrite=overwrite)
    coarser = _flat_levels(result, level)
    write_tiff(
        file,
        result.checked_level(level),
        result.level_spec(level),
        coarser=coarser,
        acquisition=result.acquisition,
        overwrite=overwrite,
    )
    levels = f", {len(coarser) + 1} levels" if coarser else ""
    return f"{' x '.join(str(n) for n in result.levels[level].shape)} px{levels}"


def _flat_levels(result: Result, level: int) -> list[Any]:
    """Return the levels below one that have as many planes; those of a TIFF differ in rows and columns only."""
    planes = result.levels[level].shape[:-2]
    return [
        result.checked_level(k) for k in range(level + 1, len(result.levels)) if result.levels[k].shape[:-2] == planes
    ]


def _export_outlines(result: Result, file: Path, level: int, overwrite: bool) -> int:
    if result.spec.kind != "labels" or level:
        found = f"level {level}" if level else "an image"
        raise JobError(f"{file} for {found}", "outlines need a mask at full resolution", "write a .tif")
    outlines = trace_labels(result.checked_level(), result.spec, result.block)
    # Another run, or the same one into another folder, gives other ids.
    where = result.uri if result.is_remote else result.path.resolve()
    return write_outlines(file, outlines, result.frame, f"{result.plan.digest} {where}", overwrite=overwrite)
