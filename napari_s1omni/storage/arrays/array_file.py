"""The file that an array of another program came from, and which image of it the array shows.

Plugins and libraries keep the path in many places: an attribute of the array, what a task of dask calls, the object
behind it. Wherever it is, the pixels are compared with the file before it is read instead.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.paths import join_reference, split_reference
from napari_s1omni.errors import S1OmniError
from napari_s1omni.storage.chunk_sample import sample_chunks, shrink_box
from napari_s1omni.storage.listing.image_headers import image_names
from napari_s1omni.storage.readers.formats import format_of
from napari_s1omni.storage.readers.registry import is_tiff
from napari_s1omni.storage.source import Source

_ATTRIBUTES = ("path", "_path", "filename", "_filename", "filepath", "_filepath", "filehandle", "__self__", "func")
_KEYS = ("filepath", "filename", "path", "source", "file")
"""Keys of the attributes of xarray under which readers keep a path."""
_LOOKED_AT = 300
"""Objects that are looked at."""
_MOST_COMPARED = 64 * 2**20
"""Bytes of a chunk of dask above which nothing is computed to compare it."""
_BOXES = 4
_BOX_BYTES = 2**18


def array_file(array: Any) -> str | None:
    """Return the path of the file that an array came from, if the array still knows it."""
    if isinstance(array, list | tuple) and array:
        array = array[0]
    try:
        return next((path for found in islice(_objects(array), _LOOKED_AT) if (path := _image_path(found))), None)
    except Exception:  # an unknown library: the pixels are copied
        return None


def references_in(path: str) -> list[str]:
    """Return a reference to each image of a file of several; the path itself for any other file."""
    file, chosen = split_reference(path)
    if chosen is not None:
        return [path]
    try:
        names = image_names(file)
    except (S1OmniError, OSError):
        return [path]
    return [path] if names is None or len(names) < 2 else [join_reference(file, name) for name in names]


def has_own_format(path: str) -> bool:
    """Whether a file is of a format whose files may hold several images, so that a path alone does not say which."""
    file, _ = split_reference(path)
    return format_of(file) is not None or len(references_in(path)) > 1


def shows_pixels(array: Any, axes: str, source: Source, channel: int | None = None) -> bool:
    """Whether an array has the pixels of a source, as far as a few boxes of both are compared.

    Parameters
    ----------
    array : array-like
    axes : str
        Letter of each dimension; ``s`` stands for c. Letters that the source does not have are of 1 px.
    source : Source
    channel : int, optional
        The channel of the source that the array shows, if it has no axis c.
    """
    spec = source.spec
    if _bytes_of_chunk(array) > _MOST_COMPARED:
        return False
    letters = axes.replace("s", "c")
    for box in sample_chunks(spec, source.chunks, _BOXES):
        part = dict(zip(spec.axes, shrink_box(spec, box, _BOX_BYTES), strict=True))
        if channel is not None:
            part["c"] = slice(channel, channel + 1)
        mine = np.asarray(array[tuple(part.get(a, slice(0, 1)) for a in letters)])
        stored = source.read(tuple(part[a] for a in spec.axes))
        if not _equal(mine, stored, letters, spec.axes):
            return False
    return True


def _equal(mine: NDArray[Any], stored: NDArray[Any], letters: str, axes: Sequence[str]) -> bool:
    """Whether two boxes are equal; axes that only one of them has are of 1 px."""
    if any(n > 1 for a, n in zip(axes, stored.shape, strict=True) if a not in letters):
        return False
    shared = [a for a in letters if a in axes]
    stored = stored.reshape([n for a, n in zip(axes, stored.shape, strict=True) if a in shared])
    order = [a for a in axes if a in shared]
    stored = stored.transpose([order.index(a) for a in shared])
    mine = mine.reshape([n for a, n in zip(letters, mine.shape, strict=True) if a in shared])
    return mine.shape == stored.shape and np.array_equal(mine, stored, equal_nan=mine.dtype.kind == "f")


def _bytes_of_chunk(array: Any) -> int:
    chunks = getattr(array, "chunks", None)
    if not hasattr(array, "dask") or not chunks:
        return 0
    return math.prod(int(max(sizes)) for sizes in chunks) * int(np.dtype(array.dtype).itemsize)


def _image_path(found: Any) -> str | None:
    if not isinstance(found, str | os.PathLike):
        return None
    path = os.fspath(found)
    if not isinstance(path, str) or not 3 < len(path) < 4096 or not os.path.exists(path):
        return None
    return os.path.abspath(path) if format_of(path) is not None or is_tiff(path) else None


def _objects(array: Any) -> Iterator[Any]:
    """Yield what an array holds that may be a path, or may know one: its own attributes first."""
    waiting: list[Any] = [array]
    seen: set[int] = set()
    for depth in range(6):
        inside: list[Any] = []
        for found in waiting:
            if id(found) in seen or isinstance(found, np.ndarray | int | float | bytes | type(None)):
                continue
            seen.add(id(found))
            yield found
            if not isinstance(found, str):
                inside += _parts(found, depth)
        waiting = inside


def _parts(found: Any, depth: int) -> Iterator[Any]:
    if isinstance(found, list | tuple | set):
        yield from islice(found, 32)
        return
    if isinstance(found, Mapping):
        yield from islice((value for value in found.values()), 32) if depth else ()
        return
    for names in (getattr(found, "attrs", None), getattr(found, "encoding", None)):
        if isinstance(names, Mapping):
            yield from (names[key] for key in _KEYS if key in names)
    for name in _ATTRIBUTES:
        value = getattr(found, name, None)
        if value is not None:
            yield value
    if hasattr(found, "dask") and hasattr(found, "chunks"):
        yield getattr(found, "_context", None)
        for layer in getattr(found.dask, "layers", {}).values():
            yield from _of_layer(layer)
    variable = getattr(found, "variable", None)
    yield getattr(variable, "_data", None)
    for name in ("args", "kwargs", "keywords", "value"):
        value = getattr(found, name, None)
        if isinstance(value, list | tuple):
            yield from islice(value, 32)
        elif isinstance(value, Mapping):
            yield from islice(value.values(), 32)
        elif value is not None and not callable(value):
            yield value


def _of_layer(layer: Any) -> Iterator[Any]:
    """Yield what a layer of a graph of dask calls, without making the tasks of all its chunks."""
    task = getattr(layer, "task", None)
    if task is not None:
        yield task
        yield from (value for value, _ in getattr(layer, "indices", ()))
        yield from getattr(layer, "io_deps", {}).values()
    elif isinstance(mapping := getattr(layer, "mapping", layer), dict):
        yield from islice(mapping.values(), 4)
