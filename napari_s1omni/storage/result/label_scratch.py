"""Labels with ids local to their blocks, and the slabs that neighbours compare, until they are stitched.

On disk a block has two files: its shard of the array ``local_labels``, and one
file of slabs under ``slabs/``. That file starts with a checked line of JSON,
which says where each part is, and goes on with the parts: the sizes of the
objects, then one slab per neighbour, each compressed on its own, so that a
neighbour reads only the one that it shares.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import google_crc32c
import numpy as np
from numcodecs.zstd import Zstd
from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import StoreDamaged
from napari_s1omni.joining.stitching import BlockLabels, Offset
from napari_s1omni.storage.files.disk import Disk, disk_errors
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.logs.append_log import decode_line, encode_line
from napari_s1omni.storage.result.shards import ZSTD_LEVEL, digest
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.sinks.sink import BlockIndex

FOLDER = "slabs"
ARRAY = "local_labels"


class LabelScratch(Protocol):
    """Keeps what each block contributes to the stitching of labels."""

    def put(self, index: BlockIndex, settled: BlockLabels) -> str:
        """Keep one block; return the digest of its own labels. A second time replaces it."""
        ...

    def core(self, index: BlockIndex) -> NDArray[np.uint32]:
        """Return a block's own labels, in the axes of the target."""
        ...

    def areas(self, index: BlockIndex) -> NDArray[np.int64]:
        """Return the sizes of a block's objects in voxels, ids 1..n."""
        ...

    def border(self, index: BlockIndex) -> NDArray[np.uint32]:
        """Return the ids of a block's objects that reach the layer's own border."""
        ...

    def slab(self, index: BlockIndex, offset: Offset) -> NDArray[np.uint32]:
        """Return a block's labels over the voxels that it shares with one neighbour."""
        ...

    def digest(self, index: BlockIndex) -> str:
        """Digest of a block's own labels as they are kept now."""
        ...


class MemoryScratch:
    """A :class:`LabelScratch` for previews and small images.

    Parameters
    ----------
    target : LayerSpec
        What will be written.
    """

    def __init__(self, target: LayerSpec) -> None:
        self._axes = target.axes
        self._kept: dict[BlockIndex, BlockLabels] = {}

    def put(self, index: BlockIndex, settled: BlockLabels) -> str:
        """Keep one block."""
        self._kept[index] = settled
        return self.digest(index)

    def core(self, index: BlockIndex) -> NDArray[np.uint32]:
        """Return a block's own labels, in the axes of the target."""
        return _in_axes(self._kept[index].core, self._axes)

    def areas(self, index: BlockIndex) -> NDArray[np.int64]:
        """Return the sizes of a block's objects in voxels."""
        return self._kept[index].areas

    def border(self, index: BlockIndex) -> NDArray[np.uint32]:
        """Return the ids of a block's objects that reach the layer's own border."""
        return self._kept[index].border

    def slab(self, index: BlockIndex, offset: Offset) -> NDArray[np.uint32]:
        """Return a block's labels over the voxels that it shares with one neighbour."""
        return self._kept[index].slabs[offset]

    def digest(self, index: BlockIndex) -> str:
        """Digest of a block's own labels."""
        return digest(self.core(index))


class DiskScratch:
    """A :class:`LabelScratch` under ``.s1omni/`` of a result.

    Parameters
    ----------
    store : ResultStore
    """

    def __init__(self, store: ResultStore) -> None:
        self._array = store.scratch(ARRAY, "uint32", store.target.shape, store.block)
        self._target = store.target
        self._block = store.block

    def put(self, index: BlockIndex, settled: BlockLabels) -> str:
        """Keep one block: its labels first, then its slabs; both are stored when this returns."""
        found = self._array.write(self._origin(index), _in_axes(settled.core, self._target.axes))
        parts: dict[str, NDArray[Any]] = {"areas": settled.areas, "border": settled.border}
        parts.update((_name(offset), slab) for offset, slab in settled.slabs.items())
        self._array.store.put(f"{WORK}/{FOLDER}/{_file(index)}", _pack(parts), fresh=True)
        return found

    def core(self, index: BlockIndex) -> NDArray[np.uint32]:
        """Read a block's own labels, in the axes of the target."""
        start = self._origin(index)
        stop = (min(o + b, n) for o, b, n in zip(start, self._block, self._target.shape, strict=True))
        return self._array.read(tuple(map(slice, start, stop)))

    def areas(self, index: BlockIndex) -> NDArray[np.int64]:
        """Read the sizes of a block's objects in voxels."""
        return _unpack(self._path(index), "areas")

    def border(self, index: BlockIndex) -> NDArray[np.uint32]:
        """Read the ids of a block's objects that reach the layer's own border."""
        return _unpack(self._path(index), "border")

    def slab(self, index: BlockIndex, offset: Offset) -> NDArray[np.uint32]:
        """Read a block's labels over the voxels that it shares with one neighbour."""
        return _unpack(self._path(index), _name(offset))

    def digest(self, index: BlockIndex) -> str:
        """Digest of a block's own labels as they are stored now, after checking that its slabs are readable.

        Raises
        ------
        StoreDamaged
            If a checksum does not match or a file is missing or cut short.
        """
        path = self._path(index)
        for name in _contents(path):
            _unpack(path, name)
        return self._array.digest(self._origin(index))

    @property
    def disk(self) -> Disk:
        """The file system of the store."""
        return self._array.store.disk

    def put_file(self, name: str, parts: Iterable[bytes]) -> None:
        """Store a file of another kind beside the slabs, under ``.s1omni/``, part by part."""
        self._array.store.put(f"{WORK}/{name}", parts)

    def _origin(self, index: BlockIndex) -> tuple[int, ...]:
        return tuple(i * b for i, b in zip(index, self._block, strict=True))

    def _path(self, index: BlockIndex) -> Path:
        return Path(self._array.store.root) / WORK / FOLDER / _file(index)


@dataclass(frozen=True, slots=True)
class _Part:
    """Where one array is in a file of slabs."""

    shape: tuple[int, ...]
    dtype: str
    start: int
    """Bytes after the first line."""
    size: int
    crc: int


def _in_axes(core: NDArray[np.uint32], axes: Sequence[str]) -> NDArray[np.uint32]:
    """Labels (z, y, x) with the axes of the target; t, and z where it is missing, have one px."""
    sizes = {"t": 1, **dict(zip("zyx", core.shape, strict=True))}
    return core.reshape([sizes[axis] for axis in axes])


def _file(index: BlockIndex) -> str:
    # One folder per row of blocks: no folder grows with the volume.
    return "/".join(map(str, index))


def _name(offset: Offset) -> str:
    return ",".join(map(str, offset))


def _pack(parts: dict[str, NDArray[Any]]) -> bytes:
    codec = Zstd(level=ZSTD_LEVEL)
    table: dict[str, list[Any]] = {}
    body: list[bytes] = []
    start = 0
    for name, values in parts.items():
        stored = values.dtype.newbyteorder("<")
        data = codec.encode(np.ascontiguousarray(values, stored)) if values.size else b""
        table[name] = [values.shape, stored.str, start, len(data), google_crc32c.value(data)]
        body.append(data)
        start += len(data)
    return b"".join([encode_line(table), *body])


def _contents(path: Path) -> dict[str, _Part]:
    with disk_errors("reading", path), path.open("rb") as file:
        return _table(path, file.readline())


def _table(path: Path, line: bytes) -> dict[str, _Part]:
    try:
        entries = decode_line(line.removesuffix(b"\n"))
    except ValueError as error:
        raise _damaged(path) from error
    return {
        name: _Part(tuple(shape), dtype, start + len(line), size, crc)
        for name, (shape, dtype, start, size, crc) in entries.items()
    }


def _unpack(path: Path, name: str) -> NDArray[Any]:
    with disk_errors("reading", path), path.open("rb") as file:
        part = _table(path, file.readline()).get(name)
        if part is None:
            raise _damaged(path)
        file.seek(part.start)
        data = file.read(part.size)
    if len(data) != part.size or google_crc32c.value(data) != part.crc:
        raise _damaged(path)
    raw = Zstd().decode(data) if data else b""
    return np.frombuffer(raw, part.dtype).reshape(part.shape)


def _damaged(path: Path) -> StoreDamaged:
    return StoreDamaged(
        f"the slabs in {path} are damaged", remedy="verify the output to have the damaged blocks made again"
    )
