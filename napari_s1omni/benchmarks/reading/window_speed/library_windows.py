"""How the library of each format reads a window: what its documentation shows, with the file open."""

from __future__ import annotations

import functools
import importlib.util
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.benchmarks.reading.references import leica, nikon, zeiss
from napari_s1omni.benchmarks.reading.seen import NotComparable
from napari_s1omni.benchmarks.reading.window_speed import library_arrays
from napari_s1omni.core.paths import split_reference

Box = Mapping[str, slice]
"""Part of a plane by axis; along t, c and z it has one pixel."""
Window = Callable[[Box], NDArray[Any]]
"""Reads a box of an open file."""


def library_windows(name: str, where: Path, axes: str) -> tuple[str, Callable[[], Window]] | None:
    """Return the library of a format, and what opens a file with it; None if it is not installed.

    Parameters
    ----------
    name : str
        Name of the format, as its module describes it.
    where : Path
        File, and the image in it.
    axes : str
        Letters of its dimensions of more than one pixel, in stored order.
    """
    found = _OPENERS.get(name)
    if found is None or importlib.util.find_spec(found[0]) is None:
        return None
    library, opened = found
    if opened in _ARRAYS:
        return library, functools.partial(_of_array, opened, where, axes)
    return library, functools.partial(opened, where)


def _of_array(opened: Callable[[Path], Any], where: Path, axes: str) -> Window:
    array = opened(where)
    # A dimension of one pixel is none of the layer's.
    letters = iter(axes)
    known = [next(letters, "") if n > 1 else None for n in array.shape]
    if [a for a in known if a is not None] != list(axes):
        raise NotComparable("its dimensions are stored in another way")

    def window(box: Box) -> NDArray[Any]:
        return np.array(array[tuple(slice(None) if a is None else box.get(a, slice(None)) for a in known)])

    return window


def _itk(where: Path) -> Window:
    import SimpleITK

    def window(box: Box) -> NDArray[Any]:
        reader = SimpleITK.ImageFileReader()
        reader.SetFileName(str(where))
        reader.ReadImageInformation()
        parts = [box[a] for a in "xyz"[: reader.GetDimension()]]
        reader.SetExtractIndex([part.start for part in parts])
        reader.SetExtractSize([part.stop - part.start for part in parts])
        return np.asarray(SimpleITK.GetArrayFromImage(reader.Execute()))

    return window


def _dicom(where: Path) -> Window:
    import pydicom
    from pydicom.pixels import apply_modality_lut

    name, _ = split_reference(str(where))
    folder = Path(name)
    if not folder.is_dir():
        raise NotComparable("a file of a series")
    heads = [(pydicom.dcmread(file, stop_before_pixels=True), file) for file in folder.glob("*.dcm")]
    files = [file for head, file in sorted(heads, key=lambda one: float(one[0].ImagePositionPatient[2]))]

    def window(box: Box) -> NDArray[Any]:
        data = pydicom.dcmread(files[box["z"].start])
        return np.asarray(apply_modality_lut(data.pixel_array[box["y"], box["x"]], data))

    return window


def _slide(where: Path) -> Window:
    from wsidicom import WsiDicom

    slide = WsiDicom.open(where)

    def window(box: Box) -> NDArray[Any]:
        rows, columns = box["y"], box["x"]
        size = (columns.stop - columns.start, rows.stop - rows.start)
        return np.asarray(slide.read_region((columns.start, rows.start), 0, size))

    weakref.finalize(window, slide.close)
    return window


_ARRAYS = (
    library_arrays.tiff,
    library_arrays.hdf5,
    library_arrays.n5,
    library_arrays.precomputed,
    library_arrays.mrc,
    library_arrays.zipped_zarr,
)
_OPENERS: Mapping[str, tuple[str, Callable[[Path], Any]]] = {
    "Zeiss CZI": ("pylibCZIrw", zeiss.windows),
    "Nikon ND2": ("nd2", nikon.windows),
    "Leica LIF": ("liffile", leica.windows),
    "TIFF": ("tifffile", library_arrays.tiff),
    "DICOM whole slide": ("wsidicom", _slide),
    "DICOM": ("pydicom", _dicom),
    "MetaImage or NRRD": ("SimpleITK", _itk),
    "HDF5": ("h5py", library_arrays.hdf5),
    "BigDataViewer": ("h5py", library_arrays.hdf5),
    "Imaris": ("h5py", library_arrays.hdf5),
    "N5": ("tensorstore", library_arrays.n5),
    "Neuroglancer precomputed": ("tensorstore", library_arrays.precomputed),
    "MRC": ("mrcfile", library_arrays.mrc),
    "zipped OME-Zarr": ("zarr", library_arrays.zipped_zarr),
}
"""Name of a format -> its library, and what opens a file."""
