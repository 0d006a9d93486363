"""Read DICOM series and files with several frames by pydicom (extra ``dicom``)."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from pathlib import Path

from napari_s1omni.core.acquisition import Acquisition, Channel
from napari_s1omni.storage.readers.file_format import FormatInfo, ImageHeader
from napari_s1omni.storage.readers.medical.dicom_folder import read_place
from napari_s1omni.storage.readers.medical.dicom_frames import Frame
from napari_s1omni.storage.readers.medical.dicom_instance import as_number
from napari_s1omni.storage.readers.medical.dicom_masks import is_masks, read_masks
from napari_s1omni.storage.readers.medical.dicom_pixels import SeriesPixels
from napari_s1omni.storage.readers.medical.dicom_series import Series, check_series
from napari_s1omni.storage.readers.medical.dicom_values import read_values
from napari_s1omni.storage.readers.raw_image import RawImage

_MM = "millimeter"
_OTHER_SPACINGS = (("ImagerPixelSpacing", "at the detector"), ("NominalScannedPixelSpacing", "of the scanned film"))
_CENTIMETRES = 3
"""Code of the unit of ultrasound regions."""


def describe() -> FormatInfo:
    """Describe the format."""
    return FormatInfo(
        name="DICOM",
        endings=(".dcm", ".dicom", ".ima", "dicomdir"),
        library="pydicom",
        licence="MIT",
        extra="dicom",
        tried="a CT slice of a GE scanner, and the test files of pydicom: CT, MR, RT dose, ultrasound; compressed as "
        "JPEG, JPEG-LS, JPEG 2000 and RLE",
    )


def list_images(path: Path) -> Sequence[ImageHeader]:
    """List the images of a folder, a DICOMDIR, or of the series that a file belongs to.

    Raises
    ------
    SourceError
        If it holds none, or is damaged.
    """
    if is_masks(path):
        raw = read_masks(path)
        axes = raw.axes or ""
        sizes = tuple(raw.scale[a] for a in axes)
        return [ImageHeader(path.stem, axes, raw.pixels.shape, raw.pixels.dtype.name, sizes, (_MM,) * len(axes))]
    return [_header(series) for series in read_place(path).images]


def read_image(path: Path, number: int) -> RawImage:
    """Return one image; slices are ordered by their position in the patient, values are HU, SUV or as rescaled.

    Raises
    ------
    SourceError
        If a slice is cut off, or no installed package decodes it.
    """
    if is_masks(path):
        return read_masks(path)
    found = read_place(path)
    series = found.images[number]
    check_series(series)
    notes = [*found.notes, *series.notes]
    values = read_values(_frames(series), notes)
    pixels = SeriesPixels.of(series, values)
    axes, scale, units = _axes(series, notes, len(pixels.shape))
    patient = series.patient
    translate: dict[str, float] = {}
    if patient is not None and patient.straight:
        translate = {a: v for a, v in zip("xyz", patient.origin, strict=True) if a in axes}
    elif patient is not None:
        notes.append(patient.turned_note)
    _note_dropped(series, notes)
    return RawImage(
        pixels=pixels,
        axes=axes,
        chunks=pixels.chunks,
        scale=scale,
        translate=translate,
        units=units,
        channel_names=series.channels,
        notes=tuple(dict.fromkeys(notes)),
        uri=str(path),
        acquisition=_acquisition(series),
        patient=patient,
    )


def source_frames(path: Path, number: int) -> Series:
    """Return the frames of an image, for a segmentation of it that refers to them."""
    return read_place(path).images[number]


def _frames(series: Series) -> list[Frame]:
    return [frame for time in series.planes for channel in time for frame in channel]


def _header(series: Series) -> ImageHeader:
    values = read_values(_frames(series), [])
    shape = SeriesPixels.of(series, values).shape
    axes, scale, units = _axes(series, [], len(shape))
    return ImageHeader(
        name=series.name,
        axes=axes,
        shape=shape,
        dtype=values.dtype.name,
        scale=tuple(scale.get(a) for a in axes),
        units=tuple(units.get(a) for a in axes),
        channels=tuple(Channel(name) for name in series.channels),
    )


def _axes(series: Series, notes: list[str], dimensions: int) -> tuple[str, dict[str, float], dict[str, str]]:
    """Return the axes in stored order, and step and unit of those that the files tell of."""
    axes = f"{series.letters}yx"
    axes += "s" * (dimensions - len(axes))
    scale: dict[str, float] = {}
    spacing = _spacing(series.first, notes)
    if spacing is not None:
        scale |= {"y": spacing[0], "x": spacing[1]}
    if "z" in axes and series.depth:
        scale["z"] = series.depth
    units = dict.fromkeys(scale, _MM)
    step = _time_step(series, notes) if "t" in axes else None
    if step:
        scale["t"], units["t"] = step, "second"
    return axes, scale, units


def _spacing(frame: Frame, notes: list[str]) -> tuple[float, float] | None:
    """Return the distance of rows and of columns in millimetres; None if the file does not give it."""
    header = frame.instance.header
    if frame.spacing is not None and min(frame.spacing) > 0:
        return frame.spacing[0], frame.spacing[1]
    regions = header.get("SequenceOfUltrasoundRegions") or []
    deltas = {
        (as_number(r.get("PhysicalDeltaY")), as_number(r.get("PhysicalDeltaX")))
        for r in regions
        if r.get("PhysicalUnitsXDirection") == r.get("PhysicalUnitsYDirection") == _CENTIMETRES
    }
    if len(regions) == len(deltas) == 1:
        (down, across), *_ = deltas
        if down and across:
            return abs(down) * 10, abs(across) * 10
    if deltas:
        notes.append("several ultrasound regions have scales of their own, so the picture is read without a pixel size")
        return None
    for keyword, what in _OTHER_SPACINGS:
        value = header.get(keyword)
        found = None if value is None or len(value) != 2 else (as_number(value[0]), as_number(value[1]))
        if found and found[0] and found[1]:
            notes.append(f"the pixel size is that {what}; sizes in the patient are smaller by the magnification")
            return found[0], found[1]
    return None


def _time_step(series: Series, notes: list[str]) -> float | None:
    """Return the seconds between time points; None if the files do not tell."""
    header = series.first.instance.header
    for keyword, seconds in (("FrameTime", 1e-3), ("TemporalResolution", 1e-3)):
        value = as_number(header.get(keyword))
        if value and value > 0:
            return value * seconds
    rate = as_number(header.get("CineRate")) or as_number(header.get("RecommendedDisplayFrameRate"))
    if rate and rate > 0 and series.first.instance.frames > 1:
        notes.append("the time step is that of the display (frames per second)")
        return 1 / rate
    triggers = [time[0][0].values.get("TriggerTime") for time in series.planes]
    numbers = [as_number(t) for t in triggers]
    unit = 1e-3
    if None in numbers:
        numbers = [_clock(time[0][0].values.get("AcquisitionTime")) for time in series.planes]
        unit = 1.0
    known = [n for n in numbers if n is not None]
    steps = [b - a for a, b in itertools.pairwise(known)]
    if len(known) < len(numbers) or not steps or min(steps) <= 0:
        return None
    step = statistics.median(steps)
    if max(abs(s - step) for s in steps) > 0.05 * step:
        notes.append("the time points are not evenly spaced; the time step is the median")
    return step * unit


def _clock(value: object) -> float | None:
    """Return a time of day such as 101530.25 in seconds."""
    text = str(value or "")
    if len(text) < 6 or not text[:6].isdecimal():
        return None
    return int(text[:2]) * 3600 + int(text[2:4]) * 60 + float(text[4:])


def _acquisition(series: Series) -> Acquisition:
    """Return what the files say of time and scanner. Nothing of the patient is kept."""
    instance = series.first.instance
    day, time = instance.text("AcquisitionDate"), instance.text("AcquisitionTime")
    moment = instance.text("AcquisitionDateTime") or (day + time if day else instance.text("StudyDate"))
    maker = (instance.text("Manufacturer"), instance.text("ManufacturerModelName"))
    bits = instance.options.get("bits_stored")
    return Acquisition(
        channels=tuple(Channel(name) for name in series.channels),
        date=_iso(moment),
        instrument=" ".join(word for word in maker if word),
        bit_depth=int(bits) if bits else None,
    )


def _iso(moment: str) -> str:
    """Return a date, or date and time, of DICOM in ISO 8601; empty if it is none."""
    digits = moment.split(".")[0].split("+")[0]
    if not digits.isdecimal() or len(digits) < 8:
        return ""
    day = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"
    return f"{day}T{digits[8:10]}:{digits[10:12]}:{digits[12:14]}" if len(digits) >= 14 else day


def _note_dropped(series: Series, notes: list[str]) -> None:
    header = series.first.instance.header
    if "MOSAIC" in series.first.values.get("ImageType", ()):
        notes.append("the slices lie side by side in one picture (mosaic of Siemens), which is read as it is")
    if 0x60000010 in header:
        notes.append("graphics drawn over the image (overlays) are not read")
    if header.get("EncryptedAttributesSequence"):
        notes.append("some of the header is encrypted and is not read")
    padding = as_number(header.get("PixelPaddingValue"))
    if padding is not None:
        read = padding * series.first.slope + series.first.intercept
        notes.append(f"pixels outside of the scanner's field have one value, {read:g} (padding)")
