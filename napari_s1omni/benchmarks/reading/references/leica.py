"""LIF, LOF, XLIF and XLEF as liffile reads them; wavelengths are compared as channels."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.benchmarks.reading.seen import NotComparable, Seen, arrange, check_size
from napari_s1omni.core.paths import split_reference

_LETTERS = {"λ": "c", "Λ": "c"}


def read(path: Path) -> Seen:
    """Read the image that is named, or the first."""
    from liffile import LifFile

    name, image = split_reference(str(path))
    with LifFile(name) as file:
        found = _image(file, image)
        letters = "".join(_LETTERS.get(a, a.lower()) for a in found.dims)
        if len(set(letters)) != len(letters) or not {"y", "x"} <= set(letters):
            raise NotComparable(f"axes '{letters}'")
        check_size(found.shape, found.dtype)
        axes, pixels, _ = arrange(letters, found.asarray())
        steps = {a.lower(): abs(float(c[1] - c[0])) for a, c in found.coords.items() if a in "TZYX" and len(c) > 1}
    units: dict[str, str | None] = {a: "s" if a == "t" else "m" for a in steps}
    return Seen("liffile", axes, pixels, steps, units)


def windows(path: Path) -> Callable[[Mapping[str, slice]], NDArray[Any]]:
    """Return a function that reads a box of one plane from the mapped file."""
    from liffile import LifFile

    name, image = split_reference(str(path))
    file = LifFile(name)
    found = _image(file, image)
    letters = [_LETTERS.get(a, a.lower()) for a in found.dims]
    mapped = found.asarray(out="memmap")

    def window(box: Mapping[str, slice]) -> NDArray[Any]:
        return np.array(mapped[tuple(box.get(a, slice(None)) for a in letters)])

    weakref.finalize(window, file.close)
    return window


def _image(file: Any, name: str | None) -> Any:
    if name is None:
        return file.images[0]
    return next((image for image in file.images if image.path == name), None) or file.images[int(name)]
