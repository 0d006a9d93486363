"""A DICOM slide as scanners write it: one file per level, tiles in rows, a label beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

_WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"


def write_slide(
    folder: Path,
    pixels: NDArray[Any],
    spacing: float = 0.00025,
    levels: int = 2,
    label: bool = True,
    tile: int = 64,
) -> Path:
    """Write levels of ``(y, x, 3)`` uint8 or ``(channels, y, x)`` uint16 pixels.

    `spacing` is in mm, `tile` is the edge of a tile in pixels.
    """
    folder.mkdir(exist_ok=True)
    shared = {"study": generate_uid(), "series": generate_uid(), "frame": generate_uid(), "pyramid": generate_uid()}
    for number in range(levels):
        step = 2**number
        at = pixels[::step, ::step] if pixels.dtype == np.uint8 else pixels[:, ::step, ::step]
        kind = "VOLUME" if not number else "RESAMPLED"
        _write(folder / f"level-{number}.dcm", at, spacing * step, kind, shared, number, (tile, tile))
    if label:
        _write(folder / "label.dcm", pixels[:40, :50], spacing * 50, "LABEL", shared, 90, (40, 50))
    return folder


def _write(
    path: Path,
    pixels: NDArray[Any],
    spacing: float,
    kind: str,
    shared: dict[str, str],
    number: int,
    tile: tuple[int, int],
) -> None:
    colours = pixels.dtype == np.uint8
    planes = [pixels] if colours else list(pixels)
    height, width = planes[0].shape[:2]
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = _WHOLE_SLIDE
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.StudyInstanceUID, data.SeriesInstanceUID = shared["study"], shared["series"]
    data.FrameOfReferenceUID = shared["frame"]
    data.PyramidUID = shared["pyramid"]
    data.Modality, data.Manufacturer, data.ManufacturerModelName = "SM", "Scanner works", "S 360"
    data.AcquisitionDateTime = "20260102030405"
    data.ContentDate, data.ContentTime = "20260102", "030405"
    data.PatientName, data.PatientID = "", ""
    data.InstanceNumber, data.SeriesNumber = number + 1, 1
    data.ImageType = ["ORIGINAL" if kind != "RESAMPLED" else "DERIVED", "PRIMARY", kind, "NONE"]
    if kind == "RESAMPLED":
        data.ImageType[2:] = ["VOLUME", "RESAMPLED"]
    data.SamplesPerPixel = 3 if colours else 1
    data.PhotometricInterpretation = "RGB" if colours else "MONOCHROME2"
    if colours:
        data.PlanarConfiguration = 0
    bits = pixels.dtype.itemsize * 8
    data.BitsAllocated = data.BitsStored = bits
    data.HighBit, data.PixelRepresentation = bits - 1, 0
    data.Rows, data.Columns = tile
    data.TotalPixelMatrixRows, data.TotalPixelMatrixColumns = height, width
    data.TotalPixelMatrixFocalPlanes = 1
    data.ImagedVolumeWidth, data.ImagedVolumeHeight, data.ImagedVolumeDepth = width * spacing, height * spacing, 0.001
    data.DimensionOrganizationType = "TILED_FULL"
    data.FocusMethod, data.ExtendedDepthOfField = "AUTO", "NO"
    data.BurnedInAnnotation, data.LossyImageCompression = "NO", "00"
    data.SpecimenLabelInImage = "YES" if kind == "LABEL" else "NO"
    data.VolumetricProperties = "VOLUME"
    data.ImageOrientationSlide = [0, 1, 0, 1, 0, 0]
    origin = Dataset()
    origin.XOffsetInSlideCoordinateSystem, origin.YOffsetInSlideCoordinateSystem = 12.5, 20.0
    data.TotalPixelMatrixOriginSequence = Sequence([origin])
    measures = Dataset()
    measures.PixelSpacing, measures.SliceThickness, measures.SpacingBetweenSlices = [spacing, spacing], 0.001, 0.001
    groups = Dataset()
    groups.PixelMeasuresSequence = Sequence([measures])
    frame_type = Dataset()
    frame_type.FrameType = list(data.ImageType)
    groups.WholeSlideMicroscopyImageFrameTypeSequence = Sequence([frame_type])
    data.SharedFunctionalGroupsSequence = Sequence([groups])
    data.OpticalPathSequence = Sequence([_path(str(i), colours) for i in range(len(planes))])
    data.NumberOfOpticalPaths = len(planes)
    frames = [tile_ for plane in planes for tile_ in _tiles(plane, tile)]
    data.NumberOfFrames = len(frames)
    data.PixelData = b"".join(np.ascontiguousarray(frame).tobytes() for frame in frames)
    data.save_as(path, enforce_file_format=True)


def _path(identifier: str, colours: bool) -> Dataset:
    path = Dataset()
    path.OpticalPathIdentifier = identifier
    path.OpticalPathDescription = "bright field" if colours else ("DAPI", "GFP", "Cy5")[int(identifier)]
    path.ObjectiveLensPower, path.ObjectiveLensNumericalAperture = 20, 0.75
    if not colours:
        path.IlluminationWaveLength = 405 + 83 * int(identifier)
    illumination = Dataset()
    illumination.CodeValue, illumination.CodingSchemeDesignator, illumination.CodeMeaning = (
        ("111744", "DCM", "Brightfield illumination") if colours else ("111743", "DCM", "Epifluorescence illumination")
    )
    path.IlluminationTypeCodeSequence = Sequence([illumination])
    color = Dataset()
    color.CodeValue, color.CodingSchemeDesignator, color.CodeMeaning = "414298005", "SCT", "Full Spectrum"
    path.IlluminationColorCodeSequence = Sequence([color])
    return path


def _tiles(plane: NDArray[Any], tile: tuple[int, int]) -> list[NDArray[Any]]:
    height, width = plane.shape[:2]
    found = []
    for top in range(0, height, tile[0]):
        for left in range(0, width, tile[1]):
            part = plane[top : top + tile[0], left : left + tile[1]]
            after = [(0, t - n) for t, n in zip(tile, part.shape[:2], strict=True)] + [(0, 0)] * (plane.ndim - 2)
            found.append(np.pad(part, after))
    return found
