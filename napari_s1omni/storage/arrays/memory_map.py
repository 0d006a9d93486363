"""Pixels of a file without a format, as ``memmap:///folder/name?shape=...&dtype=...&offset=...`` names them.

numpy maps such a file into memory; the address lets any other process do the same.
"""

from __future__ import annotations

import math
import mmap
import os
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.array import default_chunks
from napari_s1omni.storage.readers.raw_image import RawImage

SCHEME = "memmap://"
_WHOLE = {"shape", "dtype", "offset", "strides"}


def memory_map_uri(array: Any) -> str | None:
    """Return the address of an array that numpy maps from a file, or of a part of one; None for any other array."""
    mapped = array
    while isinstance(mapped, np.ndarray) and not isinstance(mapped.base, mmap.mmap):
        mapped = mapped.base
    if not isinstance(mapped, np.memmap) or array.dtype.kind not in "biufc" or min(array.strides, default=0) < 0:
        return None
    path = str(mapped.filename or "")
    # A private map (mode "c") may differ from its file.
    if mapped.mode == "c" or not os.path.isfile(path):
        return None
    offset = mapped.offset + _address(array) - _address(mapped)
    if _is_npy(path, array, offset):
        return path
    facts = {"shape": _join(array.shape), "dtype": array.dtype.str, "offset": str(offset)}
    if not array.flags.c_contiguous:
        facts["strides"] = _join(array.strides)
    return f"{SCHEME}{quote(path)}?{urlencode(facts)}"


def read_memory_map(uri: str) -> RawImage:
    """Map the pixels at an address into memory.

    Raises
    ------
    SourceError
        If the file is missing or too short, or the address is not one of :func:`memory_map_uri`.
    """
    name, _, query = uri.removeprefix(SCHEME).partition("?")
    path, facts = unquote(name), dict(parse_qsl(query))
    try:
        shape, dtype, offset = _split(facts["shape"]), np.dtype(facts["dtype"]), int(facts.get("offset", 0))
        strides = _split(facts["strides"]) if "strides" in facts else None
        if not set(facts) <= _WHOLE or offset < 0 or min(shape, default=0) < 1 or dtype.kind not in "biufc":
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise SourceError(
            f"the address {uri}",
            f"{SCHEME}/folder/name?shape=64,512,512&dtype=<u2&offset=0, with offset and strides in bytes",
            "correct it, or save the array with numpy.save and give that file",
        ) from None
    steps = strides or tuple(int(math.prod(shape[d + 1 :])) * dtype.itemsize for d in range(len(shape)))
    end = offset + sum((n - 1) * step for n, step in zip(shape, steps, strict=True)) + dtype.itemsize
    if not os.path.isfile(path):
        raise SourceError(f"there is nothing at {path}", remedy="check the path", path=path)
    if (size := os.path.getsize(path)) < end:
        raise SourceError(
            f"{path} has {size:,} bytes", f"shape and dtype need {end:,}", "check the file, its shape and its dtype"
        )
    data = np.memmap(path, np.uint8, "r")
    pixels: NDArray[Any] = np.ndarray(shape, dtype, data, offset, steps)
    return RawImage(pixels, None, default_chunks(shape), uri=uri)


def _is_npy(path: str, array: NDArray[Any], offset: int) -> bool:
    """Whether an array is all of a .npy file, which has a reader of its own."""
    if not path.lower().endswith(".npy"):
        return False
    whole = np.load(path, mmap_mode="r", allow_pickle=False)
    same = (whole.shape, whole.dtype, whole.strides) == (array.shape, array.dtype, array.strides)
    return same and whole.offset == offset


def _address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])


def _join(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))


def _split(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))
