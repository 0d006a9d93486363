"""Results as files of medical programs, with the place of the source in the patient."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.paths import full_path, split_reference
from napari_s1omni.core.patient_space import PatientSpace, Vector
from napari_s1omni.core.sizes.lengths import METRES
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.units import count_of
from napari_s1omni.errors import JobError, SourceError
from napari_s1omni.results.result import Result
from napari_s1omni.storage.readers.formats import format_of
from napari_s1omni.storage.readers.image_files import choose_image, list_file
from napari_s1omni.storage.readers.medical.dicom import source_frames
from napari_s1omni.storage.source import open_reference
from napari_s1omni.storage.writers.dicom_seg import ENDING as SEG
from napari_s1omni.storage.writers.dicom_seg import write_dicom_seg
from napari_s1omni.storage.writers.metaimage import ENDING as MHA
from napari_s1omni.storage.writers.metaimage import write_metaimage
from napari_s1omni.storage.writers.nifti import ENDINGS as NIFTI
from napari_s1omni.storage.writers.nifti import write_nifti

ENDINGS = (MHA, *NIFTI, SEG)
"""Endings of the files that are written here."""
_DICOM = "medical.dicom"
_WHOLE = 1e-3
"""Pixels by which a position may differ from a whole number."""
_SHIFT = 0.01
"""Pixels of rounding that are said."""


def export_medical(result: Result, file: Path, *, level: int = 0, overwrite: bool = False) -> str:
    """Write a result as MetaImage, NIfTI or DICOM SEG; return what was written in words.

    Raises
    ------
    JobError
        If a DICOM SEG is asked for something else than labels of a DICOM series, in its pixels.
    SourceError
        If the source is not there any more, and only it tells where its pixels lie.
    StoreExists
        If the file exists and `overwrite` is off.
    """
    array, spec = result.checked_level(level), result.level_spec(level)
    name = file.name.lower()
    if name.endswith(SEG):
        return _export_seg(result, file, array, spec, overwrite)
    source = result.plan.source
    in_patient = _patient_space(result)
    shape = f"{' x '.join(str(n) for n in spec.shape)} px"
    if in_patient is None:
        plain, said = _plain_space(spec)
        straight = [[*(row[k] for row in plain.steps), plain.origin[k]] for k in range(3)]
        space, affine = plain, [*straight, [0.0, 0.0, 0.0, 1.0]]
    else:
        space = in_patient.part(*_place_in(source, spec))
        affine, said = space.to_ras(), ", with the place of the source in the patient"
    if name.endswith(MHA):
        write_metaimage(file, array, spec, space, overwrite=overwrite)
        return f"{shape}{said}"
    shift = write_nifti(file, array, spec, affine, overwrite=overwrite)
    rounded = f"; NIfTI rounds positions to 32 bits, here by {shift:.2g} px" if shift > _SHIFT else ""
    return f"{shape}{said}{rounded}"


def _patient_space(result: Result) -> PatientSpace | None:
    """Return where the pixels of the source lie in the patient; None if it does not tell."""
    where = result.plan.source.source
    if where is None:
        return None
    try:
        return open_reference(result.plan.job.source, where).patient
    except SourceError as error:
        file = split_reference(where)[0].lower()
        if not file.endswith((".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr", ".dcm")) and "." in Path(file).name:
            return None
        raise SourceError(
            f"the source of {result.uri} cannot be opened, and only it tells where its pixels lie ({error.given})",
            remedy="bring it back to its place, or export .tif",
        ) from error


def _place_in(source: LayerSpec, spec: LayerSpec) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Return the first pixel of a layer and its step, in pixels of the source, per axis."""
    axes = [a for a in "xyz" if a in source and a in spec]
    first = {
        a: (spec.translate[spec.axes.index(a)] - source.translate[source.axes.index(a)]) / source.scale_of(a)
        for a in axes
    }
    return first, {a: spec.scale_of(a) / source.scale_of(a) for a in axes}


def _plain_space(spec: LayerSpec) -> tuple[PatientSpace, str]:
    """Return the space of an image that lies in no patient: its pixel size and position, in millimetres."""
    steps: list[Vector] = []
    origin = []
    for k, axis in enumerate("xyz"):
        factor = 1000 * METRES.get(spec.unit_of(axis) or "", 1e-3)
        steps.append((0.0,) * k + (spec.scale_of(axis) * factor,) + (0.0,) * (2 - k))  # type: ignore[arg-type]
        origin.append(spec.translate[spec.axes.index(axis)] * factor if axis in spec else 0.0)
    known = all(spec.unit_of(a) in METRES for a in "yx")
    said = ", in millimetres" if known else ", 1 px as 1 mm since the source has no unit"
    return PatientSpace((origin[0], origin[1], origin[2]), (steps[0], steps[1], steps[2])), said


def _export_seg(result: Result, file: Path, array: Any, spec: LayerSpec, overwrite: bool) -> str:
    where = result.plan.source.source
    place = None if where is None else split_reference(full_path(where))
    if place is not None and not Path(place[0]).exists():
        raise SourceError(
            f"there is nothing at {place[0]}", "a DICOM SEG refers to the slices of its source", "bring it back"
        )
    found = format_of(place[0]) if place is not None else None
    if spec.kind != "labels" or place is None or found is None or not found.module.endswith(_DICOM):
        what = "a result that is no mask" if spec.kind != "labels" else f"labels of {where or 'an image in memory'}"
        raise JobError(
            f"{file} for {what}",
            "a DICOM SEG refers to the slices of a DICOM series that was segmented",
            "export .mha, .nii.gz or .tif",
        )
    path = Path(place[0])
    series = source_frames(path, choose_image(list_file(found, path), place[1], path))
    first, step = _place_in(result.plan.source, spec)
    if spec.size("t") > 1 or spec.size("c") > 1:
        raise JobError(
            f"{file} for {spec.size('t')} time points and {spec.size('c')} channels",
            "a DICOM SEG refers to each place once",
            "segment one time point as a region, or export .nii.gz",
        )
    if any(abs(value - 1) > _WHOLE for value in step.values()) or any(
        abs(value - round(value)) > _WHOLE for value in first.values()
    ):
        raise JobError(
            f"{file} for other pixels than those of the slices", "a DICOM SEG has their pixels", "export .mha"
        )
    at = {a: round(value) for a, value in first.items()}
    time = result.plan.grid.t[0] if "t" in result.plan.source else 0
    rows, columns = series.first.instance.shape[:2]
    slices = []
    for z in range(spec.size("z")):
        index = tuple({"z": z, "t": 0, "c": 0}[a] if a in "tcz" else slice(None) for a in spec.axes)
        labels = np.asarray(array[index])
        if labels.any():
            slices.append((series.planes[time][0][at.get("z", 0) + z], _framed(labels, at, rows, columns)))
    if not slices:
        raise JobError(f"{file} for a mask without objects", "a DICOM SEG holds at least one", "export .mha")
    count, kind = write_dicom_seg(
        file,
        slices,
        about=str(getattr(result.plan.job.operation, "prompt", "") or "objects"),
        version=result.software.get("napari_s1omni", "unknown"),
        overwrite=overwrite,
    )
    words = "one mask per object" if kind == "BINARY" else "a label map, which older viewers do not show"
    return f"DICOM SEG, {count_of(count, 'object')} on {count_of(len(slices), 'slice')}, {words}"


def _framed(labels: NDArray[Any], at: Mapping[str, int], rows: int, columns: int) -> NDArray[Any]:
    """Return the labels of a region in the pixels of the whole slice."""
    framed = np.zeros((rows, columns), labels.dtype)
    y, x = at.get("y", 0), at.get("x", 0)
    framed[y : y + labels.shape[0], x : x + labels.shape[1]] = labels
    return framed
