"""Read MRC, CCP4 and IMOD files (.mrc, .map, .rec, .st) through a memory map; packed ones are unpacked as a whole."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.units import format_bytes
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.array import default_chunks
from napari_s1omni.storage.readers.file_format import FormatInfo, ImageHeader
from napari_s1omni.storage.readers.raw_image import RawImage
from napari_s1omni.storage.readers.volumes.headers import make_header
from napari_s1omni.storage.readers.volumes.stored_pixels import StoredPixels

_PLAIN = (".mrc", ".mrcs", ".map", ".ccp4", ".rec", ".st", ".ali")
_PACKED = (".gz", ".bz2")
ENDINGS = (*_PLAIN, *(f"{ending}{packed}" for ending in (".mrc", ".map", ".rec", ".st") for packed in _PACKED))
_UNPACKED_BYTES = 2**30
"""Largest packed volume that is unpacked into memory."""
_HEADER = 1024
_IMOD = 1146047817
"""Stamp of IMOD, which writes bytes without a sign unless a flag says otherwise."""
_STAMP, _SIGNED = slice(152, 156), slice(156, 160)
_MODES = {
    0: "int8",
    1: "int16",
    2: "float32",
    3: "complex numbers of 16-bit integers",
    4: "complex numbers",
    6: "uint16",
    12: "float16",
    16: "colours of 8 bits",
    101: "4-bit numbers",
}
_READ = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
_REMEDY = {
    101: "convert it with IMOD: newstack -mode 0 INPUT OUTPUT",
    16: "convert it with IMOD: mrc2tif INPUT OUTPUT.tif",
}


def describe() -> FormatInfo:
    """Describe the format."""
    return FormatInfo(
        "MRC", ENDINGS, "mrcfile", "BSD-3-Clause", "volumes", "a map of EMDB, and files that mrcfile writes"
    )


def list_images(path: Path) -> Sequence[ImageHeader]:
    """List the one image of a file."""
    found = _header(path)
    return [make_header(path.name, found.shape, found.dtype, found.axes, found.scale, dict.fromkeys(found.scale, "A"))]


def read_image(path: Path, number: int) -> RawImage:
    """Return the volume or stack."""
    found = _header(path)
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
        None if _is_packed(path) else _mapped(path),
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
class _MrcHeader:
    """What the header says."""

    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: Mapping[str, float]
    translate: Mapping[str, float]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _MrcPixels(StoredPixels):
    """The pixels of a file, mapped or unpacked."""

    path: Path
    opened: Any
    """mrcfile with its memory map; None for a packed file."""

    def read(self, index: tuple[slice, ...]) -> NDArray[Any]:
        """Read a box."""
        data = _unpacked(self.path, self.path.stat().st_mtime_ns) if self.opened is None else self.opened.data
        found: NDArray[Any] = np.asarray(data.reshape(self.shape)[index])
        # Bytes of IMOD have no sign.
        return found.view(np.uint8) if self.dtype == np.uint8 else found


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


def _header(path: Path) -> _MrcHeader:
    """Read and check the header."""
    import mrcfile

    notes: list[str] = []
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            with mrcfile.open(path, permissive=True, header_only=True) as opened:
                header = opened.header
                raw = header.tobytes()
                extended = int(header.nsymbt)
                packed = _is_packed(path)
    except (ValueError, EOFError, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise _no_map(path, str(error)) from error
    if header is None:
        raise _no_map(path, str(said[-1].message) if said else "no header")
    notes += [f"the header is not as the standard says: {w.message}" for w in said if "volume" not in str(w.message)]
    mode = int(header.mode)
    if mode not in _MODES:
        raise _no_map(path, f"mode {mode} is unknown")
    if mode not in _READ:
        raise SourceError(
            f"{path} has mode {mode} ({_MODES[mode]})",
            "modes 0 (int8), 1 (int16), 2 (float32), 6 (uint16) and 12 (float16) are read",
            _REMEDY.get(mode, "save its real part, magnitude or phase as an image"),
            path=str(path),
        )
    sizes = {key: int(header[key]) for key in ("nx", "ny", "nz")}
    dtype: np.dtype[Any] = np.dtype(_READ[mode]).newbyteorder(header.mode.dtype.byteorder)
    if min(sizes.values()) < 1 or extended < 0:
        raise _no_map(path, f"a size of {' x '.join(map(str, sizes.values()))} px")
    needed = _HEADER + extended + math.prod(sizes.values()) * dtype.itemsize
    if not packed and path.stat().st_size < needed:
        raise SourceError(
            f"{path} is cut off: it has {path.stat().st_size:,} of the {needed:,} bytes that its header says",
            "a file is read to its end",
            "copy it again, or wait until the program that writes it has finished",
            path=str(path),
        )
    if mode == 0 and _is_unsigned(raw, header.mode.dtype.byteorder):
        dtype = np.dtype(np.uint8)
        notes.append("IMOD wrote the bytes without a sign, and they are read as uint8")
    letters = _letters(header, notes)
    axes, shape = _stacked(header, sizes, letters, notes)
    scale = _scale(header, notes)
    return _MrcHeader(axes, shape, dtype, scale, _place(header, scale, letters, raw, notes), tuple(notes))


def _no_map(path: Path, words: str) -> SourceError:
    return SourceError(
        f"{path} cannot be read as MRC ({words})",
        "a file ending in .mrc, .map, .rec or .st is a map in the format MRC2014 or of IMOD",
        "copy it again, or rename it to the ending of its real format",
        path=str(path),
    )


def _is_unsigned(raw: bytes, order: Any) -> bool:
    number = np.dtype("i4").newbyteorder(order)
    stamp, flags = (int(np.frombuffer(raw[part], number)[0]) for part in (_STAMP, _SIGNED))
    return stamp == _IMOD and not flags & 1


def _letters(header: Any, notes: list[str]) -> str:
    """Return the letters of sections, rows and columns."""
    order = [int(header[key]) for key in ("maps", "mapr", "mapc")]
    if sorted(order) != [1, 2, 3]:
        if any(order):
            notes.append(f"the order of axes (mapc, mapr, maps = {order[::-1]}) is none; columns are taken as x")
        return "zyx"
    return "".join("xyz"[n - 1] for n in order)


def _stacked(header: Any, sizes: Mapping[str, int], letters: str, notes: list[str]) -> tuple[str, tuple[int, ...]]:
    """Return axes and shape: a volume, an image, or a stack of volumes."""
    nx, ny, nz = sizes["nx"], sizes["ny"], sizes["nz"]
    depth = int(header.mz)
    if 401 <= int(header.ispg) <= 630 and 0 < depth < nz and nz % depth == 0:
        notes.append(f"the file is a stack of {nz // depth} volumes, which are read as t")
        return f"t{letters}", (nz // depth, depth, ny, nx)
    if nz == 1:
        return letters[1:] if set(letters[1:]) == {"x", "y"} else letters, (
            (ny, nx) if set(letters[1:]) == {"x", "y"} else (nz, ny, nx)
        )
    if int(header.ispg) == 0:
        notes.append(
            f"the header says that this is a stack of {nz} images (a tilt series, frames, particles, or a tomogram of "
            f"IMOD); they are read as {letters[0]}; give axes='t{letters[1:]}' if they are frames"
        )
    return letters, (nz, ny, nx)


def _scale(header: Any, notes: list[str]) -> dict[str, float]:
    """Return the voxel size in angstrom by axis, from the size of the cell."""
    found = {}
    for a in "xyz":
        size, count = float(header.cella[a]), int(header[f"m{a}"])
        if count > 0 and 0 < size < math.inf:
            found[a] = float(f"{size / count:.7g}")
    if not found:
        notes.append("the header gives no size of the cell, so the voxel size is not known; give scale and units")
    angles = [float(header.cellb[name]) for name in ("alpha", "beta", "gamma")]
    if any(angle not in (0.0, 90.0) for angle in angles):
        notes.append(
            f"the cell is oblique (angles {angles[0]:g}, {angles[1]:g}, {angles[2]:g}); pixels are kept as stored"
        )
    return found


def _place(header: Any, scale: Mapping[str, float], letters: str, raw: bytes, notes: list[str]) -> dict[str, float]:
    """Return the position of the first voxel in angstrom: the start of the map in its cell, else the origin."""
    starts = [int(header[key]) for key in ("nzstart", "nystart", "nxstart")]
    # Starts count columns, rows and sections, whatever axes these are.
    start = {a: n * scale[a] for a, n in zip(letters, starts, strict=True) if a in scale}
    origin = {a: float(header.origin[a]) for a in "xyz" if a in scale}
    by_imod = int(np.frombuffer(raw[_STAMP], np.dtype("i4").newbyteorder(header.mode.dtype.byteorder))[0]) == _IMOD
    if any(starts):
        if any(origin.values()) and any(abs(origin[a] - start[a]) > 1e-3 * scale[a] for a in start):
            notes.append(f"the header has an origin too ({_shown(origin)} angstrom), which is not used")
        return start
    if any(origin.values()) and all(map(math.isfinite, origin.values())):
        if by_imod:
            notes.append(f"the origin of IMOD ({_shown(origin)} angstrom) is not used")
            return {}
        return origin
    return {}


def _shown(place: Mapping[str, float]) -> str:
    return ", ".join(f"{a} {value:g}" for a, value in place.items())
