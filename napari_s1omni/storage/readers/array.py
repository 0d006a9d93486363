"""Read arrays in memory, array-likes such as dask and xarray, and .npy files."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.raw_image import RawImage

_CHUNK = 2**20
"""Pixels of a chunk of an array that has no chunks of its own."""


@dataclass(frozen=True, slots=True)
class _ComputedPixels:
    """An array-like of another library, computed box by box."""

    array: Any
    """The user's object."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        try:
            part = self.array[index]
            return np.asarray(part.compute() if hasattr(part, "compute") else part)
        except Exception as error:
            raise SourceError(
                f"reading {index} of the {type(self.array).__name__} failed: {error}",
                remedy="compute that part yourself to see where it fails",
            ) from error


def read_array(array: Any) -> RawImage:
    """Read the metadata of a numpy array, or of anything with shape, dtype and ``__getitem__``."""
    if isinstance(array, np.ndarray):
        return RawImage(array, None, default_chunks(array.shape))
    if not all(hasattr(array, name) for name in ("shape", "dtype", "__getitem__")):
        raise SourceError(f"a {type(array).__name__}", "a source is a path, or an array with shape, dtype and slices")
    shape = tuple(int(n) for n in array.shape)
    dimensions = getattr(array, "dims", None)
    axes = scale = translate = None
    if dimensions is not None and hasattr(array, "coords"):
        axes = "".join(_letter(str(d)) for d in dimensions)
        scale, translate = _coordinates(array, dimensions, axes)
    chunks = tuple(
        max(c) if isinstance(c, tuple) else int(c) for c in (getattr(array, "chunks", None) or default_chunks(shape))
    )
    pixels = _ComputedPixels(array, shape, np.dtype(array.dtype))
    return RawImage(pixels, axes, chunks, scale or {}, translate or {})


def read_pyramid(levels: Sequence[Any], level: int) -> RawImage:
    """Read the metadata of one level of a pyramid in memory, given finest first as in napari."""
    if not levels or not all(hasattr(array, "shape") for array in levels):
        raise SourceError(
            f"a {type(levels).__name__} of {len(levels)}", "a source is a path, an array, or the levels of a pyramid"
        )
    shapes = [tuple(array.shape) for array in levels]
    for fine, coarse in itertools.pairwise(shapes):
        if len(fine) != len(coarse) or fine == coarse or any(c > f for f, c in zip(fine, coarse, strict=True)):
            raise SourceError(
                f"a {type(levels).__name__} of arrays of shapes {shapes}",
                "each level of a pyramid is smaller than the one before",
                "stack images of one size with numpy.stack, or give one array",
                shapes=shapes,
            )
    if not 0 <= level < len(levels):
        raise SourceError(
            f"level {level} of a pyramid",
            f"it has the levels 0 to {len(levels) - 1}",
            "choose one of them",
            level=level,
        )
    chosen, *coarser = (read_array(array) for array in levels[level:])
    return replace(chosen, coarser=tuple(found.pixels for found in coarser))


def read_npy(path: Path) -> RawImage:
    """Map a .npy file into memory."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise SourceError(
            f"{path} is not a .npy file of numbers: {error}", remedy="write it with numpy.save", path=str(path)
        ) from error
    return RawImage(array, None, default_chunks(array.shape), uri=str(path))


def default_chunks(shape: tuple[int, ...], axes: str = "") -> tuple[int, ...]:
    """Return chunks for an array that has none: squares of at most 1 megapixel along y and x, or the last two axes."""
    edge = math.isqrt(_CHUNK)
    plane = {axes.index(a) for a in "yx" if a in axes} or {len(shape) - 2, len(shape) - 1}
    return tuple(
        max(1, min(n, edge)) if d in plane else n if axes[d : d + 1] == "s" else 1 for d, n in enumerate(shape)
    )


def _letter(dimension: str) -> str:
    """Return the first letter of a dimension name: ``time`` is t. An unknown name keeps its letter."""
    return dimension.lower()[:1] or "?"


def _coordinates(array: Any, dimensions: Any, axes: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return pixel size and position along the evenly spaced numeric coordinates of an xarray."""
    scale, translate = {}, {}
    for dimension, axis in zip(dimensions, axes, strict=True):
        if dimension not in array.coords:
            continue
        values = np.asarray(array.coords[dimension])
        if values.ndim == 1 and values.size > 1 and values.dtype.kind in "iuf":
            steps = np.diff(values.astype(float))
            if steps[0] > 0 and np.allclose(steps, steps[0], rtol=1e-6):
                scale[axis], translate[axis] = float(steps[0]), float(values[0])
    return scale, translate
