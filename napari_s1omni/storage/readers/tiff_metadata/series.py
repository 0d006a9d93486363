"""Open a TIFF, and choose which of its images is read."""

from __future__ import annotations

import logging
import math
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_s1omni.core.paths import join_reference, name_in
from napari_s1omni.errors import SeveralImages, SourceError
from napari_s1omni.storage.readers.tiff_metadata.colours import PALETTE
from napari_s1omni.storage.readers.tiff_metadata.ome_xml import companion_xml, stored_utf16

_SIDE_IMAGE = re.compile(r"label|macro|thumb|overview|slide image", re.I)
"""Names of pictures of the slide, in files of slide scanners."""
_UNKNOWN = set("qi?")
"""Letters of tifffile for a dimension without a meaning."""
_SMALL = 4
"""Times that the main image has more pixels than a picture beside it, in files of unknown programs."""
_ONE_MAIN = ("svs", "scn", "bif", "qpi", "philips", "ndpi", "lsm", "avs")
"""Kinds of series in files that hold one image, and pictures of the slide or thumbnails."""
_MOST_SHOWN = 6
_MOST_WARNINGS = 5
_DAMAGED = re.compile(
    r"invalid (offset to page|page offset|value offset|valueoffset|next page|circular reference)|corrupted"
)
"""What tifffile says of pages and tags that lie behind the end of the file, or are damaged."""
_UNDESCRIBED = "invalid shaped series metadata or corrupted file"
"""What tifffile says of a page without a description of its own, as the coarser levels of its own pyramids are."""
_HEADER = 8
"""Bytes at the beginning of each TIFF that are no pixels."""
_LARGE = 2**28
"""Bytes of a strip or tile above which its size is compared with what is stored of it."""
_MOST_COMPRESSED = 10_000
"""Times that a strip or tile may be larger than what is stored of it; 1,032 is the most with Deflate."""
_REPR = re.compile(r"<tifffile[^>]*>,?\s*")


def open_tiff(path: Path | str, notes: list[str], remote: Any = None) -> Any:
    """Open a TIFF with its OME-XML, wherever that is; add a note where it cannot be found.

    Parameters
    ----------
    path : Path or str
        Path, or URL if it is remote.
    notes : list of str
        Notes are added here.
    remote : binary file, optional
        The open file behind a URL.
    """

    def opened(**options: Any) -> Any:
        if remote is not None:
            # tifffile takes the position of an open file for the beginning of the TIFF.
            remote.seek(0)
        return tifffile.TiffFile(path if remote is None else remote, **options)

    tiff = opened()
    try:
        # Counting finds a list of pages that runs in a circle, which iterating would follow forever.
        len(tiff.pages)
        xml = None if tiff.is_ome else stored_utf16(tiff)
        if tiff.is_ome:
            xml = companion_xml(tiff, Path(path), notes)
        if xml is None:
            return tiff
        tiff.close()
        return opened(omexml=xml)
    except BaseException:
        tiff.close()
        raise


def choose_series(tiff: Any, path: Path | str, wanted: str | None, notes: list[str]) -> Any:
    """Return the series to read: the one that was asked for, or the main image; note which others there are.

    Parameters
    ----------
    tiff : tifffile.TiffFile
    path : Path or str
        The file, for messages.
    wanted : str or None
        Name or number of a series. None: the only one that is no picture of the slide and no reduced copy.

    Raises
    ------
    SourceError
        If there is no image, or none of that name.
    SeveralImages
        If none was asked for, and there are several.
    """
    found = images_in(tiff, path)
    images = "; ".join(_shown(*each) for each in found[:_MOST_SHOWN])
    images += f"; and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
    if wanted is not None:
        # An exact name comes before a number.
        for series in (*(s for _, s in found if s.name == wanted), *(s for number, s in found if number == wanted)):
            return series
        raise SourceError(
            f"image '{wanted}' of {path}",
            f"it holds {images}",
            f"give a number, such as {join_reference(name_in(str(path)), found[0][0])}",
        )
    main = main_images(found)
    if len(main) > 1:
        raise SeveralImages(
            f"{path} holds {len(main)} images: {images}",
            "this needs one image",
            f"choose one by its number or name, such as {join_reference(name_in(str(path)), main[0][0])}",
            path=str(path),
            images=[series.name or number for number, series in main],
        )
    chosen, series = main[0]
    empty = len(tiff.series) - len(found)
    if empty:
        notes.append(
            f"image {chosen} of the {len(tiff.series)} in the file is read; {empty} without pixels cannot be, which "
            "may be damage"
        )
    # The thumbnails of an LSM repeat the image.
    if len(found) > 1 and series.kind != "lsm":
        other = next(number for number, _ in found if number != chosen)
        notes.append(
            f"image {chosen} of the {len(found)} in the file is read ({images}); "
            f"to read another, add its number: {join_reference(name_in(str(path)), other)}"
        )
    return series


def images_in(tiff: Any, path: Path | str) -> list[tuple[str, Any]]:
    """Return number and series of each image that has pixels.

    Raises
    ------
    SourceError
        If there is none.
    """
    found = [(str(i), series) for i, series in enumerate(tiff.series) if math.prod(series.shape) > 0]
    if not found:
        raise SourceError(f"{path} holds no image", "a TIFF holds an image of at least 1 pixel", path=str(path))
    return found


def main_images(found: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return the images that are no label, overview, thumbnail or reduced copy beside another.

    Parameters
    ----------
    found : sequence of (str, tifffile.TiffPageSeries)
        All images of a file.
    """
    main = [each for each in found if not _SIDE_IMAGE.search(each[1].name or "")] or list(found)
    kind = found[0][1].kind
    if kind == "ome":
        return main
    largest = max(main, key=lambda each: (not each[1].keyframe.is_reduced, math.prod(each[1].shape)))
    if kind in _ONE_MAIN or largest[1].parent.is_ndpi:
        return [largest]
    pixels = math.prod(largest[1].shape)
    return [e for e in main if not e[1].keyframe.is_reduced and _SMALL * math.prod(e[1].shape) > pixels] or [largest]


def series_axes(series: Any, notes: list[str]) -> str | None:
    """Return the axis letters of a series in small letters; None for pages without axis metadata. Guesses are noted."""
    letters: str = series.axes.lower()
    if "s" in letters[:-1] and "c" not in letters and series.dtype != np.uint8:
        # Some programs write any three planes as colours.
        notes.append("colour samples in separate planes with more than 8 bits are read as channels")
        letters = letters.replace("s", "c")
    unknown = [letter for letter in letters if letter in _UNKNOWN]
    dimensions = len(letters) + (int(series.keyframe.photometric) == PALETTE)
    if len(unknown) == 1 and dimensions > 3:
        taken = next((axis for axis in "zt" if axis not in letters), unknown[0])
        notes.append(f"nothing says what the pages are; they are taken as axis {taken} (give axes if this is wrong)")
        return letters.replace(unknown[0], taken)
    return None if unknown else letters


def check_complete(tiff: Any, series: Any, path: Path | str, warnings: list[str]) -> None:
    """Refuse a file that ends before its pixels do.

    Parameters
    ----------
    tiff : tifffile.TiffFile
    series : tifffile.TiffPageSeries
    path : Path or str
        The file, for messages.
    warnings : list of str
        Those of tifffile; one that says nothing about the image is removed.

    Raises
    ------
    SourceError
        If pixels are missing, or a strip or tile claims to be larger than it can be.
    """
    if tiff.pages.first.subifds:
        warnings[:] = [text for text in warnings if text != _UNDESCRIBED]
    size = tiff.filehandle.size
    imagej = tiff.imagej_metadata if tiff.is_imagej else None
    planes = int(imagej.get("images", 1)) if imagej else 1
    cut = any(_DAMAGED.search(text) for text in warnings)
    cut = cut or (imagej is not None and series.kind != "imagej" and planes > len(tiff.pages))
    if series.dataoffset is not None:
        cut = cut or not _HEADER <= series.dataoffset <= size - series.nbytes
    elif not series.is_multifile:
        cut = cut or any(page is not None and _lacks_bytes(page, size) for page in series.pages)
    if cut:
        raise SourceError(
            f"{path} is damaged or ends before its pixels do, after {size:,} bytes",
            "a TIFF is read as a whole or not at all",
            "copy the file again",
            path=str(path),
        )


def _lacks_bytes(page: Any, size: int) -> bool:
    """Whether strips or tiles of a page lie outside the file, or are larger than their bytes can be."""
    stored = [(offset, n) for offset, n in zip(page.dataoffsets, page.databytecounts, strict=False) if n]
    if any(not _HEADER <= offset < size or n > size for offset, n in stored):
        return True
    decoded = math.prod(page.keyframe.chunks) * page.keyframe.dtype.itemsize
    return bool(stored) and decoded > max(_LARGE, _MOST_COMPRESSED * max(n for _, n in stored))


@contextmanager
def noted_warnings(notes: list[str]) -> Iterator[list[str]]:
    """Turn what tifffile only logs, such as missing planes, into notes; yield them as they come."""
    handler = _Warnings()
    logger = logging.getLogger("tifffile")
    logger.addHandler(handler)
    try:
        yield handler.texts
    finally:
        logger.removeHandler(handler)
        notes.extend(f"tifffile: {text}" for text in list(dict.fromkeys(handler.texts))[:_MOST_WARNINGS])


class _Warnings(logging.Handler):
    """Keeps the warnings of one thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        # Dates are not used here.
        if record.thread == self._thread and "Datetime" not in record.getMessage():
            self.texts.append(" ".join(_REPR.sub("", record.getMessage()).split()))


def _shown(number: str, series: Any) -> str:
    name = f" '{series.name}'" if series.name else ""
    return f"{number}{name}: {' x '.join(str(n) for n in series.shape)} px"
