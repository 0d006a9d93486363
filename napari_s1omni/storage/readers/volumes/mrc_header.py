"""Read and check the header of an MRC file: type, size, axes and place of its voxels."""

from __future__ import annotations

import bz2
import gzip
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_s1omni.errors import SourceError

_HEADER = 1024
_IMOD = 1146047817
"""Stamp of IMOD, which writes bytes without a sign unless a flag says otherwise."""
_STAMP, _FLAGS = slice(152, 156), slice(156, 160)
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
_LARGEST_EXTENSION = 2**28
"""Bytes of an extended header that are believed."""


@dataclass(frozen=True, slots=True)
class MrcHeader:
    """What the header says."""

    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: Mapping[str, float]
    translate: Mapping[str, float]
    notes: tuple[str, ...]


def read_mrc_header(path: Path, *, packed: bool) -> MrcHeader:
    """Read and check the header.

    Parameters
    ----------
    path : Path
    packed : bool
        Whether the file is packed with gzip or bzip2.

    Raises
    ------
    SourceError
        If it is no MRC file, cut off, or of a mode that is not read.
    """
    notes: list[str] = []
    raw = _first_bytes(path, packed)
    header, order = _fields(raw, path, notes)
    mode, extended = int(header["mode"]), int(header["nsymbt"])
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
    dtype: np.dtype[Any] = np.dtype(_READ[mode]).newbyteorder(order)
    if min(sizes.values()) < 1 or not 0 <= extended <= _LARGEST_EXTENSION:
        shown = " x ".join(map(str, sizes.values()))
        raise _no_map(path, f"a size of {shown} px with {extended} bytes between header and pixels")
    needed = _HEADER + extended + math.prod(sizes.values()) * dtype.itemsize
    if not packed and path.stat().st_size < needed:
        raise SourceError(
            f"{path} is cut off: it has {path.stat().st_size:,} of the {needed:,} bytes that its header says",
            "a file is read to its end",
            "copy it again, or wait until the program that writes it has finished",
            path=str(path),
        )
    stamp, flags = (int(np.frombuffer(raw[part], f"{order}i4")[0]) for part in (_STAMP, _FLAGS))
    if mode == 0 and stamp == _IMOD and not flags & 1:
        dtype = np.dtype(np.uint8)
        notes.append("IMOD wrote the bytes without a sign, and they are read as uint8")
    letters = _letters(header, notes)
    axes, shape = _stacked(header, sizes, letters, notes)
    scale = _scale(header, notes)
    return MrcHeader(axes, shape, dtype, scale, _place(header, scale, letters, stamp == _IMOD, notes), tuple(notes))


def _first_bytes(path: Path, packed: bool) -> bytes:
    opener: Any = bz2.open if path.name.lower().endswith(".bz2") else gzip.open if packed else open
    try:
        with opener(path, "rb") as file:
            found: bytes = file.read(_HEADER)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _no_map(path, str(error)) from error
    except OSError as error:
        if error.errno is None:
            # What bz2 raises for damaged data.
            raise _no_map(path, str(error)) from error
        raise
    if len(found) < _HEADER:
        raise _no_map(path, f"it has {len(found):,} bytes, fewer than a header")
    return found


def _fields(raw: bytes, path: Path, notes: list[str]) -> tuple[Any, Any]:
    """Return the fields of the header, and the byte order."""
    from mrcfile.constants import MAP_ID
    from mrcfile.dtypes import HEADER_DTYPE
    from mrcfile.utils import byte_order_from_machine_stamp

    header = np.frombuffer(raw, HEADER_DTYPE)[0]
    try:
        order = byte_order_from_machine_stamp(header["machst"])
    except ValueError as error:
        order = "<"
        notes.append(f"the header does not say its byte order ({error}), and little-endian is assumed")
    if bytes(header["map"])[:3] != MAP_ID[:3]:
        notes.append("the header lacks the mark 'MAP ', as files of old programs do")
    return np.frombuffer(raw, HEADER_DTYPE.newbyteorder(order))[0], order


def _no_map(path: Path, words: str) -> SourceError:
    return SourceError(
        f"{path} cannot be read as MRC ({words})",
        "a file ending in .mrc, .map, .rec or .st is a map in the format MRC2014 or of IMOD",
        "copy it again, or rename it to the ending of its real format",
        path=str(path),
    )


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
    depth = int(header["mz"])
    if 401 <= int(header["ispg"]) <= 630 and 0 < depth < nz and nz % depth == 0:
        notes.append(f"the file is a stack of {nz // depth} volumes, which are read as t")
        return f"t{letters}", (nz // depth, depth, ny, nx)
    if nz == 1:
        return letters[1:] if set(letters[1:]) == {"x", "y"} else letters, (
            (ny, nx) if set(letters[1:]) == {"x", "y"} else (nz, ny, nx)
        )
    if int(header["ispg"]) == 0:
        notes.append(
            f"the header says that this is a stack of {nz} images (a tilt series, frames, particles, or a tomogram of "
            f"IMOD); they are read as {letters[0]}; give axes='t{letters[1:]}' if they are frames"
        )
    return letters, (nz, ny, nx)


def _scale(header: Any, notes: list[str]) -> dict[str, float]:
    """Return the voxel size in angstrom by axis, from the size of the cell."""
    found = {}
    for a in "xyz":
        size, count = float(header["cella"][a]), int(header[f"m{a}"])
        if count > 0 and 0 < size < math.inf:
            found[a] = float(f"{size / count:.7g}")
    if not found:
        notes.append("the header gives no size of the cell, so the voxel size is not known; give scale and units")
    angles = [float(header["cellb"][name]) for name in ("alpha", "beta", "gamma")]
    if any(angle not in (0.0, 90.0) for angle in angles):
        notes.append(
            f"the cell is oblique (angles {angles[0]:g}, {angles[1]:g}, {angles[2]:g}); pixels are kept as stored"
        )
    return found


def _place(header: Any, scale: Mapping[str, float], letters: str, by_imod: bool, notes: list[str]) -> dict[str, float]:
    """Return the position of the first voxel in angstrom: the start of the map in its cell, else the origin."""
    starts = [int(header[key]) for key in ("nzstart", "nystart", "nxstart")]
    # Starts count columns, rows and sections, whatever axes these are.
    start = {a: n * scale[a] for a, n in zip(letters, starts, strict=True) if a in scale}
    origin = {a: float(header["origin"][a]) for a in "xyz" if a in scale}
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
