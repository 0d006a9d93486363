"""CZI files, as pylibCZIrw writes them, with a pyramid that it cannot write."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tile = tuple[NDArray[Any], tuple[int, int], Mapping[str, int], int]
"""Pixels (y, x) or (y, x, rgb), place (x, y), numbers of the plane such as ``{"T": 0}``, and scene."""


def write_czi(
    path: str | Path,
    tiles: Sequence[Tile],
    names: Mapping[int, str] | None = None,
    scale: tuple[float, float, float] = (0.25, 0.25, 1.0),
    compression: str | None = None,
) -> Path:
    """Write tiles; `names` of channels by number; `scale` is x, y, z in micrometres."""
    from pylibCZIrw import czi

    with czi.create_czi(str(path), exist_ok=True, compression_options=compression) as document:
        for pixels, location, plane, scene in tiles:
            stored = pixels[..., ::-1] if pixels.ndim == 3 else pixels[..., np.newaxis]
            document.write(np.ascontiguousarray(stored), location, plane, scene=scene)
        x, y, z = (size * 1e-6 for size in scale)
        document.write_metadata("made", names or {}, scale_x=x, scale_y=y, scale_z=z)
    return Path(path)


def write_pyramid(
    path: str | Path, image: NDArray[Any], factor: int = 2, levels: int = 2, tile: int = 128
) -> list[NDArray[Any]]:
    """Write an image with levels, each the mean of the one above; return them, full resolution first."""
    found = [image]
    while len(found) <= levels:
        above = found[-1]
        y, x = (n // factor * factor for n in above.shape)
        parts = above[:y, :x].reshape(y // factor, factor, x // factor, factor)
        found.append(parts.mean((1, 3)).astype(image.dtype))
    tiles: list[Tile] = []
    where: dict[tuple[int, int], tuple[int, int, int, tuple[int, int]]] = {}
    for level, pixels in enumerate(found):
        for row in range(0, pixels.shape[0], tile):
            for column in range(0, pixels.shape[1], tile):
                part = pixels[row : row + tile, column : column + tile]
                # A place of its own, by which the tile is found again in the directory.
                place = (column, row) if not level else (100_000 * level + column, row)
                height, width = part.shape
                where[place] = (column * factor**level, row * factor**level, factor**level, (height, width))
                tiles.append((part, place, {"T": 0, "Z": 0, "C": 0}, 0))
    data = bytearray(write_czi(path, tiles).read_bytes())
    for place, (x, y, by, shape) in where.items():
        _move(data, place, x, y, by, shape)
    Path(path).write_bytes(data)
    return found


def _move(data: bytearray, place: tuple[int, int], x: int, y: int, by: int, shape: tuple[int, int]) -> None:
    """Change where a tile lies, in the directory and in the tile itself, and how much it stands for."""
    height, width = shape
    old = struct.pack("<4siifi", b"X", place[0], width, 0.0, width)[:12], struct.pack("<4sii", b"Y", place[1], height)
    at = -1
    while (at := data.find(old[0], at + 1)) >= 0:
        if data[at + 20 : at + 32] != old[1]:
            continue
        stored = struct.unpack_from("<i", data, at + 16)[0]
        data[at : at + 20] = struct.pack("<4siifi", b"X", x, width * by, 0.0, stored or width)
        data[at + 20 : at + 40] = struct.pack("<4siifi", b"Y", y, height * by, 0.0, height)
