"""Read MetaImage and NRRD volumes by SimpleITK (extra ``dicom``)."""

from __future__ import annotations

import math
import re
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.patient_space import PatientSpace, Vector
from napari_s1omni.core.units import format_bytes
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.array import default_chunks
from napari_s1omni.storage.readers.file_format import FormatInfo, ImageHeader
from napari_s1omni.storage.readers.mapped_file import MappedFile
from napari_s1omni.storage.readers.medical.itk_header import TextHeader, read_header
from napari_s1omni.storage.readers.raw_image import RawImage

_MOST_WHOLE = 4 * 2**30
"""Volumes that can only be read as a whole are read up to this size in memory."""
_TYPE = re.compile(r"(?:vector of )?(\d+)-bit (signed|unsigned|float)")
_NAMES = {
    "mm": "millimeter",
    "um": "micrometer",
    "µm": "micrometer",
    "cm": "centimeter",
    "m": "meter",
    "nm": "nanometer",
}
_NAMES |= {"s": "second", "sec": "second", "ms": "millisecond", "pixel": "", "?": "", "": ""}
_MILLIMETRES = {"millimeter": 1.0, "micrometer": 1e-3, "centimeter": 10.0, "meter": 1e3, "nanometer": 1e-6}


def describe() -> FormatInfo:
    """Describe the format."""
    return FormatInfo(
        name="MetaImage or NRRD",
        endings=(".mha", ".mhd", ".nrrd", ".nhdr"),
        library="SimpleITK",
        licence="Apache-2.0",
        extra="dicom",
        tried="files that SimpleITK writes, with turned axes, compressed and not, in one file and in two",
    )


def list_images(path: Path) -> Sequence[ImageHeader]:
    """Describe the one image of a file.

    Raises
    ------
    SourceError
        If it is damaged.
    """
    raw = read_image(path, 0)
    axes = raw.axes or ""
    return [
        ImageHeader(
            name=path.name.rpartition(".")[0],
            axes=axes,
            shape=raw.pixels.shape,
            dtype=raw.pixels.dtype.name,
            scale=tuple(raw.scale.get(a) for a in axes),
            units=tuple(raw.units.get(a) for a in axes),
        )
    ]


def read_image(path: Path, number: int) -> RawImage:
    """Return the volume as a lazy array: part by part where ITK can, else decoded as a whole when it is first read.

    Raises
    ------
    SourceError
        If it is damaged, cut off, of complex numbers, or too large to be decoded as a whole.
    """
    import SimpleITK

    header = read_header(path)
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _damaged(path, error) from error
    components = int(reader.GetNumberOfComponents())
    sizes = tuple(int(n) for n in reader.GetSize())
    dtype = _dtype(path, SimpleITK.GetPixelIDValueAsString(reader.GetPixelIDValue()))
    if not 2 <= len(sizes) <= 4 or min(sizes) < 1:
        raise SourceError(f"{path} has {len(sizes)} dimensions", "a volume has 2 to 4 dimensions", path=str(path))
    notes: list[str] = []
    axes = "tzyx"[-len(sizes) :]
    shape = sizes[::-1]
    if components > 1:
        colours = components in (3, 4) and dtype == np.uint8
        axes, shape = axes + ("s" if colours else "c"), (*shape, components)
    if len(sizes) == 4:
        notes.append("the fourth dimension is taken as time")
    header.check(math.prod(shape) * dtype.itemsize)
    pixels = _pixels(path, header, shape, dtype, axes, notes)
    spacing = dict(zip("xyzt", (abs(float(n)) for n in reader.GetSpacing()), strict=False))
    units = _units(header, axes, notes)
    scale = {a: s for a, s in spacing.items() if a in axes and s > 0 and (units.get(a) or s != 1.0)}
    translate, patient = _place(reader, spacing, units, notes)
    return RawImage(
        pixels=pixels,
        axes=axes,
        chunks=pixels.chunks,
        scale=scale,
        translate={a: v for a, v in translate.items() if a in axes},
        units={a: u for a, u in units.items() if a in scale},
        notes=tuple(notes),
        uri=str(path),
        patient=patient,
    )


@dataclass(frozen=True, slots=True)
class _StreamedPixels:
    """Voxels of a file that ITK reads part by part."""

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    axes: str
    fresh: ClassVar[bool] = True

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        import SimpleITK

        dimensions = len(self.axes.rstrip("cs"))
        parts = [part.indices(n)[:2] for part, n in zip(index, self.shape, strict=True)][:dimensions][::-1]
        reader = SimpleITK.ImageFileReader()
        reader.SetFileName(str(self.path))
        try:
            reader.ReadImageInformation()
            reader.SetExtractIndex([start for start, _ in parts])
            reader.SetExtractSize([stop - start for start, stop in parts])
            found = SimpleITK.GetArrayFromImage(reader.Execute())
        except RuntimeError as error:
            raise _damaged(self.path, error) from error
        return np.asarray(found[(..., *index[dimensions:])] if len(index) > dimensions else found)


@dataclass(slots=True)
class _WholePixels:
    """Voxels of a file that can only be decoded as a whole, which happens when the first are read."""

    header: TextHeader
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    _voxels: NDArray[Any] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        with self._lock:
            if self._voxels is None:
                self._voxels = self._decoded()
            return np.asarray(self._voxels[index])

    def _decoded(self) -> NDArray[Any]:
        import SimpleITK

        path = self.header.path
        try:
            if self.header.is_metaimage and self.header.compressed and self.header.data_file is not None:
                # Of a damaged stream, ITK returns noise.
                stored = self.dtype.newbyteorder(self.header.byte_order)
                found = np.frombuffer(zlib.decompress(self.header.packed()), stored, math.prod(self.shape))
                return found.reshape(self.shape).astype(self.dtype, copy=False)
            return np.asarray(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))))
        except (RuntimeError, ValueError, zlib.error) as error:
            raise _damaged(path, error) from error


@dataclass(frozen=True, slots=True)
class _MappedPixels:
    """Voxels that lie in a file as they are."""

    array: MappedFile
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        return self.array[index]


def _pixels(
    path: Path, header: TextHeader, shape: tuple[int, ...], dtype: np.dtype[Any], axes: str, notes: list[str]
) -> _StreamedPixels | _WholePixels | _MappedPixels:
    """Return the voxels in the way that reads least: ITK streams MetaImage, NRRD can be mapped, the rest is decoded."""
    chunks = default_chunks(shape, axes)
    if header.streams:
        return _StreamedPixels(path, shape, dtype, chunks, axes)
    size = math.prod(shape) * dtype.itemsize
    at = header.raw_at(size) if axes[-1] not in "cs" else None
    if at is not None:
        file, offset = at
        stored = dtype.newbyteorder(header.byte_order)
        return _MappedPixels(MappedFile.of(file, np.memmap(file, stored, "r", offset, shape)), shape, dtype, chunks)
    why = "it is compressed" if header.compressed else "its layout cannot be read in parts"
    if size > _MOST_WHOLE:
        raise SourceError(
            f"{path} can only be decoded as a whole, since {why}, and is {format_bytes(size)} then",
            f"files are decoded as a whole up to {format_bytes(_MOST_WHOLE)}",
            "write it again without compression, as .mha or OME-Zarr",
            path=str(path),
        )
    notes.append(f"the whole file is decoded into memory when it is read ({format_bytes(size)}), since {why}")
    return _WholePixels(header, shape, dtype, chunks)


def _dtype(path: Path, words: str) -> np.dtype[Any]:
    """Return the type that ITK names in words, such as ``16-bit signed integer``."""
    found = _TYPE.match(words)
    if found is None:
        raise SourceError(
            f"{path} holds values of the type {words}",
            "pixels are integers or floats",
            "save the real part, magnitude or phase as an image",
            path=str(path),
        )
    kind = {"signed": "i", "unsigned": "u", "float": "f"}[found[2]]
    return np.dtype(f"{kind}{int(found[1]) // 8}")


def _units(header: TextHeader, axes: str, notes: list[str]) -> dict[str, str]:
    """Return the unit of each axis; of a header that names none, the millimetres of ITK."""
    named = header.units
    if not named:
        if not header.anatomical:
            return {}
        if not header.is_metaimage:
            notes.append("the header names no unit; the pixel size is taken as millimetres, as ITK and 3D Slicer do")
        return {a: "millimeter" for a in "zyx" if a in axes}
    names = dict(zip("xyzt", named, strict=False))
    return {a: _NAMES.get(word, word) for a, word in names.items() if _NAMES.get(word, word) and a in axes}


def _place(
    reader: Any, spacing: Mapping[str, float], units: Mapping[str, str], notes: list[str]
) -> tuple[dict[str, float], PatientSpace | None]:
    """Return the position by axis, and where the voxels lie in the patient."""
    count = len(spacing)
    origin = [float(n) for n in reader.GetOrigin()]
    turned = np.array(reader.GetDirection(), float).reshape(count, count)
    if not (np.isfinite(turned).all() and np.isfinite(origin).all()):
        notes.append("the directions in the header are damaged; the position is 0")
        return {}, None
    if count == 2:
        straight = np.allclose(turned, np.eye(2), atol=1e-4)
        if not straight:
            notes.append("the header turns or mirrors the image; pixels are kept as stored and the position is 0")
        return (dict(zip("xy", origin, strict=True)) if straight else {}), None
    steps = tuple(_vector(turned[:3, k] * spacing[a]) for k, a in enumerate("xyz"))
    patient = PatientSpace(_vector(origin[:3]), (steps[0], steps[1], steps[2]))
    factor = _MILLIMETRES.get(units.get("x", ""))
    in_patient = None if factor is None else patient.scaled(factor)
    if patient.straight:
        return dict(zip("xyzt", origin, strict=False)), in_patient
    notes.append(patient.turned_note)
    return {}, in_patient


def _vector(values: Sequence[float] | NDArray[Any]) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z


def _damaged(path: Path, error: Exception) -> SourceError:
    words = " ".join(str(error).split())
    # ITK names its objects by address, and calls whatever went wrong a missing file.
    words = re.sub(r"\w+\(0x[0-9a-f]+\): | Reason: .*", "", words.partition("ERROR: ")[2] or words)
    return SourceError(
        f"{path} cannot be read as MetaImage or NRRD ({words[:200]})",
        remedy="copy it again, or wait until the program that writes it has finished",
        path=str(path),
    )
