"""Read arrays in memory, array-likes such as dask and xarray, and .npy files."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.foreign_array import (
    ComputedPixels,
    chunks_of,
    fill_masked,
    is_array,
    is_masked,
    refuse,
    shape_of,
    to_numpy,
    without_unit,
)
from napari_s1omni.storage.readers.labelled_array import axis_metadata
from napari_s1omni.storage.readers.mapped_file import MappedFile
from napari_s1omni.storage.readers.raw_image import RawImage

_CHUNK = 2**20
"""Pixels of a chunk of an array that has no chunks of its own."""
_COLOURS = [("red", "green", "blue"), ("r", "g", "b")]
"""Channel names that together make a colour picture, in lower case."""


def read_array(array: Any) -> RawImage:
    """Read the metadata of an array of any library: its axes, sizes and names as far as it has them.

    Raises
    ------
    SourceError
        If it is no array, its shape is not known, or its library fails.
    """
    try:
        return _read_array(array)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(
            f"the {type(array).__name__} cannot be read ({type(error).__name__}: {error})",
            remedy="open it again, or give it as numpy array",
        ) from error


def _read_array(array: Any) -> RawImage:
    if type(array).__module__.partition(".")[0] == "zarr":
        from napari_s1omni.storage.readers.zarr_nodes.zarr_store import read_zarr_object

        stored = read_zarr_object(array)
        if stored is not None:
            return stored
    if not is_array(array):
        raise refuse(array)
    array, notes = without_unit(array)
    if isinstance(array, np.ma.MaskedArray):
        array, note = fill_masked(array)
        notes += [note] if note else []
    if isinstance(array, np.ndarray):
        # A matrix keeps two dimensions whatever is cut out of it.
        pixels = array if isinstance(array, np.memmap) else np.asarray(array)
        return RawImage(pixels, None, default_chunks(array.shape), notes=tuple(notes))
    if not hasattr(array, "__getitem__") or not hasattr(array, "shape"):
        return _converted(array, notes)
    computed = ComputedPixels.of(array)
    if is_masked(array):
        notes.append(f"masked pixels are read as NaN, as {computed.dtype}")
    found = axis_metadata(array, computed.shape)
    named = found.axes
    axes = named.letters if named else None
    if axes and axes.endswith("c") and tuple(n.lower() for n in found.channel_names) in _COLOURS:
        axes = f"{axes[:-1]}s"
    return RawImage(
        computed,
        axes,
        chunks_of(array, computed.shape) or default_chunks(computed.shape, axes or ""),
        found.scale,
        found.translate,
        found.units,
        found.channel_names,
        notes=(*notes, *found.notes),
        axis_names=named.names if named else (),
    )


def _converted(array: Any, notes: list[str]) -> RawImage:
    """Convert an object that cannot be sliced as a whole."""
    try:
        pixels = to_numpy(array)
    except Exception as error:
        raise refuse(array) from error
    notes.append(f"the {type(array).__name__} is converted to a numpy array as a whole")
    return RawImage(pixels, None, default_chunks(pixels.shape), notes=tuple(notes))


def read_pyramid(levels: Sequence[Any], level: int) -> RawImage:
    """Read the metadata of one level of a pyramid in memory, given finest first as in napari."""
    if isinstance(levels, memoryview):
        return read_array(np.asarray(levels))
    if not levels or not all(is_array(array) for array in levels):
        raise SourceError(
            f"a {type(levels).__name__} of {len(levels)}",
            "a source is a path, an array, or the levels of a pyramid",
            "give one path or array at a time; numbers in lists become an array with numpy.asarray",
        )
    shapes = [shape_of(array) for array in levels]
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
    except OSError:
        raise
    except Exception as error:
        # The header is a piece of Python, and damage to it raises what Python's tokenizer raises.
        raise SourceError(
            f"{path} is not a .npy file of numbers: {error}", remedy="write it with numpy.save", path=str(path)
        ) from error
    pixels = MappedFile.of(path, array) if isinstance(array, np.memmap) else array
    return RawImage(pixels, None, default_chunks(array.shape), uri=str(path))


def default_chunks(shape: tuple[int, ...], axes: str = "") -> tuple[int, ...]:
    """Return chunks for an array that has none: squares of at most 1 megapixel along y and x, or the last two axes."""
    edge = math.isqrt(_CHUNK)
    plane = {axes.index(a) for a in "yx" if a in axes} or {len(shape) - 2, len(shape) - 1}
    return tuple(
        max(1, min(n, edge)) if d in plane else n if axes[d : d + 1] == "s" else 1 for d, n in enumerate(shape)
    )
