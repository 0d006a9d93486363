"""Where the pixels of an array are stored, so that any process reads them there and nobody copies them.

Arrays of zarr, dask, xarray and tifffile are recognised by what they hold; none of these libraries is imported.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_s1omni.errors import S1OmniError
from napari_s1omni.planning.job import SourceRef
from napari_s1omni.storage.arrays.array_file import array_file, references_in
from napari_s1omni.storage.arrays.memory_map import memory_map_uri
from napari_s1omni.storage.chunk_sample import sample_chunks, shrink_box
from napari_s1omni.storage.source import Source, open_reference

_PASSED_ON = ("ImplicitToExplicitIndexingAdapter", "CopyOnWriteArray", "MemoryCachedArray", "ZarrArrayWrapper")
"""Classes of xarray that hold an array and change nothing in it."""
_GETTERS = ("getter", "getter_inline", "getter_nofancy")
"""Functions with which dask cuts its chunks out of an array."""
_PROTOCOLS = ("http", "https", "s3", "s3a", "gs", "gcs", "az", "abfs", "file", "local")
"""Protocols of addresses at which any process finds the same pixels."""
_COMPARED = 4
"""Boxes of pixels that are compared with what is stored."""
_COMPARED_BYTES = 2**18
"""Most bytes of such a box."""


def locate_pixels(ref: SourceRef, array: Any) -> tuple[SourceRef, Any, Source]:
    """Open the source of a job; an array that is stored is opened where it lies.

    Parameters
    ----------
    ref : SourceRef
    array : array-like or None
        The pixels that `ref` describes, if the user gave an array.

    Returns
    -------
    (SourceRef, array or None, Source)
        The reference and the array of the job from now on: None instead of an array whose pixels any process can read.

    Raises
    ------
    SourceError
        If it cannot be opened.
    """
    source = open_reference(ref, array)
    stored = None if array is None else stored_reference(ref, array, source)
    return (ref, array, source) if stored is None else (stored, None, open_reference(stored))


def stored_reference(ref: SourceRef, array: Any, source: Source) -> SourceRef | None:
    """Return a reference by which any process reads the pixels of an array where they are stored.

    Parameters
    ----------
    ref : SourceRef
        How the job describes the array.
    array : array-like, or a list of levels
    source : Source
        The array, opened with this reference.

    Returns
    -------
    SourceRef or None
        None if they are stored nowhere, or not with these axes, sizes, names and position. A few pixels are compared.
    """
    uri = source.spec.source or array_origin(array)
    if uri is None:
        return _image_in_file(ref, array, source)
    axes = source.stored_axes
    named = ref.replace(uri=uri)
    sizes = tuple(source.spec.scale_of(a) for a in axes)
    units = tuple(source.spec.unit_of(a) or "pixel" for a in axes)
    full = named if source.spec.rgb else named.replace(axes=axes, scale=sizes, units=units)
    for tried in dict.fromkeys((named, full)):
        try:
            if _is_same(source, open_reference(tried)):
                return tried
        except (S1OmniError, OSError):
            continue
    return None


def stored_note(source: Source) -> str:
    """Say where an array is read from; no copy of it is made."""
    return f"the array is read from {source.spec.source}, where it is stored"


def _image_in_file(ref: SourceRef, array: Any, source: Source) -> SourceRef | None:
    """Return the image of a file that an array of another program shows: axes, sizes and pixels agree."""
    file = array_file(array)
    for place in references_in(file) if file is not None else ():
        named = SourceRef(uri=place)
        try:
            stored = open_reference(named)
            if (stored.spec.axes, stored.spec.shape) != (source.spec.axes, source.spec.shape):
                continue
            if ref.scale is not None or ref.units is not None:
                # What the user says of the array comes before what its file says.
                axes = stored.stored_axes
                sizes = tuple(source.spec.scale_of(a) for a in axes)
                named = named.replace(scale=sizes, units=tuple(source.spec.unit_of(a) or "pixel" for a in axes))
            if has_equal_pixels(source, stored):
                return named
        except (S1OmniError, OSError):
            continue
    return None


def array_origin(array: Any) -> str | None:
    """Return the path or URL at which an array is stored; None if it lies in memory or is computed."""
    if isinstance(array, list | tuple) and array:
        array = array[0]
    try:
        shape, dtype = tuple(array.shape), np.dtype(array.dtype)
        while (inside := _inside(array)) is not None:
            if tuple(inside.shape) != shape or np.dtype(inside.dtype) != dtype:
                return None
            array = inside
        return _place(array) if hasattr(array, "store") else memory_map_uri(array)
    except Exception:  # an unknown library, or another version of it: the pixels are copied
        return None


def _inside(array: Any) -> Any:
    """Return the array that another one only passes on; None if it is no such array."""
    if hasattr(array, "dask") and hasattr(array, "chunks"):
        return _inside_dask(array)
    variable = getattr(array, "variable", None)
    if variable is not None and hasattr(array, "dims"):
        return getattr(variable, "_data", None)
    if type(array).__module__.startswith("xarray."):
        kind = type(array).__name__
        whole = kind == "LazilyIndexedArray" and all(part == slice(None) for part in array.key.tuple)
        if whole or kind in _PASSED_ON:
            return getattr(array, "array", None) if hasattr(array, "array") else getattr(array, "_array", None)
    return None


def _inside_dask(array: Any) -> Any:
    """Return the array that a dask array cuts into chunks; None if dask computes anything."""
    layers = dict(array.dask.layers)
    layer = layers.pop(array.name, None)
    task = getattr(layer, "task", None)
    if layer is None or task is None or getattr(task.func, "__name__", "") not in _GETTERS:
        return None
    shape = tuple(array.shape)
    originals = [value for other in layers.values() for value in _values(other)]
    if len(layers) > 1 or len(originals) > 1:
        return None
    given = (*originals, *(value for value, _ in layer.indices))
    found = [value for value in given if tuple(getattr(value, "shape", ())) == shape]
    return found[0] if len(found) == 1 else None


def _values(layer: Any) -> Iterator[Any]:
    """Yield what a layer of a graph holds; dask wraps plain values."""
    for value in layer.values():
        yield getattr(value, "value", value)


def _place(node: Any) -> str | None:
    """Return the path or URL of a zarr array."""
    store, inner = node.store, str(node.path).strip("/")
    root = getattr(store, "root", None)
    if isinstance(root, Path):
        return str((root / inner).absolute())
    if type(store).__module__.startswith("tifffile"):
        return _place_in_tiff(store, inner)
    files, path = getattr(store, "fs", None), str(getattr(store, "path", ""))
    protocol = getattr(files, "protocol", None)
    names = (protocol,) if isinstance(protocol, str) else tuple(protocol or ())
    if files is None or not names or names[0] not in _PROTOCOLS:
        return None
    return str(files.unstrip_protocol("/".join(part for part in (path.rstrip("/"), inner) if part)))


def _place_in_tiff(store: Any, level: str) -> str | None:
    """Return the path of a TIFF, and the number of the image in it after ``#``."""
    series = store._data[0]  # noqa: SLF001 (the store does not name its file otherwise)
    path = str(series.parent.filehandle.path)
    if level not in ("", "0") or not os.path.isfile(path):
        return None
    number = series.parent.series.index(series)
    return f"{path}#{number}" if number else path


def _is_same(source: Source, stored: Source) -> bool:
    """Whether two sources have the same axes, sizes, names and position, and pixels as far as a few are compared."""
    same = stored.spec.replace(source=None) == source.spec.replace(source=None)
    return same and has_equal_pixels(source, stored)


def has_equal_pixels(source: Source, stored: Source) -> bool:
    """Whether two sources of the same axes and shape have the same pixels, as far as a few are compared."""
    for box in sample_chunks(source.spec, source.chunks, _COMPARED):
        part = shrink_box(source.spec, box, _COMPARED_BYTES)
        if not np.array_equal(source.read(part), stored.read(part), equal_nan=source.spec.np_dtype.kind == "f"):
            return False
    return True
