"""Read MRC, CCP4 and IMOD files (.mrc, .map, .rec, .st) through a memory map; packed ones are unpacked as a whole."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.units import format_bytes
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.array import default_chunks
from napari_s1omni.storage.readers.file_format import FormatInfo, ImageHeader
from napari_s1omni.storage.readers.mapped_file import check_length
from napari_s1omni.storage.readers.raw_image import RawImage
from napari_s1omni.storage.readers.volumes.headers import make_header
from napari_s1omni.storage.readers.volumes.mrc_header import MrcHeader, read_mrc_header
from napari_s1omni.storage.readers.volumes.stored_pixels import StoredPixels

_PLAIN = (".mrc", ".mrcs", ".map", ".ccp4", ".rec", ".st", ".ali")
_PACKED = (".gz", ".bz2")
ENDINGS = (*_PLAIN, *(f"{ending}{packed}" for ending in (".mrc", ".map", ".rec", ".st") for packed in _PACKED))
_HEADER = 1024
"""Bytes before the extended header."""
_UNPACKED_BYTES = 2**30
"""Largest packed volume that is unpacked into memory."""


def describe() -> FormatInfo:
    """Describe the format."""
    return FormatInfo(
        "MRC", ENDINGS, "mrcfile", "BSD-3-Clause", "volumes", "a map of EMDB, and files that mrcfile writes"
    )


def list_images(path: Path) -> Sequence[ImageHeader]:
    """List the one image of a file."""
    found = read_mrc_header(path, packed=_is_packed(path))
    return [
        make_header(
            path.stem, found.shape, found.dtype, found.axes, found.scale, dict.fromkeys(found.scale, "angstrom")
        )
    ]


def read_image(path: Path, number: int) -> RawImage:
    """Return the volume or stack."""
    found = read_mrc_header(path, packed=_is_packed(path))
    notes = list(found.notes)
    size = math.prod(found.shape) * found.dtype.itemsize
    if _is_packed(path):
        _check_packed(path, size)
        notes.append(f"the packed file is unpacked as a whole into memory ({format_bytes(size)})")
    pixels = _MrcPixels(
        str(path),
        found.axes,
        found.shape,
        found.dtype,
        default_chunks(found.shape, found.axes),
        path,
        None if _is_packed(path) else _Mapped.of(path, found),
    )
    return RawImage(
        pixels=pixels,
        axes=found.axes,
        chunks=pixels.chunks,
        scale=found.scale,
        translate=found.translate,
        units=dict.fromkeys(found.scale, "angstrom"),
        notes=tuple(notes),
    )


@dataclass(frozen=True, slots=True)
class _MrcPixels(StoredPixels):
    """The pixels of a file, mapped or unpacked."""

    path: Path
    mapped: _Mapped | None
    """None for a packed file."""

    def read(self, index: tuple[slice, ...]) -> NDArray[Any]:
        """Read a box."""
        if self.mapped is None:
            data = _unpacked(self.path, self.path.stat().st_mtime_ns).reshape(self.shape)
            return _unsigned(data, self.dtype)[index]
        check_length(self.path, self.mapped.size)
        return self.mapped.pixels[index]


@dataclass(frozen=True, slots=True)
class _Mapped:
    """The memory map of a file."""

    opened: Any
    """mrcfile, which closes its map when it is deleted."""
    pixels: NDArray[Any]
    size: int
    """Bytes of the file up to the end of its pixels."""

    @classmethod
    def of(cls, path: Path, found: MrcHeader) -> _Mapped:
        """Map a file."""
        opened = _mapped(path)
        pixels = _unsigned(np.asarray(opened.data).reshape(found.shape), found.dtype)
        return cls(opened, pixels, _HEADER + int(opened.header.nsymbt) + pixels.nbytes)


def _unsigned(data: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the bytes of IMOD, which have no sign."""
    return data.view(np.uint8) if dtype == np.uint8 else data


def _mapped(path: Path) -> Any:
    import mrcfile

    with warnings.catch_warnings():
        # What mrcfile warns of was read from the header and is noted.
        warnings.simplefilter("ignore")
        return mrcfile.mmap(path, mode="r", permissive=True)


@functools.lru_cache(maxsize=2)
def _unpacked(path: Path, modified: int) -> NDArray[Any]:
    """Unpack a file once, since reading a part of one unpacks it from the beginning."""
    import mrcfile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with mrcfile.open(path, permissive=True) as opened:
            return np.array(opened.data)


def _is_packed(path: Path) -> bool:
    return path.name.lower().endswith(_PACKED)


def _check_packed(path: Path, size: int) -> None:
    if size > _UNPACKED_BYTES:
        raise SourceError(
            f"{path} unpacks to {format_bytes(size)}",
            f"packed volumes are read up to {format_bytes(_UNPACKED_BYTES)}, since they are unpacked into memory",
            f"unpack it: {'bunzip2' if path.name.lower().endswith('.bz2') else 'gunzip'} {path.name}",
            path=str(path),
        )
