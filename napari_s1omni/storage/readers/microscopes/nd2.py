"""Read Nikon ND2 with nd2 (extra ``nd2``): stage positions as images, frame by frame."""

from __future__ import annotations

import itertools
import math
import os
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.file_format import FormatInfo, ImageHeader
from napari_s1omni.storage.readers.microscopes.image_description import ImageDescription
from napari_s1omni.storage.readers.microscopes.nd2_metadata import (
    Nd2Metadata,
    position_names,
    read_metadata,
    stage_of,
)
from napari_s1omni.storage.readers.raw_image import RawImage

_MAGIC = b"\xda\xce\xbe\n"
_LIST_OF_CHUNKS, _TAIL = b"ND2 CHUNK MAP SIGNATURE 0000001!", 40
"""What begins the last bytes of a file, and how many they are."""
_FRAME = "CYXS"
"""Axes of one frame as nd2 names them."""
_WITHIN = _FRAME.lower()
_ALL = slice(None)


def describe() -> FormatInfo:
    """Describe the format."""
    return FormatInfo("Nikon ND2", (".nd2",), "nd2", "BSD-3-Clause", "nd2")


def list_images(path: Path) -> Sequence[ImageHeader]:
    """List the stage positions of a file; custom loops, for which images have no axis, are taken apart too."""
    file = _OpenNd2(path)
    metadata = read_metadata(file.file)
    return [_described(file, image, metadata).header() for image in _images(path, file, metadata)]


def read_image(path: Path, number: int) -> RawImage:
    """Return one image as a lazy array."""
    file = _OpenNd2(path)
    metadata = read_metadata(file.file)
    image = _images(path, file, metadata)[number]
    described = _described(file, image, metadata)
    pixels = _Nd2Pixels(path, file, image, described.axes, described.shape, np.dtype(described.dtype))
    notes = _missing_frames(file, pixels)
    return described.image([pixels], pixels.chunks, str(path), described.axes, notes)


class _OpenNd2:
    """An open file, closed when the last array that reads from it is deleted."""

    __slots__ = ("__weakref__", "_decodes", "_full", "_kept", "_lock", "file", "sizes", "stored")

    def __init__(self, path: Path) -> None:
        import nd2

        _check_end(path)
        self.file: Any = nd2.ND2File(path)
        weakref.finalize(self, self.file.close)
        self.stored = path.stat().st_size
        self.sizes: dict[str, int] = dict(self.file.sizes)
        self._full = tuple(self.sizes.get(a, 1) for a in _FRAME)
        self._decodes = bool(self.file.is_legacy or self.file.attributes.compressionType == "lossless")
        self._lock = threading.Lock()
        self._kept: tuple[int, NDArray[Any] | None] = (-1, None)

    def frame(self, number: int) -> NDArray[Any]:
        """Return a frame with axes (c, y, x, s): a view of the file, or decoded if it is compressed."""
        with self._lock:
            kept, frame = self._kept
            if kept != number or frame is None:
                frame = np.asarray(self.file.read_frame(number)).reshape(self._full)
                # Windows of one frame follow each other; only a decoded frame is worth keeping.
                self._kept = (number, frame if self._decodes else None)
        return frame


def _check_end(path: Path) -> None:
    """Refuse a file that does not end with its list of chunks, which is written last.

    Raises
    ------
    SourceError
        If it is cut off, or another program still writes it.
    """
    with path.open("rb") as file:
        begins = file.read(4) == _MAGIC
        file.seek(-min(_TAIL, path.stat().st_size), os.SEEK_END)
        ends = file.read(_TAIL).startswith(_LIST_OF_CHUNKS)
    # Files in JPEG 2000, from before 2010, begin otherwise.
    if begins and not ends:
        raise SourceError(
            f"{path} is cut off, or another program still writes it: its list of frames at the end is missing",
            "an ND2 file is read to its end",
            "wait until NIS-Elements has finished, or copy the file again",
            path=str(path),
        )


@dataclass(frozen=True, slots=True)
class _Image:
    """Which part of the file one image is."""

    name: str
    fixed: dict[str, int]
    """Index along each axis of the file that the image does not have."""
    point: Any = None
    """Its stage position, if the file has several."""


def _images(path: Path, file: _OpenNd2, metadata: Nd2Metadata) -> list[_Image]:
    # Old files in JPEG 2000 are decoded.
    if file.file.attributes.compressionType == "lossy" and not file.file.is_legacy:
        raise SourceError(
            f"{path} is compressed with loss",
            "ND2 without compression, or with lossless compression, is read",
            "save it in NIS-Elements without compression",
            path=str(path),
        )
    loops = [loop for loop in file.file.experiment if loop.count > 1]
    frames = math.prod(n for a, n in file.sizes.items() if a not in _FRAME)
    if frames != math.prod(loop.count for loop in loops) and loops:
        raise SourceError(
            f"{path} has loops of {' x '.join(str(loop.count) for loop in loops)} frames, and axes for "
            f"{' x '.join(str(n) for a, n in file.sizes.items() if a not in _FRAME) or '1'} are known",
            "a file has one loop each for time, positions and planes",
            "export it from NIS-Elements as OME-TIFF",
            path=str(path),
        )
    names: dict[str, list[str]] = {}
    points: list[Any] = []
    for loop in loops:
        if loop.type == "XYPosLoop":
            names["P"], points = position_names(loop), list(loop.parameters.points)
    apart = [a for a in file.sizes if a not in "TZCYXS"]
    if "S" in file.sizes and file.sizes.get("C", 1) > 1:
        # An image has channels or colours, not both.
        apart.append("C")
        names["C"] = [channel.name for channel in metadata.channels]
    ranges = [range(file.sizes[a]) for a in apart]
    found = []
    for indices in itertools.product(*ranges):
        fixed = dict(zip(apart, indices, strict=True))
        parts = [_part_name(a, i, names.get(a, [])) for a, i in fixed.items()]
        point = points[fixed["P"]] if "P" in fixed and fixed["P"] < len(points) else None
        found.append(_Image("/".join(parts) or path.stem, fixed, point))
    return found


def _part_name(axis: str, index: int, names: Sequence[str]) -> str:
    known = names[index] if index < len(names) else ""
    return known or f"{ {'P': 'position', 'C': 'channel'}.get(axis, 'loop') } {index}"


def _described(opened: _OpenNd2, image: _Image, metadata: Nd2Metadata) -> ImageDescription:
    sizes, channels = opened.sizes, metadata.channels
    letters = [a for a in sizes if a not in image.fixed]
    if "C" in image.fixed:
        channels = channels[image.fixed["C"] : image.fixed["C"] + 1]
    acquisition = replace(metadata.acquisition, channels=channels)
    if image.point is not None:
        acquisition = replace(acquisition, stage=stage_of(image.point))
    return ImageDescription(
        image.name,
        "".join(letters).lower(),
        tuple(sizes[a] for a in letters),
        np.dtype(opened.file.dtype).newbyteorder("=").name,
        metadata.sizes,
        acquisition,
        channels=channels,
    )


@dataclass(frozen=True, slots=True)
class _Nd2Pixels:
    """The frames of one image. What a box touches of a frame that is not compressed is all that is read."""

    path: Path
    file: _OpenNd2
    image: _Image
    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fresh: ClassVar[bool] = True

    @property
    def chunks(self) -> tuple[int, ...]:
        """Size of a frame."""
        return tuple(n if a in _WITHIN else 1 for a, n in zip(self.axes, self.shape, strict=True))

    def number(self, at: dict[str, int]) -> int:
        """Return the number of a frame from its indices along the axes of the image that are no axes of a frame."""
        number = 0
        for axis, n in self.file.sizes.items():
            if axis not in _FRAME:
                number = number * n + self.image.fixed.get(axis, at.get(axis.lower(), 0))
        return number

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        outer: dict[str, range] = {}
        parts = {a.lower(): slice(i, i + 1) for a, i in self.image.fixed.items()}
        lengths = []
        for axis, part, n in zip(self.axes, index, self.shape, strict=True):
            indices = range(n)[part]
            lengths.append(len(indices))
            if axis in _WITHIN:
                parts[axis] = part
            else:
                outer[axis] = indices
        within = tuple([parts.get(a, _ALL) for a in _WITHIN])
        if all(len(indices) == 1 for indices in outer.values()):
            # A copy: the library closes its map under arrays that still show it.
            frame = self._frame({a: indices[0] for a, indices in outer.items()})
            return np.array(frame[within], order="C").reshape(lengths)
        found = np.empty(lengths, self.dtype)
        for place in itertools.product(*(range(len(indices)) for indices in outer.values())):
            at = {a: outer[a][i] for a, i in zip(outer, place, strict=True)}
            found[place] = self._frame(at)[within].reshape(
                [n for a, n in zip(self.axes, lengths, strict=True) if a in _WITHIN]
            )
        return found

    def _frame(self, at: dict[str, int]) -> NDArray[Any]:
        try:
            # A file that shrank would end the process where its map is read.
            if os.stat(self.path).st_size < self.file.stored:
                raise OSError("the file became shorter while it was read")
            return self.file.frame(self.number(at))
        except Exception as error:
            shown = ", ".join(f"{a} {i}" for a, i in at.items())
            raise SourceError(
                f"{self.path}, frame {self.number(at)}{f' ({shown})' if shown else ''} of '{self.image.name}', cannot "
                f"be read: {error}",
                "a frame is damaged, or the file is cut off or gone",
                "copy the file again",
                path=str(self.path),
            ) from error


def _missing_frames(opened: _OpenNd2, pixels: _Nd2Pixels) -> list[str]:
    """Say which frames were never written; the library reads them as 0.

    Raises
    ------
    SourceError
        If the file ends inside of a frame.
    """
    # The library has no public list of frames.
    offsets = getattr(getattr(opened.file, "_rdr", None), "_frame_offsets", None)
    if not isinstance(offsets, dict):
        return []
    outer = [a for a in pixels.axes if a not in _WITHIN]
    ranges = [range(n) for a, n in zip(pixels.axes, pixels.shape, strict=True) if a in outer]
    numbers = [pixels.number(dict(zip(outer, place, strict=True))) for place in itertools.product(*ranges)]
    lost = [number for number in numbers if number not in offsets]
    attributes = opened.file.attributes
    if attributes.compressionType is None and attributes.widthBytes:
        size = attributes.heightPx * attributes.widthBytes
        cut = [number for number in numbers if offsets.get(number, 0) + size > opened.stored]
        if cut:
            raise SourceError(
                f"{pixels.path} ends inside of frame {cut[0]}; {len(cut)} of its {len(numbers)} frames are not whole",
                "a file is read to its end",
                "copy the file again",
                path=str(pixels.path),
            )
    if not lost:
        return []
    return [
        f"{len(lost)} of {len(numbers)} frames were never written, as when an acquisition is stopped; "
        "they are read as 0"
    ]
