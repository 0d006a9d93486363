"""Write labels of a DICOM series as DICOM SEG by highdicom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.files.part_file import part_file
from napari_s1omni.storage.readers.medical.dicom_frames import Frame
from napari_s1omni.storage.readers.medical.dicom_instance import quiet_pydicom

ENDING = ".dcm"
_MOST_BINARY = 255
"""Labels up to this number are written as one mask each, which every viewer shows; more as a label map."""
_MOST = 65535
_PATIENT = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")
_STUDY = ("StudyID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName")


def write_dicom_seg(
    path: Path,
    slices: Sequence[tuple[Frame, NDArray[Any]]],
    *,
    about: str,
    version: str,
    overwrite: bool = False,
) -> tuple[int, str]:
    """Write labels as DICOM SEG that refers to the slices they were made from.

    Parameters
    ----------
    path : Path
        The file appears once it is complete.
    slices : sequence of (Frame, ndarray)
        Frames of one series, and the labels (rows, columns) in the pixels of each; 0 is background.
    about : str
        What was segmented, for the description.
    version : str
        Version of this package.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    (int, str)
        Number of segments, and the type of the segmentation: ``BINARY`` or ``LABELMAP``.

    Raises
    ------
    SourceError
        If there is no label, there are too many, the series lacks what a SEG needs, or highdicom is missing.
    StoreExists
        If the file exists and `overwrite` is off.
    """
    try:
        import highdicom
        from pydicom import dcmread
    except ImportError as error:
        raise SourceError(
            f"{path} is a DICOM SEG", "writing it needs highdicom", 'run pip install "napari-s1omni[dicom]"'
        ) from error
    labels = sorted({int(n) for _, mask in slices for n in np.unique(mask)} - {0})
    if not labels or len(labels) > _MOST:
        raise SourceError(
            f"a DICOM SEG of {len(labels):,} labels",
            f"it holds 1 to {_MOST:,}",
            "export .mha or .nii.gz" if labels else "there is nothing to write",
        )
    kind = "BINARY" if len(labels) <= _MOST_BINARY else "LABELMAP"
    numbers = {label: number for number, label in enumerate(labels, 1)}
    with part_file(path, overwrite=overwrite) as part:
        try:
            with quiet_pydicom():
                files = {
                    frame.instance.path: dcmread(frame.instance.path, stop_before_pixels=True) for frame, _ in slices
                }
                for found in files.values():
                    _complete(found)
                images, masks = _arranged(slices, files, numbers)
                written = highdicom.seg.Segmentation(
                    source_images=images,
                    pixel_array=masks,
                    segmentation_type=kind,
                    segment_descriptions=[_segment(number, label, about, version) for label, number in numbers.items()],
                    series_instance_uid=highdicom.UID(),
                    series_number=1000 + int(images[0].get("SeriesNumber") or 0),
                    sop_instance_uid=highdicom.UID(),
                    instance_number=1,
                    manufacturer="napari_s1omni",
                    manufacturer_model_name="napari_s1omni",
                    software_versions=version,
                    device_serial_number="0",
                    content_description=_short(about),
                    series_description=_short(f"Segmentation: {about}"),
                )
                written.save_as(part)
        except (AttributeError, ValueError, TypeError, KeyError, NotImplementedError) as error:
            # highdicom raises these where the series lacks a tag, or has one twice.
            raise SourceError(
                f"the series of {slices[0][0].instance.path} cannot be referred to by a DICOM SEG ({error})",
                "its slices name study, series, frame of reference and their place",
                "export .mha or .nii.gz",
            ) from error
    return len(labels), kind


def _complete(found: Any) -> None:
    """Add the tags that may be empty but must be there, and that many exports leave out."""
    for keyword in (*_PATIENT, *_STUDY):
        if keyword not in found:
            setattr(found, keyword, "")


def _arranged(
    slices: Sequence[tuple[Frame, NDArray[Any]]], files: Mapping[Path, Any], numbers: Mapping[int, int]
) -> tuple[list[Any], NDArray[np.uint16]]:
    """Return the source images, and the masks of their frames in the same order."""
    table = np.zeros(max(numbers) + 1, np.uint16)
    table[list(numbers)] = list(numbers.values())
    first = slices[0][0].instance
    if first.frames == 1:
        return [files[frame.instance.path] for frame, _ in slices], np.stack([table[mask] for _, mask in slices])
    masks = np.zeros((first.frames, *slices[0][1].shape), np.uint16)
    for frame, mask in slices:
        masks[frame.index] = table[mask]
    return [files[first.path]], masks


def _segment(number: int, label: int, about: str, version: str) -> Any:
    import highdicom
    from pydicom.sr.codedict import codes

    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=f"{label}",
        segmented_property_category=codes.SCT.Tissue,
        segmented_property_type=codes.SCT.Tissue,
        algorithm_type="AUTOMATIC",
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name="napari_s1omni", version=version, family=codes.DCM.ArtificialIntelligence
        ),
        tracking_uid=highdicom.UID(),
        tracking_id=_short(f"{about} {label}"),
    )


def _short(text: str) -> str:
    """Return what fits into a short text of DICOM."""
    return text.replace("\\", "/")[:64].strip() or "segmentation"
