"""The images of a CZI file: one per scene, and per view, illumination, phase and rotation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.microscopes.czi_directory import CziDirectory
from napari_s1omni.storage.readers.microscopes.czi_metadata import CziMetadata

_KEPT_APART = {"V": "view", "I": "illumination", "H": "phase", "R": "rotation"}
"""Dimensions for which images have no axis: each index of one is an image of its own."""
_PIXELS = {0: ("uint8", 1), 1: ("uint16", 1), 2: ("float32", 1), 3: ("uint8", 3), 4: ("uint16", 3)}
"""Number of a pixel type -> numpy name and samples, of those that the library decodes."""
_OTHER_PIXELS = {8: "Bgr96Float", 9: "Bgra32", 10: "Gray64ComplexFloat", 11: "Bgr192ComplexFloat", 12: "Gray32", 13: "Gray64"}
_COMPRESSIONS = {0, 4, 5, 6}
"""None, JPEG XR, and Zstandard in two ways."""
_OTHER_COMPRESSIONS = {1: "JPEG", 2: "LZW"}
_COVERED = 0.999
_LEVEL_COVERS = 0.5
"""Share of the pixels of full resolution that tiles of a level cover at least, in the same channels and planes."""


@dataclass(frozen=True, slots=True)
class CziImage:
    """One image of a file."""

    name: str
    scene: int | None
    """Number of its scene; None in a file without scenes."""
    fixed: dict[str, int]
    """Index along each dimension that images have no axis for."""
    first: dict[str, int]
    """First index along T, Z and C."""
    count: dict[str, int]
    """Number of time points, planes and channels."""
    channels: tuple[int, ...]
    """Numbers of its channels in the file."""
    box: tuple[int, int, int, int]
    """x, y, width and height in the coordinates of the file, in pixels of full resolution."""
    pixel_types: tuple[int, ...]
    """One per channel."""
    factors: tuple[int, ...]
    """Of each pyramid level, without full resolution: how many pixels one stands for, along y and x."""
    tile: tuple[int, int]
    """Usual height and width of a stored tile."""
    notes: tuple[str, ...]

    @property
    def samples(self) -> int:
        """Colour samples of a pixel."""
        return _PIXELS[self.pixel_types[0]][1]

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """A type that holds the pixels of all channels."""
        return np.result_type(*(np.dtype(_PIXELS[number][0]) for number in self.pixel_types))


def find_images(path: Path, tiles: CziDirectory, metadata: CziMetadata) -> list[CziImage]:
    """Sort the tiles of a file into images.

    Raises
    ------
    SourceError
        If tiles have pixels of a type, or a compression, that the library does not decode.
    """
    _check_decodable(path, tiles)
    full = tiles.where(tiles.factor == 1)
    if not len(full):
        return []
    apart = [d for d in _KEPT_APART if d in full.start and np.unique(full.start[d]).size > 1]
    scenes = "S" in full.start
    colours = np.isin(full.pixel_type, [number for number, (_, samples) in _PIXELS.items() if samples == 3])
    columns = [full.start["S"]] if scenes else []
    columns += [full.start[d] for d in apart]
    # A channel of colours is an image of its own; grey channels of one scene are one.
    channel = full.start.get("C", np.zeros(len(full), np.int32))
    columns.append(np.where(colours, channel, -1))
    keys, group = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(group.ravel(), minlength=len(keys)))[:-1])
    pyramid = tiles.where(tiles.factor > 1)
    found = [
        _image(path, full.where(part), pyramid, metadata, [int(k) for k in key], apart, scenes)
        for key, part in zip(keys, parts, strict=True)
    ]
    return [replace(image, name=_name(image, found, path, metadata)) for image in found]


def _check_decodable(path: Path, tiles: CziDirectory) -> None:
    unknown = sorted({int(n) for n in np.unique(tiles.pixel_type)} - _PIXELS.keys())
    if unknown:
        names = ", ".join(_OTHER_PIXELS.get(n, f"number {n}") for n in unknown)
        raise SourceError(
            f"{path} has pixels of type {names}",
            "grey pixels of 8 or 16 bits or of 32-bit floats, and colours of 8 or 16 bits, are read",
            "export it from ZEN with one of these",
            path=str(path),
        )
    unknown = sorted({int(n) for n in np.unique(tiles.compression)} - _COMPRESSIONS)
    if unknown:
        names = ", ".join(_OTHER_COMPRESSIONS.get(n, f"number {n}") for n in unknown)
        raise SourceError(
            f"{path} is compressed with {names}",
            "CZI without compression, with JPEG XR or with Zstandard is read",
            "save it in ZEN with one of these",
            path=str(path),
        )


def _image(
    path: Path,
    tiles: CziDirectory,
    pyramid: CziDirectory,
    metadata: CziMetadata,
    key: list[int],
    apart: Sequence[str],
    scenes: bool,
) -> CziImage:
    scene = key[0] if scenes else None
    fixed = dict(zip(apart, key[1:] if scenes else key, strict=False))
    first, count = {}, {}
    for name in "TZC":
        indices = tiles.start.get(name, np.zeros(1, np.int32))
        first[name] = int(indices.min())
        count[name] = int(indices.max()) - first[name] + 1
    notes: list[str] = []
    numbers = tiles.start.get("C", np.zeros(len(tiles), np.int32))
    channels = tuple(int(n) for n in np.unique(numbers))
    types = tuple(int(tiles.pixel_type[np.argmax(numbers == n)]) for n in channels)
    if len(set(types)) > 1:
        kinds = ", ".join(dict.fromkeys(_PIXELS[n][0] for n in types))
        notes.append(f"channels have pixels of different types ({kinds}), and are read as the one that holds all")
    count["C"] = len(channels)
    x, y = int(tiles.start["X"].min()), int(tiles.start["Y"].min())
    width = int((tiles.start["X"] + tiles.width).max()) - x
    height = int((tiles.start["Y"] + tiles.height).max()) - y
    planes = _missing(tiles, count, notes)
    area = float(np.sum(tiles.width.astype(float) * tiles.height))
    share = area / planes / (float(width) * height)
    if share < _COVERED:
        notes.append(f"tiles cover at most {100 * share:.0f} % of the image; the rest is read as 0")
    return CziImage(
        "",
        scene,
        fixed,
        first,
        count,
        channels,
        (x, y, width, height),
        types,
        _factors(pyramid, scene, (x, y, width, height), area),
        (int(np.median(tiles.height)), int(np.median(tiles.width))),
        tuple(notes),
    )


def _missing(tiles: CziDirectory, count: dict[str, int], notes: list[str]) -> int:
    """Return how many planes have tiles, and note what was never written."""
    present = [tiles.start[name] for name in "TZC" if name in tiles.start]
    if not present:
        return 1
    counts = np.unique(np.stack(present, axis=1), axis=0, return_counts=True)[1]
    expected = count["T"] * count["Z"] * count["C"]
    if expected > len(counts):
        notes.append(
            f"{expected - len(counts)} of {expected} planes were never written, as when an acquisition is stopped; "
            "they are read as 0"
        )
    if (lost := int(np.sum(counts.max() - counts))) > 0:
        notes.append(f"{lost} tiles are missing in some planes, and are read as 0")
    return len(counts)


def _factors(
    pyramid: CziDirectory, scene: int | None, box: tuple[int, int, int, int], covered: float
) -> tuple[int, ...]:
    """Return the factors of the levels of an image, whose tiles of full resolution cover so many pixels in all."""
    if not len(pyramid):
        return ()
    x, y, width, height = box
    own = np.ones(len(pyramid), bool)
    if scene is not None and "S" in pyramid.start:
        own &= ~pyramid.has["S"] | (pyramid.start["S"] == scene)
    own &= (pyramid.start["X"] < x + width) & (pyramid.start["X"] + pyramid.width > x)
    own &= (pyramid.start["Y"] < y + height) & (pyramid.start["Y"] + pyramid.height > y)
    mine = pyramid.where(own)
    factors, areas = mine.factor, mine.width.astype(float) * mine.height
    # Tiles at an edge are cut, so that their own ratio is off; together they cover little.
    return tuple(
        int(factor)
        for factor in np.unique(factors)
        if min(width, height) >= factor and areas[factors == factor].sum() >= _LEVEL_COVERS * covered
    )


def _name(image: CziImage, images: Sequence[CziImage], path: Path, metadata: CziMetadata) -> str:
    several = len({other.scene for other in (images[0], images[-1])}) > 1
    scene = metadata.scenes.get(image.scene, "") if image.scene is not None else ""
    parts = [scene or (f"scene {image.scene}" if several else "")]
    parts += [f"{_KEPT_APART[dimension]} {index}" for dimension, index in image.fixed.items()]
    same = [o for o in (images[0], images[-1]) if o.scene == image.scene and o.channels != image.channels]
    if same:
        channel = metadata.channels.get(image.channels[0])
        parts.append((channel.name if channel else "") or f"channel {image.channels[0]}")
    return "/".join(part for part in parts if part) or path.stem
