"""Read NIfTI volumes with nibabel (extra ``medical``)."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.array import default_chunks
from napari_s1omni.storage.readers.raw_image import RawImage

_AXES = "xyztc"
_CACHED_BYTES = 2**30
"""Compressed volumes up to this size are decoded once and kept in memory."""
_LABEL_INTENT = 1002


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
        except (OSError, EOFError, ValueError) as error:
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
    """
    try:
        import nibabel
        from nibabel.filebasedimages import ImageFileError
    except ImportError as error:
        raise SourceError(
            f"{path} is a NIfTI file", "reading it needs nibabel", 'run pip install "napari-s1omni[medical]"'
        ) from error
    try:
        image = nibabel.load(path)
    except (ImageFileError, OSError, EOFError, ValueError) as error:
        raise SourceError(
            f"{path} cannot be read as NIfTI: {error}", remedy="copy or write the file again", path=str(path)
        ) from error
    shape = tuple(int(n) for n in image.shape)
    if not 2 <= len(shape) <= 5:
        raise SourceError(f"{path} has {len(shape)} dimensions", "a volume has 2 to 5 dimensions", path=str(path))
    scaled = (image.dataobj.slope, image.dataobj.inter) != (1.0, 0.0)
    dtype = np.dtype(np.float64) if scaled else image.get_data_dtype()
    notes = [] if not scaled else ["the header scales the voxels, which are read as float64"]
    if path.suffix == ".gz" and math.prod(shape) * dtype.itemsize > _CACHED_BYTES:
        notes.append("each read decodes this large file from the beginning; decompress it with gunzip to speed it up")
    affine = np.asarray(image.affine, float)
    scale = {a: float(s) for a, s in zip("xyz", np.linalg.norm(affine[:3, :3], axis=0), strict=True) if s > 0}
    straight = np.allclose(affine[:3, :3], np.diag([scale.get(a, 0.0) for a in "xyz"]), atol=1e-4 * max(scale.values()))
    translate = dict(zip("xyz", (float(v) for v in affine[:3, 3]), strict=True)) if straight else {}
    if not straight:
        towards = "".join(str(code) for code in nibabel.aff2axcodes(affine))
        notes.append(
            f"the affine rotates, mirrors or shears (x, y, z run towards {towards}); pixels are kept as stored"
        )
    length, time = image.header.get_xyzt_units()
    units = {a: length for a in "xyz" if length != "unknown"}
    if len(shape) > 3:
        scale["t"] = float(image.header.get_zooms()[3]) or 1.0
        if time != "unknown":
            units["t"] = time
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
    )
