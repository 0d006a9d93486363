"""Drawn tiles on disk beside a running result, until all blocks that share them are done.

Each tile is a file of its own, complete or absent: it is written under another name, renamed, and checked by its
checksums when it is read. Nothing is synced, since a tile that a power loss takes is only drawn again. The stamp in the
file says from what it was drawn; a file with another stamp counts as missing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import TilePlace
from napari_s1omni.errors import StoreError
from napari_s1omni.storage.files.disk import Disk, disk_errors
from napari_s1omni.storage.files.fsync_store import WORK, FsyncStore
from napari_s1omni.storage.files.packed_arrays import pack_arrays, read_packed_array

FOLDER = "shared_tiles"
"""Folder in ``.s1omni``."""


class TileScratch:
    """The drawn tiles beside one result; several processes may use it at a time.

    Parameters
    ----------
    root : Path
        The output folder, which exists.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._store = FsyncStore(root, disk=Disk(durable=False))

    @property
    def free(self) -> int:
        """Bytes that are free on this disk."""
        with disk_errors("reading", self._root):
            return shutil.disk_usage(self._root).free

    def put(self, place: TilePlace, image: NDArray[np.float32], stamp: bytes) -> int:
        """Store a drawn tile; return the bytes of its file.

        Raises
        ------
        DiskFull, StoreError
            Nothing of it remains.
        """
        # Sorted by significance of the bytes, floats take less space.
        planes = np.ascontiguousarray(image, "<f4").view(np.uint8).reshape(*image.shape, 4)
        data = pack_arrays(
            {"stamp": np.frombuffer(stamp, np.uint8), "bytes": np.ascontiguousarray(np.moveaxis(planes, -1, 0))}
        )
        self._store.put(f"{WORK}/{FOLDER}/{_name(place)}", data)
        return len(data)

    def get(self, place: TilePlace, stamp: bytes) -> NDArray[np.float32] | None:
        """Return a tile, bit by bit as it was drawn; None if it is missing, damaged, or has another stamp."""
        path = self._path(place)
        if not path.exists():
            return None
        try:
            if read_packed_array(path, "stamp").tobytes() != stamp:
                return None
            planes = read_packed_array(path, "bytes")
        except (StoreError, ValueError, KeyError, OSError):
            # Another process may have deleted it just now; what cannot be read is drawn again.
            return None
        return np.ascontiguousarray(np.moveaxis(planes, 0, -1)).view("<f4")[..., 0]

    def has(self, place: TilePlace) -> bool:
        """Whether there is a file for a tile, of whatever content."""
        return self._path(place).exists()

    def remove(self, place: TilePlace) -> None:
        """Delete a tile if it exists."""
        path = self._path(place)
        with disk_errors("deleting", path):
            path.unlink(missing_ok=True)

    def places(self) -> Iterator[tuple[TilePlace, int]]:
        """Yield every tile with the bytes of its file."""
        for path in (self._root / WORK / FOLDER).glob("*/*/*/*.tile"):
            numbers = [*path.relative_to(self._root / WORK / FOLDER).parts[:3], *path.stem.split("-")]
            if len(numbers) == 5 and all(number.isdecimal() for number in numbers):
                try:
                    size = path.stat().st_size
                except OSError:
                    # Another process may have deleted it just now.
                    continue
                yield TilePlace(*map(int, numbers)), size

    def clear(self) -> None:
        """Delete all tiles."""
        shutil.rmtree(self._root / WORK / FOLDER, ignore_errors=True)

    def _path(self, place: TilePlace) -> Path:
        return self._root / WORK / FOLDER / _name(place)


def _name(place: TilePlace) -> str:
    # One folder per plane, so that no folder grows with the volume.
    return f"{place.t}/{place.z}/{place.group}/{place.row}-{place.col}.tile"
