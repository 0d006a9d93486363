"""The directory of a CZI file: which tile lies where. It is read without the library, which crashes or fills damage."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError

_SEGMENT = 32
"""Bytes of the header of each segment."""
_FILE = struct.Struct("<4i16s16siqqiq")
_ENTRIES_AT = 128
"""Bytes of a directory segment before its first entry."""
_ENTRY = np.dtype(
    {
        "names": ["schema", "pixel_type", "position", "part", "compression", "pyramid", "dimensions"],
        "formats": ["S2", "<i4", "<i8", "<i4", "<i4", "u1", "<i4"],
        "offsets": [0, 2, 6, 14, 18, 22, 28],
        "itemsize": 32,
    }
)
_DIMENSION = np.dtype([("name", "S4"), ("start", "<i4"), ("size", "<i4"), ("coordinate", "<f4"), ("stored", "<i4")])
_MOST_DIMENSIONS = 40


@dataclass(frozen=True, slots=True)
class CziDirectory:
    """The tiles of a file. Arrays have one element per tile."""

    pixel_type: NDArray[np.int32]
    """Number of the pixel type, as in the specification."""
    compression: NDArray[np.int32]
    """Number of the compression; 0 is none."""
    position: NDArray[np.int64]
    """Where the tile begins in the file, in bytes."""
    start: Mapping[str, NDArray[np.int32]]
    """First index per dimension (``X Y C Z T S ...``), in pixels of full resolution along X and Y."""
    has: Mapping[str, NDArray[np.bool_]]
    """Whether a tile has the dimension."""
    width: NDArray[np.int32]
    """Pixels of full resolution that it covers along X."""
    height: NDArray[np.int32]
    stored_width: NDArray[np.int32]
    """Pixels that are stored along X; fewer than `width` in a pyramid."""
    stored_height: NDArray[np.int32]

    @property
    def factor(self) -> NDArray[np.int64]:
        """How many pixels of full resolution one stored pixel stands for, along X and Y."""
        across = self.width / np.maximum(self.stored_width, 1)
        down = self.height / np.maximum(self.stored_height, 1)
        # The longer side is rounded least: a tile of 5 px at factor 2 has 2 or 3.
        found = np.where(self.stored_width >= self.stored_height, across, down)
        return np.maximum(1, np.rint(found)).astype(np.int64)

    def __len__(self) -> int:
        return len(self.position)

    def where(self, chosen: NDArray[Any]) -> CziDirectory:
        """Return the tiles that a mask or an index chooses."""
        return CziDirectory(
            self.pixel_type[chosen],
            self.compression[chosen],
            self.position[chosen],
            {name: values[chosen] for name, values in self.start.items()},
            {name: values[chosen] for name, values in self.has.items()},
            self.width[chosen],
            self.height[chosen],
            self.stored_width[chosen],
            self.stored_height[chosen],
        )


def read_directory(path: Path) -> CziDirectory:
    """Read the directory of a file.

    Raises
    ------
    SourceError
        If the file is no CZI, is empty, is still being written, is one part of several, or ends too early.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(_SEGMENT + _FILE.size)
        if not head.startswith(b"ZISRAWFILE") or len(head) < _SEGMENT + _FILE.size:
            what = "is empty" if not size else "does not begin as a CZI file does"
            raise _damaged(path, what, "check that it was copied as a whole")
        *_, part, directory, metadata, pending, _ = _FILE.unpack_from(head, _SEGMENT)
        if pending or not directory:
            raise _damaged(path, "is still being written, or its program stopped before the end", "wait, or export it")
        if part:
            raise _damaged(path, f"is part {part} of a file in several parts", "open it in ZEN and save it as one file")
        for at, what in ((directory, "directory of tiles"), (metadata, "metadata")):
            if not 0 <= at <= size - _SEGMENT:
                raise _damaged(path, f"has {size:,} bytes, and its {what} lies at {at:,}", "copy it again, to its end")
        found = _parse(path, _segment(file, path, directory, size), size)
        if len(found):
            file.seek(int(found.position.max()))
            name, _, used = struct.unpack("<16sqq", file.read(_SEGMENT))
            if not name.startswith(b"ZISRAWSUBBLOCK") or used > size - file.tell():
                raise _damaged(path, f"has {size:,} bytes and ends inside a tile", "copy it again, to its end")
        return found


def _segment(file: BinaryIO, path: Path, at: int, size: int) -> bytes:
    """Return the data of the directory segment."""
    file.seek(at)
    name, _, used = struct.unpack("<16sqq", file.read(_SEGMENT))
    if name.rstrip(b"\0") != b"ZISRAWDIRECTORY" or not _ENTRIES_AT <= used <= size - at - _SEGMENT:
        raise _damaged(path, "has a damaged directory of tiles", "copy it again, or open it in ZEN and save it")
    return file.read(used)


def _parse(path: Path, data: bytes, size: int) -> CziDirectory:
    count = struct.unpack_from("<i", data)[0]
    offsets = np.zeros(max(count, 0), np.int64)
    dimensions = np.zeros(max(count, 0), np.int64)
    at = _ENTRIES_AT
    for i in range(count):
        number = struct.unpack_from("<i", data, at + 28)[0] if at + _ENTRY.itemsize <= len(data) else -1
        end = at + _ENTRY.itemsize + number * _DIMENSION.itemsize
        if data[at : at + 2] != b"DV" or not 0 < number <= _MOST_DIMENSIONS or end > len(data):
            raise _damaged(path, f"has a damaged directory: entry {i + 1} of {count}", "copy it again")
        offsets[i], dimensions[i] = at, number
        at = end
    whole = np.frombuffer(data, np.uint8)
    entries = whole[offsets[:, None] + np.arange(_ENTRY.itemsize)].view(_ENTRY).reshape(-1)
    names: dict[str, dict[str, NDArray[Any]]] = {}
    for number in np.unique(dimensions):
        rows = np.flatnonzero(dimensions == number)
        span = _ENTRY.itemsize + np.arange(number * _DIMENSION.itemsize)
        table = whole[offsets[rows, None] + span].reshape(len(rows), -1).view(_DIMENSION)
        for column in range(int(number)):
            _fill(names, table[:, column], rows, max(count, 0))
    lost = np.flatnonzero((entries["position"] <= 0) | (entries["position"] > size - _SEGMENT))
    if lost.size:
        raise _damaged(
            path,
            f"has {size:,} bytes, and {lost.size} of its {count} tiles lie outside of it",
            "copy it again, to its end",
        )
    x, y = names.get("X"), names.get("Y")
    if count > 0 and (x is None or y is None or min(x["size"].min(), y["size"].min()) < 1):
        raise _damaged(path, "has tiles without a size", "open it in ZEN and save it again")
    none = {"size": np.empty(0, np.int32), "stored": np.empty(0, np.int32)}
    x, y = x or none, y or none
    return CziDirectory(
        entries["pixel_type"].astype(np.int32),
        entries["compression"].astype(np.int32),
        entries["position"].astype(np.int64),
        {name: columns["start"] for name, columns in names.items()},
        {name: columns["has"] for name, columns in names.items()},
        x["size"],
        y["size"],
        np.where(x["stored"] > 0, x["stored"], x["size"]),
        np.where(y["stored"] > 0, y["stored"], y["size"]),
    )


def _fill(names: dict[str, dict[str, NDArray[Any]]], column: NDArray[Any], rows: NDArray[Any], count: int) -> None:
    """Sort one dimension of some tiles by its name; tiles may have their dimensions in any order."""
    for name in np.unique(column["name"]):
        same = column["name"] == name
        key = bytes(name).rstrip(b"\0").decode("latin-1")
        found = names.setdefault(
            key,
            {"has": np.zeros(count, bool), **{k: np.zeros(count, np.int32) for k in ("start", "size", "stored")}},
        )
        found["has"][rows[same]] = True
        for field in ("start", "size", "stored"):
            found[field][rows[same]] = column[field][same]


def _damaged(path: Path, what: str, remedy: str) -> SourceError:
    return SourceError(f"{path} {what}", "a CZI file is read as its program closed it", remedy, path=str(path))
