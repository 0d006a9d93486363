"""Read the masks of a DICOM SEG as labels, by highdicom (extra ``dicom``)."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from napari_s1omni.core.patient_space import PatientSpace, Vector
from napari_s1omni.core.units import format_bytes
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.array import default_chunks
from napari_s1omni.storage.readers.medical.dicom_instance import SEGMENTATIONS, first_value, quiet_pydicom
from napari_s1omni.storage.readers.raw_image import RawImage

_MM = "millimeter"


def is_masks(path: Path) -> bool:
    """Whether a file is a DICOM SEG."""
    if not path.is_file():
        return False
    try:
        return first_value(path, "SOPClassUID") in SEGMENTATIONS
    except Exception:
        # What is no DICOM file is refused by its reader.
        return False


def read_masks(path: Path) -> RawImage:
    """Return the segments of a file as labels: each pixel has the number of its segment.

    Raises
    ------
    SourceError
        If the file is damaged, its segments overlap, or its slices are no volume.
    """
    return _read(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _read(path: Path, modified: int) -> RawImage:
    import highdicom

    try:
        with quiet_pydicom():
            found = highdicom.seg.segread(path)
            volume = found.get_volume(combine_segments=True)
    except ImportError:
        raise
    except Exception as error:
        raise SourceError(
            f"the masks of {path} cannot be read as labels ({type(error).__name__}: {error})",
            "labels do not overlap, and their slices lie at even distances",
            "open it in a program for DICOM SEG, and save it as .nii.gz or .mha",
            path=str(path),
        ) from error
    labels, affine = np.asarray(volume.array), np.asarray(volume.affine, float)
    down, across = affine[:3, 1], affine[:3, 2]
    if affine[:3, 0] @ np.cross(across, down) < 0:
        # Slices run along the normal of rows and columns, as those of a series.
        affine[:3, 3] += (len(labels) - 1) * affine[:3, 0]
        affine[:3, 0] *= -1
        labels = labels[::-1]
    patient = PatientSpace(_vector(affine[:3, 3]), (_vector(across), _vector(down), _vector(affine[:3, 0])))
    size = format_bytes(labels.nbytes)
    notes = [
        f"the {found.number_of_segments} segments are read as labels; the whole file is decoded into memory ({size})"
    ]
    if not patient.straight:
        notes.append(patient.turned_note)
    labels = labels if len(labels) > 1 else labels[0]
    axes = "zyx"[-labels.ndim :]
    spacing = dict(zip("xyz", patient.spacing, strict=True))
    return RawImage(
        pixels=labels,
        axes=axes,
        chunks=default_chunks(labels.shape, axes),
        scale={a: spacing[a] for a in axes},
        translate={a: n for a, n in zip("xyz", patient.origin, strict=True) if a in axes} if patient.straight else {},
        units=dict.fromkeys(axes, _MM),
        kind="labels",
        notes=tuple(notes),
        uri=str(path),
        patient=patient,
    )


def _vector(values: np.ndarray) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z
