"""What is in a file: a header of each image, for files of one image and of many, without reading a pixel."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_s1omni.core.acquisition import Channel
from napari_s1omni.core.image_references import ImageChoice, reference_stem, with_image
from napari_s1omni.core.paths import is_url, join_reference, name_in, split_reference
from napari_s1omni.core.units import unit_name
from napari_s1omni.errors import S1OmniError, SourceError
from napari_s1omni.storage.files.remote import local_copy
from napari_s1omni.storage.readers.axis_order import order_axes
from napari_s1omni.storage.readers.file_format import ImageHeader
from napari_s1omni.storage.readers.formats import format_of
from napari_s1omni.storage.readers.image_files import choose_image, list_file
from napari_s1omni.storage.readers.raw_image import RawImage
from napari_s1omni.storage.readers.registry import file_endings, is_tiff, read_raw
from napari_s1omni.storage.readers.zarr_nodes.members import Members, members_of

_EDGE = 512
"""Edge in pixels of the window whose reading is timed."""
_MOST_DECODED = 64 * 2**20
"""Bytes that are decoded at most to time a window."""


def list_images(source: Any, *, image: ImageChoice | None = None) -> tuple[ImageHeader, ...]:
    """List the images of a file, or of anything that can be opened, without reading a pixel.

    Parameters
    ----------
    source : str, Path or array
        A file or folder, perhaps with ``::NAME`` or ``::INDEX`` behind it; or an array.
    image : str or int, optional
        Name or number of one image: only that is listed.

    Returns
    -------
    tuple of ImageHeader
        In the order of the file; their names choose an image everywhere.

    Raises
    ------
    SourceError
        If it cannot be read, or has no such image.

    Examples
    --------
    >>> import napari_s1omni
    >>> [header] = napari_s1omni.list_images("synthetic://nuclei?shape=200,300")
    >>> header.axes, header.shape
    ('yx', (200, 300))
    """
    if not isinstance(source, str | os.PathLike):
        return (header_of(read_raw(source, level=0), "array"),)
    file, chosen = split_reference(with_image(source, image))
    headers = _of_several(file)
    if headers is None:
        return (header_of(read_raw(join_reference(file, chosen), level=0), reference_stem(file)),)
    return headers if chosen is None else (headers[choose_image(headers, chosen, file)],)


def holds_several(source: str | os.PathLike[str]) -> bool:
    """Whether a file holds several images and none is chosen; False also where it cannot be read."""
    try:
        file, chosen = split_reference(with_image(source, None))
        return chosen is None and len(image_names(file) or ()) > 1
    except (S1OmniError, OSError):
        return False


def image_names(file: str) -> tuple[str, ...] | None:
    """Return the names of the images of a file that may hold several, without labels and thumbnails of slides.

    None for a file of another kind.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    if (found := _members(file)) is not None:
        return found.names
    headers = _of_several(file)
    return None if headers is None else tuple(header.name for header in headers if header.main)


def moved_reference(old: str, new: str) -> str:
    """Return the reference to an image in a file that was moved: the image that the old reference names.

    Parameters
    ----------
    old : str
        Reference whose file may not be there any more.
    new : str
        Path or URL of the file now, with or without an image.
    """
    file, chosen = split_reference(with_image(new, None))
    if chosen is not None or "::" not in old or not holds_several(file):
        return join_reference(file, chosen)
    named = [name for name in image_names(file) or () if old.endswith(f"::{name}")]
    return join_reference(file, max(named, key=len, default=None))


def header_of(raw: RawImage, name: str) -> ImageHeader:
    """Describe an image that was opened."""
    shape = tuple(int(n) for n in raw.pixels.shape)
    axes = raw.axes or _guessed(raw, shape)
    units = {axis: unit_name(unit) for axis, unit in raw.units.items()}
    known = [axis not in "cs?" for axis in axes]
    return ImageHeader(
        name=name,
        axes=axes,
        shape=shape,
        dtype=raw.pixels.dtype.newbyteorder("=").name,
        scale=tuple(raw.scale.get(a) if is_known else None for a, is_known in zip(axes, known, strict=True)),
        units=tuple(units.get(a) if is_known else None for a, is_known in zip(axes, known, strict=True)),
        channels=raw.acquisition.channels or tuple(Channel(name=name) for name in raw.channel_names),
        levels=1 + len(raw.coarser),
    )


def seconds_of_window(raw: RawImage) -> float | None:
    """Return how long a window of 512 x 512 pixels in the middle of an image takes to be read.

    None if much more than the window must be decoded for it.
    """
    shape = raw.pixels.shape
    axes = raw.axes or _guessed(raw, shape)
    box = tuple(
        slice((n - min(n, _EDGE)) // 2, (n + min(n, _EDGE)) // 2)
        if axis in "yx"
        else slice(0, n)
        if axis == "s"
        else slice(n // 2, n // 2 + 1)
        for axis, n in zip(axes, shape, strict=True)
    )
    chunks = [-(-part.stop // c) * c - part.start // c * c for part, c in zip(box, raw.chunks, strict=True)]
    if math.prod(chunks) * raw.pixels.dtype.itemsize > _MOST_DECODED:
        return None
    begin = time.perf_counter()
    # A mapped file is read when its pixels are copied.
    np.array(raw.pixels[box])
    return time.perf_counter() - begin


def bytes_on_disk(source: str | os.PathLike[str]) -> int | None:
    """Return the size of a file; None for a folder, whose files are not counted, or behind a URL."""
    file, _ = split_reference(with_image(source, None))
    return os.path.getsize(file) if not is_url(file) and os.path.isfile(file) else None


def _of_several(file: str) -> tuple[ImageHeader, ...] | None:
    """Return the headers of a file of a kind that may hold several images; None for any other."""
    source = format_of(file)
    if source is not None and (is_url(file) or os.path.exists(file)):
        if is_url(file):
            return list_file(source, file if source.reads_urls else local_copy(file))
        return list_file(source, Path(file))
    if is_tiff(file) and os.path.isfile(file):
        return _of_tiff(file)
    found = _members(file)
    return None if found is None else tuple(_of_members(file, found))


def _of_tiff(file: str) -> tuple[ImageHeader, ...] | None:
    from napari_s1omni.storage.readers.tiff_metadata.headers import list_tiff

    try:
        headers = list_tiff(file)
    except Exception:
        # Reading it says what is wrong, and what else the file may be.
        return None
    if len(headers) > 1:
        return headers
    return (replace(headers[0], name=headers[0].name if headers[0].name.strip("0") else reference_stem(file)),)


def _members(file: str) -> Members | None:
    if is_url(file):
        is_group = not file.startswith(("synthetic:", "memmap:")) and not name_in(file).lower().endswith(file_endings())
    else:
        is_group = os.path.isdir(file)
    return members_of(file) if is_group else None


def _of_members(file: str, found: Members) -> Sequence[ImageHeader]:
    """Describe each image; one that cannot be read has no axes, and reading it says why.

    Raises
    ------
    SourceError
        If none can be read, or the place cannot be reached.
    """
    headers, errors = [], []
    for name, path in zip(found.names, found.paths, strict=True):
        try:
            headers.append(replace(header_of(read_raw(f"{file}/{path}", level=0), name), name=name))
        except SourceError as error:
            if error.facts.get("transient"):
                raise
            errors.append(error)
            headers.append(ImageHeader(name, "", (), "", (), ()))
    if errors and len(errors) == len(headers):
        raise errors[0]
    return headers


def _guessed(raw: RawImage, shape: Sequence[int]) -> str:
    """Return the axes that opening the image would guess; ``?`` for a dimension that nobody can name."""
    try:
        order = order_axes("", shape, raw.pixels.dtype, None, None)
    except SourceError:
        return "?" * len(shape)
    letters = ["?"] * len(shape)
    for dimension, axis in zip(order.dimensions, order.axes, strict=True):
        letters[dimension] = "s" if order.rgb and axis == "c" else axis
    return "".join(letters)
