"""Read Zeiss CZI with pylibCZIrw (extra ``czi``): scenes as images, any region of a mosaic at any level."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.acquisition import Channel
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.file_format import FormatInfo, ImageHeader
from napari_s1omni.storage.readers.microscopes.czi_directory import read_directory
from napari_s1omni.storage.readers.microscopes.czi_images import CziImage, find_images, notes_of, tile_of
from napari_s1omni.storage.readers.microscopes.czi_metadata import CziMetadata, read_metadata
from napari_s1omni.storage.readers.microscopes.image_description import ImageDescription
from napari_s1omni.storage.readers.raw_image import RawImage

_TYPE_NAMES = {0: "Gray8", 1: "Gray16", 2: "Gray32Float", 3: "Bgr24", 4: "Bgr48"}
_CACHED_BYTES = 2**26
"""Compressed tiles are kept decoded up to this size, as several windows lie in one tile."""


def describe() -> FormatInfo:
    """Describe the format."""
    return FormatInfo("Zeiss CZI", (".czi",), "pylibCZIrw", "LGPL-3.0-or-later", "czi")


def list_images(path: Path) -> Sequence[ImageHeader]:
    """List the scenes of a file; views, illuminations, phases and rotations are images of their own."""
    tiles = read_directory(path)
    file = _OpenCzi(path)
    metadata = read_metadata(file.reader.raw_metadata)
    return [_description(image, metadata).header() for image in find_images(path, tiles, metadata)]


def read_image(path: Path, number: int) -> RawImage:
    """Return one image as a lazy array."""
    tiles = read_directory(path)
    file = _OpenCzi(path)
    metadata = read_metadata(file.reader.raw_metadata)
    images = find_images(path, tiles, metadata)
    image = images[number]
    described = _description(image, metadata)
    tile = tile_of(image, tiles)
    levels = [_level(path, file, image, described.axes, factor, tile) for factor in (1, *image.factors)]
    notes = (*notes_of(image, tiles), *_overlaps(image, images))
    return described.image(levels, levels[0].chunks, str(path), described.axes, notes)


class _OpenCzi:
    """An open file, closed when the last array that reads from it is deleted."""

    __slots__ = ("__weakref__", "reader")

    def __init__(self, path: Path) -> None:
        from pylibCZIrw.czi import CacheOptions, CziReader

        self.reader: Any = CziReader(str(path), cache_options=CacheOptions(max_memory_usage=_CACHED_BYTES))
        weakref.finalize(self, self.reader.close)


@dataclass(frozen=True, slots=True)
class _CziPixels:
    """One level of an image; the library reads the tiles that a region touches and joins them."""

    path: Path
    file: _OpenCzi
    image: CziImage
    axes: str
    """Letters of its dimensions, of ``t c z y x s``."""
    factor: int
    """Pixels of full resolution that one stands for, along y and x."""
    shape: tuple[int, ...]
    """Size per dimension."""
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    """Size of a stored tile."""
    fresh: ClassVar[bool] = True

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        ranges = {a: range(*part.indices(n)) for a, part, n in zip(self.axes, index, self.shape, strict=True)}
        outer = [a for a in self.axes if a in "tcz"]
        samples = index[self.axes.index("s")] if "s" in self.axes else 0
        found = np.empty([len(ranges[a]) for a in self.axes], self.dtype)
        for place in itertools.product(*(range(len(ranges[a])) for a in outer)):
            at = {a: ranges[a][i] for a, i in zip(outer, place, strict=True)}
            # The library gives blue first. A view is turned around where it is copied.
            plane = self._plane(at, ranges["y"], ranges["x"])[..., ::-1][..., samples]
            if found.size == plane.size:
                return plane.reshape(found.shape).astype(self.dtype, copy=False)
            found[place] = plane
        return found

    def _plane(self, at: dict[str, int], rows: range, columns: range) -> NDArray[Any]:
        """Return a region of one plane, (y, x, samples) in the order blue, green, red."""
        image, factor = self.image, self.factor
        channel = image.channels[at.get("c", 0)]
        first = image.first
        plane = {"T": first["T"] + at.get("t", 0), "Z": first["Z"] + at.get("z", 0), "C": channel, **image.fixed}
        x, y, *_ = image.box
        roi = (x + columns.start * factor, y + rows.start * factor, len(columns) * factor, len(rows) * factor)
        try:
            found: NDArray[Any] = self.file.reader.read(
                roi=roi,
                plane=plane,
                scene=image.scene,
                zoom=1 / factor,
                pixel_type=_TYPE_NAMES[image.pixel_types[at.get("c", 0)]],
            )
        except Exception as error:
            shown = ", ".join(f"{name} {index}" for name, index in plane.items())
            raise SourceError(
                f"{self.path}, {shown}, pixels [{rows.start}:{rows.stop}, {columns.start}:{columns.stop}] of "
                f"'{image.name}', cannot be read: {error}",
                "a tile there is damaged, or the file is cut off or gone",
                "copy the file again",
                path=str(self.path),
            ) from error
        return found[: len(rows), : len(columns)]


def _level(path: Path, file: _OpenCzi, image: CziImage, axes: str, factor: int, tile: tuple[int, int]) -> _CziPixels:
    sizes, one = _sizes(image, factor), {"y": tile[0], "x": tile[1], "s": image.samples}
    shape = tuple(sizes[a] for a in axes)
    chunks = tuple(min(one.get(a, 1), n) for a, n in zip(axes, shape, strict=True))
    return _CziPixels(path, file, image, axes, factor, shape, image.dtype, chunks)


def _sizes(image: CziImage, factor: int) -> dict[str, int]:
    *_, width, height = image.box
    sizes = {name.lower(): n for name, n in image.count.items()}
    return {**sizes, "y": max(1, height // factor), "x": max(1, width // factor), "s": image.samples}


def _description(image: CziImage, metadata: CziMetadata) -> ImageDescription:
    sizes = _sizes(image, 1)
    # Every file of this format has channels; colours are those of one.
    axes = "".join(a for a in "tczyx" if a in "yx" or sizes[a] > 1 or (a == "c" and image.samples == 1))
    axes += "s" if image.samples > 1 else ""
    channels = tuple(metadata.channels.get(number, Channel()) for number in image.channels)
    centre = metadata.centres.get(image.scene) if image.scene is not None else None
    acquisition = replace(metadata.acquisition, channels=channels)
    if centre is not None:
        acquisition = replace(acquisition, stage=(acquisition.stage[0], *centre))
    return ImageDescription(
        image.name,
        axes,
        tuple(sizes[a] for a in axes),
        image.dtype.name,
        metadata.sizes,
        acquisition,
        1 + len(image.factors),
        channels=channels if any(channel != Channel() for channel in channels) else (),
    )


def _overlaps(image: CziImage, images: Sequence[CziImage]) -> list[str]:
    """Name the scenes that lie over this one."""
    x, y, width, height = image.box
    boxes = np.array([other.box for other in images])
    across = np.minimum(boxes[:, 0] + boxes[:, 2], x + width) - np.maximum(boxes[:, 0], x)
    down = np.minimum(boxes[:, 1] + boxes[:, 3], y + height) - np.maximum(boxes[:, 1], y)
    over = [i for i in np.flatnonzero((across > 0) & (down > 0)).tolist() if images[i].scene != image.scene]
    names = list(dict.fromkeys(f"'{images[i].name}'" for i in over))
    if not names:
        return []
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return [f"it overlaps {shown} on the slide; only its own tiles are read, so what both show is in both"]
