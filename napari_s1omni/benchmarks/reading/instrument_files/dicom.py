"""DICOM series, written by pydicom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

_CT = "1.2.840.10008.5.1.4.1.1.2"
_STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def volume(planes: int = 6, rows: int = 24, columns: int = 32) -> NDArray[np.int16]:
    """Stored values of a series, each plane another."""
    z, y, x = np.mgrid[:planes, :rows, :columns]
    found: NDArray[np.int16] = (z * 200 + y * 5 + x).astype(np.int16)
    return found


def dataset(
    pixels: NDArray[Any],
    position: Sequence[float] | NDArray[Any] | None = None,
    number: int = 1,
    series: str = "1.2.3",
    turned: Sequence[float] = _STRAIGHT,
    **tags: Any,
) -> FileDataset:
    """One slice; `tags` replaces or adds tags, and None removes one."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = tags.get("SOPClassUID", _CT)
    meta.MediaStorageSOPInstanceUID = generate_uid()
    found = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    found.SOPClassUID, found.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    found.StudyInstanceUID, found.SeriesInstanceUID, found.FrameOfReferenceUID = "1.2.3.9", series, "1.2.3.8"
    found.Modality, found.SeriesNumber, found.InstanceNumber = "CT", 1, number
    found.SeriesDescription = "Chest"
    found.PatientID, found.PatientName = "1", "Phantom"
    found.PixelSpacing, found.SliceThickness = [0.5, 0.75], 2.0
    found.ImageOrientationPatient = list(turned)
    if position is not None:
        found.ImagePositionPatient = [float(n) for n in position]
    found.Rows, found.Columns = pixels.shape[-2:] if pixels.ndim < 3 or pixels.shape[-1] != 3 else pixels.shape[-3:-1]
    found.SamplesPerPixel, found.PhotometricInterpretation = 1, "MONOCHROME2"
    found.BitsAllocated = found.BitsStored = 8 * pixels.dtype.itemsize
    found.HighBit = found.BitsStored - 1
    found.PixelRepresentation = int(pixels.dtype.kind == "i")
    found.PixelData = pixels.tobytes()
    for name, value in tags.items():
        if value is None:
            delattr(found, name)
        else:
            setattr(found, name, value)
    return found


def write_series(
    folder: Path,
    stored: NDArray[Any],
    places: Sequence[float] | None = None,
    names: Sequence[str] | None = None,
    **tags: Any,
) -> Path:
    """Write slices (z, y, x) along the normal of their plane; the names say nothing of the order."""
    folder.mkdir(parents=True, exist_ok=True)
    turned = np.array(tags.get("turned", _STRAIGHT))
    normal = np.cross(turned[:3], turned[3:])
    places = [2.0 * k for k in range(len(stored))] if places is None else places
    order = np.random.default_rng(1).permutation(len(stored)) if names is None else np.arange(len(stored))
    for k, (plane, place) in enumerate(zip(stored, places, strict=True)):
        name = f"IM{order[k]:04d}.dcm" if names is None else names[k]
        position = np.array([-10.0, 20.0, 5.0]) + place * normal
        dataset(plane, position, int(order[k]) + 1, **tags).save_as(folder / name, enforce_file_format=True)
    return folder


def report(path: Path, series: str = "1.2.9") -> Path:
    """Write a structured report, which holds no pixels."""
    found = dataset(
        np.zeros((2, 2), np.int16), series=series, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33", Modality="SR"
    )
    for name in ("PixelData", "Rows", "Columns"):
        delattr(found, name)
    found.save_as(path, enforce_file_format=True)
    return path
