"""Write a layer as NIfTI by nibabel, plane by plane, in bounded memory."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.files.part_file import part_file
from napari_s1omni.storage.writers.label_type import smallest_type

ENDINGS = (".nii", ".nii.gz")
_ORDER = "xyztc"
"""Axes in the order of NIfTI; the first varies fastest in the file."""
_DATA_OFFSET = 352
_MOST = 32767
"""Largest size along an axis."""
_LEVEL = 5
"""Effort of gzip: labels are as small with it as with 9, and are written five times as fast."""


def write_nifti(
    path: Path, array: Any, spec: LayerSpec, affine: Sequence[Sequence[float]], *, overwrite: bool = False
) -> float:
    """Write an array as NIfTI; labels in the smallest type that holds them, with the intent label.

    Parameters
    ----------
    path : Path
        Ends in .nii or .nii.gz. The file appears once it is complete.
    array : array-like
        Read by slices, in the axes of `spec`.
    spec : LayerSpec
    affine : (4, 4) sequence
        From pixels (x, y, z) to millimetres towards right, front and head.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    float
        How far the written affine, which has 32 bits, is off for any pixel, in pixels.

    Raises
    ------
    SourceError
        If the layer is too large for the format, or nibabel is missing.
    StoreExists
        If the file exists and `overwrite` is off.
    """
    try:
        import nibabel
    except ImportError as error:
        raise SourceError(
            f"{path} is a NIfTI file", "writing it needs nibabel", 'run pip install "napari-s1omni[medical]"'
        ) from error
    if max(spec.shape) > _MOST:
        raise SourceError(
            f"{path} for an image of {' x '.join(map(str, spec.shape))} px",
            f"NIfTI holds at most {_MOST:,} px along an axis",
            "export .mha or .tif, or a smaller region",
        )
    dtype = smallest_type(array, spec)
    axes = _ORDER[: max(_ORDER.index(axis) for axis in spec.axes) + 1]
    axes = axes if len(axes) > 2 else "xyz"
    header = nibabel.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape([spec.size(a) for a in axes])
    matrix = np.array(affine, float)
    steps = np.linalg.norm(matrix[:3, :3], axis=0)
    header.set_zooms([*steps, *(spec.scale_of(a) for a in axes[3:])])
    header.set_qform(matrix, code=1)
    header.set_sform(matrix, code=1)
    header.set_xyzt_units("mm", "sec" if spec.unit_of("t") == "second" else None)
    header.set_data_offset(_DATA_OFFSET)
    if spec.kind == "labels":
        header.set_intent("label")
    with part_file(path, overwrite=overwrite) as part, _opened(part, path.name.lower().endswith(".gz")) as file:
        header.write_to(file)
        file.write(bytes(_DATA_OFFSET - file.tell()))
        for c, t, z in product(*(range(spec.size(a)) for a in "ctz")):
            at = {"c": c, "t": t, "z": z}
            index = tuple(at[a] if a in at else slice(None) for a in spec.axes)
            file.write(np.ascontiguousarray(array[index], dtype).tobytes())
    ends = np.array([*product(*((0, spec.size(a) - 1) for a in "xyz"))], float)
    wrong = ends @ (header.get_sform() - matrix)[:3, :3].T + (header.get_sform() - matrix)[:3, 3]
    return float(np.abs(wrong).max() / max(float(steps.min()), 1e-30))


def _opened(path: Path, packed: bool) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "wb", compresslevel=_LEVEL)) if packed else path.open("wb")
