"""A .npy file as numpy reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_s1omni.benchmarks.reading.seen import Seen, arrange, check_size


def read(path: Path) -> Seen:
    """Read an array; the file names no axes."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    check_size(array.shape, array.dtype)
    axes, pixels, guessed = arrange("?" * array.ndim, np.asarray(array))
    spatial = axes.replace("c", "")
    guessed = guessed and array.ndim > 2
    return Seen("numpy", axes, pixels, dict.fromkeys(spatial, 1.0), dict.fromkeys(spatial), names=(), guessed=guessed)
