"""Store block-local labels, and the slabs that neighbours compare, until labels are stitched.

On disk a block has two files: its shard of the array ``local_labels``, and a file
of packed arrays under ``slabs/``: the object sizes, the ids at the layer's
border, then one slab per neighbour. A neighbour reads only the slab that it shares.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tiling import ShardIndex
from napari_s1omni.joining.stitching import BlockLabels, Offset
from napari_s1omni.storage.files.disk import Disk
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.files.packed_arrays import pack_arrays, packed_names, read_packed_array
from napari_s1omni.storage.result.shards import digest
from napari_s1omni.storage.result.store import ResultStore

FOLDER = "slabs"
ARRAY = "local_labels"


class LabelScratch(Protocol):
    """Stores what each block contributes to stitching."""

    def put(self, index: ShardIndex, settled: BlockLabels) -> str:
        """Store one block, replacing an earlier version; return the digest of its labels."""
        ...

    def core(self, index: ShardIndex) -> NDArray[np.uint32]:
        """Return a block's labels without its halo, in the axes of the target."""
        ...

    def areas(self, index: ShardIndex) -> NDArray[np.int64]:
        """Return the sizes of a block's objects in voxels, for ids 1..n."""
        ...

    def border(self, index: ShardIndex) -> NDArray[np.uint32]:
        """Return the ids of a block's objects that touch the border of the layer."""
        ...

    def slab(self, index: ShardIndex, offset: Offset) -> NDArray[np.uint32]:
        """Return a block's labels in the voxels that it shares with one neighbour."""
        ...

    def digest(self, index: ShardIndex) -> str:
        """Return the digest of a block's labels as stored now."""
        ...


class MemoryScratch:
    """A :class:`LabelScratch` for previews and small images.

    Parameters
    ----------
    target : LayerSpec
        The layer that will be written.
    """

    def __init__(self, target: LayerSpec) -> None:
        self._axes = target.axes
        self._kept: dict[ShardIndex, BlockLabels] = {}

    def put(self, index: ShardIndex, settled: BlockLabels) -> str:
        """See :meth:`LabelScratch.put`."""
        self._kept[index] = settled
        return self.digest(index)

    def core(self, index: ShardIndex) -> NDArray[np.uint32]:
        """Return a block's labels without its halo, in the axes of the target."""
        return _in_axes(self._kept[index].core, self._axes)

    def areas(self, index: ShardIndex) -> NDArray[np.int64]:
        """See :meth:`LabelScratch.areas`."""
        return self._kept[index].areas

    def border(self, index: ShardIndex) -> NDArray[np.uint32]:
        """Return the ids of a block's objects that touch the border of the layer."""
        return self._kept[index].border

    def slab(self, index: ShardIndex, offset: Offset) -> NDArray[np.uint32]:
        """Return a block's labels in the voxels that it shares with one neighbour."""
        return self._kept[index].slabs[offset]

    def digest(self, index: ShardIndex) -> str:
        """See :meth:`LabelScratch.digest`."""
        return digest(self.core(index))


class DiskScratch:
    """A :class:`LabelScratch` under ``.s1omni/`` of a result.

    Parameters
    ----------
    store : ResultStore
    """

    def __init__(self, store: ResultStore) -> None:
        self._array = store.require_array(ARRAY, "uint32", store.target.shape, store.block)
        self._target = store.target
        self._block = store.block

    def put(self, index: ShardIndex, settled: BlockLabels) -> str:
        """Store one block: its labels first, then its slabs; both are on disk when this returns."""
        found = self._array.write(self._origin(index), _in_axes(settled.core, self._target.axes))
        parts: dict[str, NDArray[Any]] = {"areas": settled.areas, "border": settled.border}
        parts.update((_slab_name(offset), slab) for offset, slab in settled.slabs.items())
        self._array.store.put(f"{WORK}/{FOLDER}/{_slab_file(index)}", pack_arrays(parts), fresh=True)
        return found

    def core(self, index: ShardIndex) -> NDArray[np.uint32]:
        """See :meth:`LabelScratch.core`."""
        start = self._origin(index)
        stop = (min(o + b, n) for o, b, n in zip(start, self._block, self._target.shape, strict=True))
        return self._array.read(tuple(map(slice, start, stop)))

    def areas(self, index: ShardIndex) -> NDArray[np.int64]:
        """See :meth:`LabelScratch.areas`."""
        return read_packed_array(self._path(index), "areas")

    def border(self, index: ShardIndex) -> NDArray[np.uint32]:
        """See :meth:`LabelScratch.border`."""
        return read_packed_array(self._path(index), "border")

    def slab(self, index: ShardIndex, offset: Offset) -> NDArray[np.uint32]:
        """See :meth:`LabelScratch.slab`."""
        return read_packed_array(self._path(index), _slab_name(offset))

    def digest(self, index: ShardIndex) -> str:
        """Return the digest of a block's labels as stored now, after checking that its slabs can be read.

        Raises
        ------
        StoreDamaged
            If a checksum does not match or a file is missing or cut short.
        """
        path = self._path(index)
        for name in packed_names(path):
            read_packed_array(path, name)
        return self._array.digest(self._origin(index))

    @property
    def disk(self) -> Disk:
        """The file system of the store."""
        return self._array.store.disk

    def put_file(self, name: str, parts: Iterable[bytes]) -> None:
        """Store another file under ``.s1omni/``, part by part."""
        self._array.store.put(f"{WORK}/{name}", parts)

    def _origin(self, index: ShardIndex) -> tuple[int, ...]:
        return tuple(i * b for i, b in zip(index, self._block, strict=True))

    def _path(self, index: ShardIndex) -> Path:
        return Path(self._array.store.root) / WORK / FOLDER / _slab_file(index)


def _in_axes(core: NDArray[np.uint32], axes: Sequence[str]) -> NDArray[np.uint32]:
    """Return labels (z, y, x) in the axes of the target; other axes have size 1."""
    sizes = {"t": 1, **dict(zip("zyx", core.shape, strict=True))}
    return core.reshape([sizes[axis] for axis in axes])


def _slab_file(index: ShardIndex) -> str:
    # One folder per row of blocks, so that no folder grows with the volume.
    return "/".join(map(str, index))


def _slab_name(offset: Offset) -> str:
    return ",".join(map(str, offset))
