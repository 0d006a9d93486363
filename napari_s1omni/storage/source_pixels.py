"""Read pixels of a RawImage in the order of the axes, and check what is asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.axis_order import AxisOrder
from napari_s1omni.storage.readers.raw_image import RawImage


def read_ordered(raw: RawImage, order: AxisOrder, box: tuple[slice, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Read a box along the axes of `order`, as a copy in native byte order."""
    found = order.canonical(np.asarray(raw.pixels[order.stored_box(box)]))
    if getattr(raw.pixels, "fresh", False) and found.flags.writeable:
        return np.ascontiguousarray(found, dtype)
    return np.array(found, dtype=dtype, order="C", copy=True)


def read_with_alpha(
    raw: RawImage, order: AxisOrder, box: tuple[slice, ...], dtype: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read colours and transparency, (...) without c, at once: both lie in the same chunks."""
    assert order.alpha is not None
    dimension, at = order.alpha
    index = list(order.stored_box(box))
    colours = index[dimension]
    index[dimension] = slice(0, at + 1)
    found = np.asarray(raw.pixels[tuple(index)])
    before = (slice(None),) * dimension
    pixels = order.canonical(found[(*before, colours)])
    alpha = order.canonical(found[(*before, slice(at, at + 1))])
    if "c" in order.axes:
        alpha = alpha.squeeze(order.axes.index("c"))
    return np.array(pixels, dtype=dtype, order="C", copy=True), alpha


def full_box(box: Sequence[slice] | None, spec: LayerSpec) -> tuple[slice, ...]:
    """Fill in the open ends of a box, or refuse it."""
    if box is None:
        return tuple(slice(0, n) for n in spec.shape)
    filled = []
    inside = len(box) == len(spec.shape)
    # A window takes 40 microseconds in a mapped file, so this counts.
    for part, n in zip(box, spec.shape, strict=False):
        start, stop = part.start or 0, n if part.stop is None else part.stop
        inside = inside and part.step in (None, 1) and 0 <= start < stop <= n
        filled.append(slice(start, stop))
    if not inside:
        shown = ", ".join(f"{part.start}:{part.stop}" for part in box)
        raise SourceError(
            f"box [{shown}] of {spec.source or 'the image'}, whose shape is {spec.shape}",
            "a box is one slice of step 1 per axis, not empty and inside the image",
        )
    return tuple(filled)


def pixel_type(dtype: np.dtype[Any], name: str) -> np.dtype[Any]:
    """Return the native type that pixels are read as, or refuse the stored one."""
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind in "iu" or (dtype.kind == "f" and dtype.itemsize <= 8):
        return dtype.newbyteorder("=")
    remedy = "convert it to one of these, for example with astype('float32')"
    if dtype.names:
        remedy = f"choose one of its fields, such as array[{dtype.names[0]!r}]"
    elif dtype.kind == "c":
        remedy = "save its real part, magnitude or phase as an image"
    raise SourceError(
        f"pixel type {dtype} of {name}",
        "pixels are integers of 8 to 64 bits, floats of 16 to 64 bits, or booleans",
        remedy,
        dtype=str(dtype),
    )
