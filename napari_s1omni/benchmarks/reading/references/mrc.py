"""MRC as mrcfile reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_s1omni.benchmarks.reading.seen import NotComparable, Seen, arrange, check_size


def read(path: Path) -> Seen:
    """Read a volume; its dimensions are z, y and x, its voxel size is in angstrom."""
    import mrcfile

    with mrcfile.open(path, header_only=True) as file:
        shape = (int(file.header.nz), int(file.header.ny), int(file.header.nx))
    check_size(shape, np.float32)
    with mrcfile.open(path) as file:
        if not file.is_volume():
            raise NotComparable("a stack of images or volumes")
        axes, pixels, _ = arrange("zyx", np.array(file.data))
        scale = {a: float(getattr(file.voxel_size, a)) for a in "zyx"}
    return Seen("mrcfile", axes, pixels, scale, dict.fromkeys(scale, "angstrom"))
