"""Seen: an image as one reader sees it, in a form that two readers can be compared in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 256 * 2**20
"""Bytes up to which a reference reader loads an image as a whole."""
_AXES = "tczyx"


class NotComparable(Exception):
    """A reference reader does not read this image, or not as an image with the axes t, c, z, y and x."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Pixels and metadata. A key that a mapping lacks, and names that are None, are not compared."""

    reader: str
    """Who sees it so, for messages."""
    axes: str
    """Letters of ``t c z y x`` in this order."""
    pixels: NDArray[Any]
    """In the order of `axes`."""
    scale: Mapping[str, float] = field(default_factory=dict)
    """Pixel size per axis in `units`."""
    units: Mapping[str, str | None] = field(default_factory=dict)
    """Unit per axis as it is spelled; None where the file gives none."""
    position: Mapping[str, float] = field(default_factory=dict)
    """World position of the centre of the first pixel per axis, in `units`."""
    names: tuple[str, ...] | None = None
    """Names of the channels; empty where the file gives none."""
    guessed: bool = False
    """Whether the file leaves open which axes these are."""
    images: int = 1
    """Number of images in the file; this is the first."""

    @property
    def sizes(self) -> dict[str, int]:
        """Pixels per axis, without axes of one pixel beside y and x."""
        pairs = zip(self.axes, self.pixels.shape, strict=True)
        return {a: n for a, n in pairs if n > 1 or a in "yx"}

    def squeezed(self) -> NDArray[Any]:
        """Return the pixels along the axes of `sizes`."""
        return self.pixels.reshape(tuple(self.sizes.values()))


def check_size(shape: Sequence[int], dtype: Any) -> None:
    """Refuse to load more than :data:`LARGEST` bytes."""
    if math.prod(shape) * np.dtype(dtype).itemsize > LARGEST:
        raise NotComparable(f"shape {tuple(shape)} is too large to be loaded")


def arrange(letters: str, pixels: NDArray[Any]) -> tuple[str, NDArray[Any], bool]:
    """Bring stored dimensions to the order ``t c z y x``.

    Parameters
    ----------
    letters : str
        One letter per stored dimension; ``s`` is colour samples, ``?`` an axis that the file does not name.
    pixels : ndarray

    Returns
    -------
    (axes, pixels, guessed)
        Axes without a name become z, t and c; `guessed` says whether one of them has more than one pixel.
    """
    sizes = pixels.shape
    keep = [d for d, n in enumerate(sizes) if n > 1 or letters[d] in _AXES or letters[d] == "?"]
    named = [letters[d] for d in keep]
    if "s" in named:
        if "c" in named and sizes[keep[named.index("c")]] == 1:
            keep.remove(keep[named.index("c")])
            named.remove("c")
        named = ["c" if a == "s" else a for a in named]
    guessed = any(a == "?" and sizes[d] > 1 for a, d in zip(named, keep, strict=True))
    # The last axes without a name are y and x, as in every array of images.
    for i in reversed(range(len(named))):
        if named[i] == "?":
            named[i] = next((a for a in "xyztc" if a not in named), "?")
    if len(set(named)) != len(named) or not set(named) <= set(_AXES) or not {"y", "x"} <= set(named):
        raise NotComparable(f"axes '{letters}'")
    order = sorted(range(len(named)), key=lambda i: _AXES.index(named[i]))
    stored = pixels.reshape([sizes[d] for d in keep])
    return "".join(named[i] for i in order), stored.transpose(order), guessed
