"""One DICOM file: what its header says, and its frames as they are stored."""

from __future__ import annotations

import functools
import math
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError

_KEYWORDS = (
    *(
        "SOPClassUID",
        "SOPInstanceUID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "FrameOfReferenceUID",
        "Modality",
        "ImageType",
    ),
    *("SeriesNumber", "SeriesDescription", "StudyDescription", "ProtocolName", "InstanceNumber", "SliceLocation"),
    *("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime", "SeriesDate"),
    *("SeriesTime", "StudyDate", "StudyTime", "Manufacturer", "ManufacturerModelName", "TriggerTime"),
    *("TemporalPositionIdentifier", "TemporalResolution", "AcquisitionNumber", "EchoTime", "EchoNumbers"),
    *("InversionTime", "FlipAngle", "KVP", "DiffusionBValue", "DiffusionGradientOrientation", "FrameReferenceTime"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ImagerPixelSpacing", "SliceThickness"),
    *("NominalScannedPixelSpacing", "SpacingBetweenSlices", "SequenceOfUltrasoundRegions", "PixelAspectRatio"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence", "DoseGridScaling", "DoseUnits"),
    *("GridFrameOffsetVector", "FrameTime", "FrameTimeVector", "CineRate", "RecommendedDisplayFrameRate"),
    *("RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor"),
    *("BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData"),
    *("BluePaletteColorLookupTableData", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("DetectorInformationSequence", "SliceVector", "TimeSlotVector", "RadiopharmaceuticalInformationSequence"),
    *("Units", "DecayCorrection", "CorrectedImage", "PatientWeight", "PixelPaddingValue"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "PixelRepresentation", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    *("EncryptedAttributesSequence",),
)
"""The tags that are read of a header."""
_FURTHER_TAGS = (0x70530010, 0x70531000, 0x70531009, 0x60000010)
"""Philips: its creator, and the factors from counts to SUV and Bq/ml; the rows of the first overlay."""
_MARK = b"DICM"
SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""Masks of an image, such as this package writes; they are no image of their own."""
_IMAGE = "Image Storage"
"""End of the names of the kinds of objects that hold pixels."""
_PIXEL_VRS = (b"OB", b"OW", b"OF", b"OD", b"OV", b"UN")
_DEFLATED = "1.2.840.10008.1.2.1.99"
_quiet = threading.Lock()
_running = 0
_stack = ExitStack()


@dataclass(frozen=True, slots=True)
class Instance:
    """One DICOM file that holds pixels."""

    path: Path
    header: Any
    """pydicom Dataset with the tags that are used, without pixels."""
    syntax: str
    """UID of the transfer syntax: how the pixels are stored."""
    offset: int | None
    """Where the value of the pixels begins in the file; None if the whole file is compressed."""
    options: Mapping[str, Any] = field(repr=False, default_factory=dict)
    """What pydicom's decoders want to know of the pixels."""

    @property
    def frames(self) -> int:
        return int(self.options["number_of_frames"])

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns, and colour samples if there are several."""
        rows, columns, samples = (int(self.options[k]) for k in ("rows", "columns", "samples_per_pixel"))
        return (rows, columns, samples) if samples > 1 else (rows, columns)

    def text(self, keyword: str) -> str:
        """Return a value as text; empty if the header does not have it."""
        value = value_of(self.header, keyword)
        return "" if value is None else str(value).strip()

    def number(self, keyword: str) -> float | None:
        """Return a value as number; None if the header has none."""
        return as_number(value_of(self.header, keyword))

    def decode(self, frame: int) -> NDArray[Any]:
        """Return a frame as it is stored, (rows, columns) or (rows, columns, samples); YBR becomes RGB.

        Raises
        ------
        SourceError
            If it is damaged, or cut off.
        """
        from pydicom import dcmread
        from pydicom.pixels import get_decoder
        from pydicom.uid import UID

        decoder = get_decoder(UID(self.syntax))
        try:
            with quiet_pydicom(), self.path.open("rb") as file:
                if self.offset is None:
                    found, _ = decoder.as_array(dcmread(file, force=True), index=frame)
                else:
                    file.seek(self.offset)
                    found, _ = decoder.as_array(file, index=frame, **self.options)
        except Exception as error:
            # Decoders raise whatever their libraries raise.
            shown = f"frame {frame + 1} of {self.path}" if self.frames > 1 else f"the slice {self.path}"
            raise SourceError(
                f"{shown} cannot be decoded ({type(error).__name__}: {_words(error)})",
                remedy="copy or export the file again",
                path=str(self.path),
            ) from error
        return np.asarray(found).reshape(self.shape)

    def check(self) -> None:
        """Refuse pixels that no installed package decodes, or that the file does not hold to the end.

        Raises
        ------
        SourceError
        """
        from pydicom.pixels import get_decoder
        from pydicom.uid import UID

        uid = UID(self.syntax)
        try:
            decoder = get_decoder(uid)
        except NotImplementedError:
            raise SourceError(
                f"{self.path} stores its pixels as {uid.name}",
                "pydicom decodes no such pixels",
                "export it again without compression",
                path=str(self.path),
            ) from None
        if not decoder.is_available:
            missing = "; ".join(decoder.missing_dependencies)
            raise SourceError(
                f"{self.path} stores its pixels as {uid.name}, and no package that decodes them is installed",
                f"one of these does: {missing}",
                'run pip install "napari-s1omni[dicom]"',
                path=str(self.path),
            )
        if self.offset is None or decoder.is_encapsulated:
            return
        bits = math.prod(self.shape) * int(self.options["bits_allocated"]) * self.frames
        if self.options.get("photometric_interpretation") == "YBR_FULL_422":
            bits = bits * 2 // 3
        needed, size = self.offset + bits // 8, self.path.stat().st_size
        if size < needed:
            raise SourceError(
                f"{self.path} is cut off: it has {size:,} bytes and its pixels need {needed:,}",
                remedy="copy it again, or wait until the program that writes it has finished",
                path=str(self.path),
            )


def read_instance(path: Path) -> Instance | str:
    """Read the header of a DICOM file.

    Returns
    -------
    Instance or str
        In words what it is instead, if it holds no pixels.

    Raises
    ------
    SourceError
        If it is no DICOM file, or damaged.
    """
    from pydicom import dcmread
    from pydicom.pixels.utils import as_pixel_options
    from pydicom.uid import UID

    wanted = _wanted()
    with path.open("rb") as file:
        _check_head(path, file.read(132))
        file.seek(0)
        with quiet_pydicom():
            try:
                found = dcmread(file, force=True, stop_before_pixels=True, specific_tags=list(wanted))
                syntax = _syntax(found)
                kind = found.get("SOPClassUID") or found.file_meta.get("MediaStorageSOPClassUID", "")
                at, mark = file.tell(), file.read(12)
                if str(kind) in SEGMENTATIONS:
                    return "DICOM SEG"
                name = UID(str(kind)).name or "an object of unknown kind"
                if "Rows" not in found or "Columns" not in found:
                    if name.endswith(_IMAGE):
                        raise _damaged(path, "its header ends before it tells of pixels")
                    return name
                options = as_pixel_options(found)
            except SourceError:
                raise
            except Exception as error:
                raise _damaged(path, f"{type(error).__name__}: {_words(error)}") from error
    if syntax == _DEFLATED:
        return Instance(path, found, syntax, None, options)
    uid = UID(syntax)
    tag = int.from_bytes(mark[:2], "little" if uid.is_little_endian else "big")
    if len(mark) < 8 or tag != 0x7FE0:
        raise _damaged(path, "it ends before its pixels")
    element = int.from_bytes(mark[2:4], "little" if uid.is_little_endian else "big")
    options |= {
        "transfer_syntax_uid": uid,
        "pixel_keyword": {8: "FloatPixelData", 9: "DoubleFloatPixelData"}.get(element, "PixelData"),
    }
    # Some files have an implicit header and name an explicit syntax.
    explicit = not uid.is_implicit_VR and mark[4:6] in _PIXEL_VRS
    if explicit:
        options["pixel_vr"] = mark[4:6].decode("ascii")
    options.setdefault("samples_per_pixel", 1)
    options.setdefault("photometric_interpretation", "MONOCHROME2")
    options.setdefault("bits_stored", options.get("bits_allocated", 0))
    if not all(int(options.get(name) or 0) > 0 for name in ("rows", "columns", "bits_allocated")):
        raise _damaged(path, "rows, columns or bits per pixel are missing or 0")
    return Instance(path, found, syntax, at + (12 if explicit else 8), options)


@functools.cache
def tag_of(keyword: str) -> Any:
    """Return the tag of a keyword, as pydicom looks it up."""
    from pydicom.tag import Tag

    return Tag(keyword)


def value_of(header: Any, keyword: str) -> Any:
    """Return a value of a header, or None; pydicom's own ``get`` takes most of the time of a large series."""
    tag = tag_of(keyword)
    return header[tag].value if tag in header else None


def first_value(path: Path, keyword: str) -> str:
    """Return a value near the begin of a file as text, reading no further; empty if there is none.

    Raises
    ------
    Exception
        Whatever pydicom raises for what is no DICOM file.
    """
    from pydicom.filereader import read_partial

    tag = tag_of(keyword)
    with quiet_pydicom(), path.open("rb") as file:
        found = read_partial(file, lambda at, vr, length: at > tag, force=True, specific_tags=[tag])
    return str(value_of(found, keyword) or "")


def as_number(value: Any) -> float | None:
    """Return a value of a header as a finite number; None if it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def as_numbers(value: Any, count: int) -> tuple[float, ...] | None:
    """Return a value of a header as so many finite numbers; None if it is not."""
    if value is None or isinstance(value, str) or not hasattr(value, "__len__") or len(value) != count:
        return None
    numbers = [as_number(each) for each in value]
    return None if None in numbers else tuple(n for n in numbers if n is not None)


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Drop the warnings of pydicom about values that are not as the standard says; threads share one filter."""
    global _running
    with _quiet:
        if not _running:
            _stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
        _running += 1
    try:
        yield
    finally:
        with _quiet:
            _running -= 1
            if not _running:
                _stack.close()


@functools.cache
def _wanted() -> tuple[Any, ...]:
    from pydicom.tag import Tag

    return (*map(tag_of, _KEYWORDS), *map(Tag, _FURTHER_TAGS))


def _check_head(path: Path, head: bytes) -> None:
    """Refuse a file that does not begin as DICOM: by its mark, or by the first tag of a file without one."""
    if head[128:] == _MARK or head[:2] in (b"\x08\x00", b"\x02\x00") or head[:4] in (b"\0\x08\0\x05", b"\0\x08\0\0"):
        return
    given = f"{path} is no DICOM file: its first bytes are others" if head else f"{path} is empty (0 bytes)"
    raise SourceError(
        given,
        "a DICOM file has the letters DICM after 128 bytes",
        "export it again; if it is encrypted or packed, decrypt or unpack it first",
        path=str(path),
    )


def _syntax(found: Any) -> str:
    """Return the transfer syntax; of a file that does not name it, the one in which its header was read."""
    named = found.file_meta.get("TransferSyntaxUID") if hasattr(found, "file_meta") else None
    if named:
        return str(named)
    implicit, little = found.original_encoding
    if not little:
        return "1.2.840.10008.1.2.2"
    return "1.2.840.10008.1.2" if implicit else "1.2.840.10008.1.2.1"


def _damaged(path: Path, words: str) -> SourceError:
    return SourceError(
        f"{path} is a damaged DICOM file ({words})",
        remedy="copy it again, or wait until the program that writes it has finished",
        path=str(path),
    )


def _words(error: Exception) -> str:
    """Return what a library says, on one line and not without end."""
    return " ".join(str(error).split())[:300]
