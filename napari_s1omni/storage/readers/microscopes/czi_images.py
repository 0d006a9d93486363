"""The images of a CZI file: one per scene, and per view, illumination, phase and rotation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.microscopes.czi_directory import CziDirectory
from napari_s1omni.storage.readers.microscopes.czi_metadata import CziMetadata

_KEPT_APART = {"V": "view", "I": "illumination", "H": "phase", "R": "rotation"}
"""Dimensions for which images have no axis: each index of one is an image of its own."""
_PIXELS = {0: ("uint8", 1), 1: ("uint16", 1), 2: ("float32", 1), 3: ("uint8", 3), 4: ("uint16", 3)}
"""Number of a pixel type -> numpy name and samples, of those that the library decodes."""
_OTHER_PIXELS = {
    8: "Bgr96Float",
    9: "Bgra32",
    10: "Gray64ComplexFloat",
    11: "Bgr192ComplexFloat",
    12: "Gray32",
    13: "Gray64",
}
_COMPRESSIONS = {0, 4, 5, 6}
"""None, JPEG XR, and Zstandard in two ways."""
_OTHER_COMPRESSIONS = {1: "JPEG", 2: "LZW"}
_WHOLE = 0.999
_COVERS = 0.5
"""Share of a scene that the tiles of a level cover at least."""


@dataclass(frozen=True, slots=True)
class CziImage:
    """One image of a file."""

    name: str
    scene: int | None
    """Number of its scene; None in a file without scenes."""
    fixed: dict[str, int]
    """Index along each dimension that images have no axis for."""
    first: dict[str, int]
    """First index along T and Z."""
    count: dict[str, int]
    """Number of time points, planes and channels, by T, Z and C."""
    channels: tuple[int, ...]
    """Numbers of its channels in the file."""
    box: tuple[int, int, int, int]
    """x, y, width and height in the coordinates of the file, in pixels of full resolution."""
    pixel_types: tuple[int, ...]
    """One per channel."""
    factors: tuple[int, ...]
    """Of each pyramid level, without full resolution: how many pixels one stands for, along y and x."""
    tiles: NDArray[np.int64]
    """Numbers of its tiles of full resolution."""

    @property
    def samples(self) -> int:
        """Colour samples of a pixel."""
        return _PIXELS[self.pixel_types[0]][1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """A type that holds the pixels of all channels."""
        names = {_PIXELS[number][0] for number in self.pixel_types}
        return np.dtype(names.pop()) if len(names) == 1 else np.result_type(*map(np.dtype, names))


def find_images(path: Path, tiles: CziDirectory, metadata: CziMetadata) -> list[CziImage]:
    """Sort the tiles of a file into images.

    Raises
    ------
    SourceError
        If tiles have pixels of a type, or a compression, that the library does not decode.
    """
    _check_decodable(path, tiles)
    factor = tiles.factor
    full = np.flatnonzero(factor == 1)
    if not full.size:
        return []
    apart = [d for d in _KEPT_APART if d in tiles.start and np.unique(tiles.start[d][full]).size > 1]
    with_scene = "S" in tiles.start
    none = np.zeros(len(tiles), np.int32)
    start = {name: tiles.start.get(name, none)[full].astype(np.int64) for name in "TZCXYS"}
    colours = np.isin(tiles.pixel_type[full], [number for number, (_, samples) in _PIXELS.items() if samples == 3])
    # A channel of colours is an image of its own; grey channels of one scene are one.
    columns: list[NDArray[Any]] = [
        start["S"],
        *(tiles.start[d][full] for d in apart),
        np.where(colours, start["C"], -1),
    ]
    keys, group = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    begins = np.searchsorted(group.ravel()[order], np.arange(len(keys)))
    ends = {"X": start["X"] + tiles.width[full], "Y": start["Y"] + tiles.height[full]}
    low = {d: np.minimum.reduceat(start[d][order], begins) for d in "TZXY"}
    high = {d: np.maximum.reduceat(ends.get(d, start[d] + 1)[order], begins) for d in "TZXY"}
    members = np.split(full[order], begins[1:])
    channels = _channels(group.ravel(), start["C"], tiles.pixel_type[full], len(keys))
    levels = _levels(tiles, factor, with_scene)
    found = []
    for i, key in enumerate(keys.tolist()):
        box = tuple(int(n) for n in (low["X"][i], low["Y"][i], high["X"][i] - low["X"][i], high["Y"][i] - low["Y"][i]))
        found.append(
            CziImage(
                "",
                key[0] if with_scene else None,
                dict(zip(apart, key[1:], strict=False)),
                {d: int(low[d][i]) for d in "TZ"},
                {**{d: int(high[d][i] - low[d][i]) for d in "TZ"}, "C": len(channels[i])},
                tuple(channels[i]),
                (box[0], box[1], box[2], box[3]),
                tuple(channels[i].values()),
                tuple(f for f in levels.get(key[0], ()) if min(box[2:]) >= f),
                members[i],
            )
        )
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


def _channels(
    group: NDArray[np.int64], channel: NDArray[np.int64], pixel_type: NDArray[np.int32], count: int
) -> list[dict[int, int]]:
    """Return the pixel type of each channel of each group of tiles."""
    pairs, first = np.unique(np.stack([group, channel], axis=1), axis=0, return_index=True)
    found: list[dict[int, int]] = [{} for _ in range(count)]
    for (number, name), kind in zip(pairs.tolist(), pixel_type[first].tolist(), strict=True):
        found[number][name] = kind
    return found


def _levels(tiles: CziDirectory, factor: NDArray[np.int64], with_scene: bool) -> dict[int, tuple[int, ...]]:
    """Return the factors of the levels of each scene that cover it."""
    if not (factor > 1).any():
        return {}
    scene = tiles.start["S"].astype(np.int64) if with_scene else np.zeros(len(tiles), np.int64)
    area = tiles.width.astype(float) * tiles.height
    found: dict[int, tuple[int, ...]] = {}
    shared = factor > 1
    shared &= ~tiles.has["S"] if with_scene else np.zeros(len(tiles), bool)
    for number in np.unique(scene[factor == 1]).tolist():
        own = (scene == number) & ~shared
        covered = area[own & (factor == 1)].sum()
        # Tiles at an edge are cut, so that their own ratio is off; together they cover little.
        found[number] = tuple(
            f for f in np.unique(factor[own]).tolist() if f > 1 and area[own & (factor == f)].sum() >= _COVERS * covered
        )
    return found


def notes_of(image: CziImage, tiles: CziDirectory) -> tuple[str, ...]:
    """Say what of an image was never written, and what was converted."""
    own = tiles.where(image.tiles)
    notes = []
    if len(set(image.pixel_types)) > 1:
        kinds = ", ".join(dict.fromkeys(_PIXELS[n][0] for n in image.pixel_types))
        notes.append(f"channels have pixels of different types ({kinds}), and are read as the one that holds all")
    planes = np.stack([own.start.get(d, np.zeros(len(own), np.int32)) for d in "TZC"], axis=1)
    counts = np.unique(planes, axis=0, return_counts=True)[1]
    expected = image.count["T"] * image.count["Z"] * image.count["C"]
    if expected > len(counts):
        notes.append(
            f"{expected - len(counts)} of {expected} planes were never written, as when an acquisition is stopped; "
            "they are read as 0"
        )
    if (lost := int(np.sum(counts.max() - counts))) > 0:
        notes.append(f"{lost} tiles are missing in some planes, and are read as 0")
    *_, width, height = image.box
    share = float(np.sum(own.width.astype(float) * own.height)) / len(counts) / (float(width) * height)
    if share < _WHOLE:
        notes.append(f"tiles cover at most {100 * share:.0f} % of the image; the rest is read as 0")
    return tuple(notes)


def tile_of(image: CziImage, tiles: CziDirectory) -> tuple[int, int]:
    """Return the usual height and width of a stored tile of an image."""
    own = image.tiles
    return int(np.median(tiles.height[own])), int(np.median(tiles.width[own]))


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
