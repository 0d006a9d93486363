"""Read the images of benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_s1omni.storage.source import open_source


def read_image(path: Path) -> NDArray[Any]:
    """Read an image as (y, x) or (z, y, x); only the first time point and channel.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    source = open_source(str(path))
    spec = source.spec
    pixels = source.read(
        [slice(0, n) if a in "zyx" else slice(0, 1) for a, n in zip(spec.axes, spec.shape, strict=True)]
    )
    return pixels.squeeze(tuple(i for i, a in enumerate(spec.axes) if a not in "zyx"))
