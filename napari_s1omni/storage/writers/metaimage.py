"""Write a layer as MetaImage (``.mha``) by SimpleITK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_s1omni.core.patient_space import PatientSpace
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.units import format_bytes
from napari_s1omni.errors import NotEnoughMemory, SourceError
from napari_s1omni.storage.files.part_file import part_file
from napari_s1omni.storage.writers.label_type import smallest_type
from napari_s1omni.system.memory import available_memory

ENDING = ".mha"


def write_metaimage(path: Path, array: Any, spec: LayerSpec, space: PatientSpace, *, overwrite: bool = False) -> None:
    """Write an array as MetaImage; labels in the smallest type that holds them, compressed.

    Parameters
    ----------
    path : Path
        Ends in .mha. The file appears once it is complete.
    array : array-like
        Read as a whole, in the axes of `spec`.
    spec : LayerSpec
    space : PatientSpace
        Where its pixels lie.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    NotEnoughMemory
        If it does not fit into memory twice, as ITK needs it.
    SourceError
        If SimpleITK is missing.
    StoreExists
        If the file exists and `overwrite` is off.
    """
    try:
        import SimpleITK
    except ImportError as error:
        raise SourceError(
            f"{path} is a MetaImage file", "writing it needs SimpleITK", 'run pip install "napari-s1omni[dicom]"'
        ) from error
    dtype = smallest_type(array, spec)
    needed = 2 * dtype.itemsize * int(np.prod(spec.shape, dtype=np.int64))
    if needed > available_memory():
        raise NotEnoughMemory(
            f"{path} needs {format_bytes(needed)} of memory while it is written",
            f"{format_bytes(available_memory())} are free",
            "export .nii.gz, which is written plane by plane, or a smaller region",
        )
    if dtype == np.float16:
        dtype = np.dtype(np.float32)
    voxels = np.asarray(array[(slice(None),) * len(spec.shape)]).astype(dtype, copy=False)
    axes = list(spec.axes)
    if "c" in axes:
        voxels = np.moveaxis(voxels, axes.index("c"), -1)
        axes.remove("c")
    if "z" not in axes:
        # ITK keeps the place of a slice in a volume of one slice.
        voxels = np.expand_dims(voxels, axes.index("y"))
        axes.insert(axes.index("y"), "z")
    image = SimpleITK.GetImageFromArray(voxels, isVector="c" in spec.axes)
    more = len(axes) - 3
    turned = np.eye(3 + more)
    turned[:3, :3] = np.array(space.directions).T
    image.SetSpacing([*space.spacing, *[spec.scale_of("t")] * more])
    image.SetOrigin([*space.origin, *[0.0] * more])
    image.SetDirection(turned.ravel().tolist())
    with part_file(path, overwrite=overwrite) as part:
        # ITK writes one file only under this ending.
        named = part.with_name(f"{part.name}{ENDING}")
        try:
            SimpleITK.WriteImage(image, str(named), spec.kind == "labels")
            named.replace(part)
        except RuntimeError as error:
            raise OSError(f"ITK cannot write it: {' '.join(str(error).split())}") from error
        finally:
            named.unlink(missing_ok=True)
