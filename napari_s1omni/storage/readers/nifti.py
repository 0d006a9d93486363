"""Read NIfTI volumes with nibabel (extra ``medical``)."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.patient_space import PatientSpace
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.array import default_chunks
from napari_s1omni.storage.readers.raw_image import RawImage

_AXES = "xyztc"
_CACHED_BYTES = 2**30
"""Compressed volumes up to this size are decoded once and kept in memory."""
_LABEL_INTENT = 1002
_DEFLATE_RATIO = 1032
"""Most bytes that a byte of a gzip file can stand for."""


@dataclass(frozen=True, slots=True)
class _Volume:
    """The voxels of a NIfTI file, scaled as its header says."""

    path: Path
    proxy: Any
    """nibabel array proxy, read by slices."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        try:
            compressed = self.path.suffix == ".gz" and math.prod(self.shape) * self.dtype.itemsize <= _CACHED_BYTES
            return np.asarray((_decoded(self.path, self.path.stat().st_mtime_ns) if compressed else self.proxy)[index])
        except Exception as error:
            # nibabel and zlib have exceptions of their own.
            raise SourceError(
                f"the voxels of {self.path} cannot be read: {error}", remedy="copy or write the file again"
            ) from error


@functools.lru_cache(maxsize=2)
def _decoded(path: Path, modified: int) -> NDArray[Any]:
    """Decode a whole compressed file, since reading a slice of one decodes it from the beginning each time."""
    import nibabel

    return np.asanyarray(nibabel.load(path).dataobj)


def read_nifti(path: Path) -> RawImage:
    """Read the metadata of a NIfTI volume. Its first dimension becomes x, as it varies fastest in the file.

    The pixel size is the length of the affine's columns. The volume is not
    reoriented: if the affine rotates, mirrors or shears, a note says so and the position stays 0.

    Raises
    ------
    SourceError
        If it is damaged, cut off, or has more than five dimensions.
    """
    try:
        import nibabel
    except ImportError as error:
        raise SourceError(
            f"{path} is a NIfTI file", "reading it needs nibabel", 'run pip install "napari-s1omni[medical]"'
        ) from error
    try:
        image = nibabel.load(path)
        return _read(path, image)
    except SourceError:
        raise
    except Exception as error:
        # Damaged headers raise exceptions of nibabel, numpy and zlib.
        raise SourceError(
            f"{path} cannot be read as NIfTI: {error}", remedy="copy or write the file again", path=str(path)
        ) from error


def _read(path: Path, image: Any) -> RawImage:
    shape = tuple(int(n) for n in image.shape)
    if not 2 <= len(shape) <= 5:
        raise SourceError(f"{path} has {len(shape)} dimensions", "a volume has 2 to 5 dimensions", path=str(path))
    _check_size(path, image, shape)
    scaled = (image.dataobj.slope, image.dataobj.inter) != (1.0, 0.0)
    dtype = np.dtype(np.float64) if scaled else image.get_data_dtype()
    notes = [] if not scaled else ["the header scales the voxels, which are read as float64"]
    if path.suffix == ".gz" and math.prod(shape) * dtype.itemsize > _CACHED_BYTES:
        notes.append("each read decodes this large file from the beginning; decompress it with gunzip to speed it up")
    zooms = [float(zoom) for zoom in image.header.get_zooms()]
    scale, translate = _place(image.affine, zooms, notes)
    units = _units(image.header, notes)
    if len(shape) > 3:
        scale["t"] = zooms[3] or 1.0
    axes = _AXES[: len(shape)]
    return RawImage(
        pixels=_Volume(path, image.dataobj, shape, dtype),
        axes=axes,
        chunks=default_chunks(shape, axes),
        scale={a: s for a, s in scale.items() if a in axes},
        translate={a: v for a, v in translate.items() if a in axes},
        units={a: u for a, u in units.items() if a in axes},
        kind="labels" if int(image.header["intent_code"]) == _LABEL_INTENT else "image",
        notes=tuple(notes),
        uri=str(path),
        patient=_patient(image.affine, units.get("x", "")),
    )


def _check_size(path: Path, image: Any, shape: tuple[int, ...]) -> None:
    """Refuse a file that is too small for the voxels that its header tells of, before memory is taken for them."""
    needed, size = math.prod(shape) * image.get_data_dtype().itemsize, path.stat().st_size
    most = size * _DEFLATE_RATIO if path.suffix == ".gz" else size - image.dataobj.offset
    if min(shape) < 1 or needed > most:
        raise SourceError(
            f"the header of {path} tells of {' x '.join(map(str, shape))} voxels, {needed:,} bytes, but the file has "
            f"{size:,} bytes",
            "a volume is read as a whole or not at all",
            "copy or write the file again",
            path=str(path),
        )


def _place(affine: Any, zooms: Sequence[float], notes: list[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Return pixel size and position by axis letter."""
    import nibabel

    matrix = np.asarray(affine, float)
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if not (np.isfinite(matrix).all() and np.isfinite(lengths).all() and lengths.all()):
        notes.append("the affine of the header is damaged; the pixel size is taken from the field pixdim")
        return {a: s for a, s in zip("xyz", zooms, strict=False) if 0 < s < math.inf}, {}
    scale = dict(zip("xyz", (float(n) for n in lengths), strict=True))
    if np.allclose(matrix[:3, :3], np.diag(lengths), atol=1e-4 * max(lengths)):
        return scale, dict(zip("xyz", (float(v) for v in matrix[:3, 3]), strict=True))
    towards = "".join(str(code) for code in nibabel.aff2axcodes(matrix))
    notes.append(f"the affine rotates, mirrors or shears (x, y, z run towards {towards}); pixels are kept as stored")
    return scale, {}


def _patient(affine: Any, unit: str) -> PatientSpace | None:
    """Return where the voxels lie in the patient; a header without a unit means millimetres."""
    if not np.isfinite(affine).all() or not np.linalg.norm(affine[:3, :3], axis=0).all():
        return None
    factor = {"meter": 1000.0, "micron": 1e-3}.get(unit, 1.0)
    return PatientSpace.of_ras(affine).scaled(factor)


def _units(header: Any, notes: list[str]) -> dict[str, str]:
    """Return the unit of each axis that has one."""
    try:
        length, time = header.get_xyzt_units()
    except KeyError as error:
        notes.append(f"the units of the header are of an unknown code ({error}) and are not read")
        return {}
    return {axis: unit for axis, unit in zip("xyzt", (length, length, length, time), strict=True) if unit != "unknown"}
