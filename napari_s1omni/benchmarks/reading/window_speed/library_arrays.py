"""Arrays of an open file, as the library of its format gives them; windows are slices of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.paths import split_reference


class _Tensor:
    """A tensorstore array with x last, sliced as numpy is."""

    def __init__(self, driver: str, folder: str) -> None:
        import tensorstore

        spec = {"driver": driver, "kvstore": {"driver": "file", "path": f"{folder}/"}}
        self._array = tensorstore.open(spec, open=True, read=True).result()[tensorstore.d[:].translate_to[0]].T
        self.shape = tuple(int(n) for n in self._array.shape)

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        return np.asarray(self._array[index].read().result())


def tiff(where: Path) -> Any:
    """Return a series of a TIFF; tiles are decoded through zarr, as its documentation shows."""
    import tifffile
    import zarr

    name, image = split_reference(str(where))
    series = tifffile.TiffFile(name).series[int(image) if image and image.isdecimal() else 0]
    return zarr.open(series.aszarr(level=0), mode="r")


def hdf5(where: Path) -> Any:
    """Return a dataset; of BigDataViewer and Imaris, the first volume at full resolution."""
    import h5py

    name, image = split_reference(str(where))
    file = h5py.File(Path(name).with_suffix(".h5") if name.endswith(".xml") else name)
    places = (image or "", "DataSet/ResolutionLevel 0/TimePoint 0/Channel 0/Data", "t00000/s00/0/cells")
    place = next((place for place in places if place and place in file), None)
    return file[place or next(iter(file))]


def n5(where: Path) -> Any:
    """Return a dataset, or the finest level of a group."""
    name, image = split_reference(str(where))
    place = Path(name) / (image or "")
    return _Tensor("n5", str(place / "s0" if (place / "s0").is_dir() else place))


def precomputed(where: Path) -> Any:
    """Return the finest scale."""
    return _Tensor("neuroglancer_precomputed", str(where))


def mrc(where: Path) -> Any:
    """Return the mapped volume."""
    import mrcfile

    return mrcfile.mmap(where).data


def zipped_zarr(where: Path) -> Any:
    """Return the finest level of the image at the top of an archive."""
    import zarr
    import zarr.storage

    return zarr.open_group(zarr.storage.ZipStore(where, mode="r"), mode="r")["0"]
