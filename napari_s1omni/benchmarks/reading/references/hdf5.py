"""A dataset of an HDF5 file as h5py reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_s1omni.benchmarks.reading.seen import NotComparable, Seen, arrange, check_size
from napari_s1omni.core.paths import split_reference


def read(path: Path) -> Seen:
    """Read a dataset of two or three dimensions; with ``element_size_um`` it has a pixel size."""
    import h5py

    name, inner = split_reference(str(path))
    with h5py.File(name) as file:
        found = next(iter(file.values())) if inner is None else file[inner]
        if not isinstance(found, h5py.Dataset) or found.ndim not in (2, 3):
            raise NotComparable("no dataset of two or three dimensions")
        check_size(found.shape, found.dtype)
        axes, pixels, _ = arrange("zyx"[-found.ndim :], np.asarray(found))
        sizes = found.attrs.get("element_size_um")
    scale = {} if sizes is None else dict(zip(axes, map(float, sizes), strict=True))
    return Seen("h5py", axes, pixels, scale, dict.fromkeys(scale, "µm"), guessed=True)
