"""ND2 as nd2 reads it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.benchmarks.reading.seen import NotComparable, Seen, arrange, check_size
from napari_s1omni.core.paths import split_reference


def read(path: Path) -> Seen:
    """Read a file with one stage position."""
    import nd2

    name, _ = split_reference(str(path))
    with nd2.ND2File(name) as file:
        if "P" in file.sizes:
            raise NotComparable("several stage positions")
        check_size(file.shape, file.dtype)
        axes, pixels, _ = arrange("".join(file.sizes).lower(), file.asarray())
        size = file.voxel_size()
        names = tuple(channel.channel.name for channel in file.metadata.channels or ())
    scale = {a: float(getattr(size, a)) for a in "zyx" if a in axes}
    # A name without an axis of channels is not comparable.
    return Seen("nd2", axes, pixels, scale, dict.fromkeys(scale, "µm"), names=names if "c" in axes else None)


def windows(path: Path) -> Callable[[Mapping[str, slice]], NDArray[Any]]:
    """Return a function that reads a box of one plane from its frame, with an open file."""
    import nd2

    name, _ = split_reference(str(path))
    file = nd2.ND2File(name)
    outer = {a.lower(): n for a, n in file.sizes.items() if a not in "CYXS"}

    def window(box: Mapping[str, slice]) -> NDArray[Any]:
        number = 0
        for axis, n in outer.items():
            number = number * n + (box[axis].start if axis in box else 0)
        frame = file.read_frame(number)
        part = frame[box["c"]] if "c" in box else frame
        return np.array(part[..., box["y"], box["x"]] if "S" not in file.sizes else part[box["y"], box["x"]])

    weakref.finalize(window, file.close)
    return window
