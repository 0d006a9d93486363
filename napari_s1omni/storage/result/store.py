"""ResultStore: an output folder that is an OME-Zarr 0.5 image or label image, written by any number of processes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_s1omni.core.paths import full_path, is_url
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tiling import ShardIndex
from napari_s1omni.errors import StoreDamaged, StoreError, StoreExists
from napari_s1omni.storage.files.disk import Disk, OnStep, disk_errors, no_step
from napari_s1omni.storage.files.fsync_store import WORK, FsyncStore
from napari_s1omni.storage.files.remote_result import RemoteArray, RemoteResult
from napari_s1omni.storage.logs.pyramid_log import PyramidLog
from napari_s1omni.storage.result.labels_group import register_labels
from napari_s1omni.storage.result.metadata import KEY, Window, group_document, ome_metadata, own_metadata
from napari_s1omni.storage.result.pyramid import Pyramid
from napari_s1omni.storage.result.sharded_array import ShardedArray
from napari_s1omni.storage.result.shards import digest


class ResultStore:
    """A result on disk; ``.s1omni/`` beside the arrays holds everything else.

    Use :meth:`create` or :meth:`open`. Several processes may open one store;
    each block is written by one of them, and the coarse levels by one.
    """

    def __init__(
        self,
        store: Any,
        attributes: Mapping[str, Any],
        arrays: Sequence[ShardedArray],
        remote: RemoteResult | None = None,
    ) -> None:
        self._store = store
        self._arrays = tuple(arrays)
        self._remote = remote
        self.attributes: dict[str, Any] = dict(attributes)
        self.target = LayerSpec.from_json(self.attributes["layer"])
        self.block: tuple[int, ...] = tuple(self.attributes["block"])
        self.pyramid = Pyramid.of(self.target, self.block)

    @classmethod
    def create(
        cls,
        path: Path | str,
        *,
        target: LayerSpec,
        block: tuple[int, ...],
        attributes: Mapping[str, Any],
        name: str,
        windows: Sequence[Window] = (),
        into: bool = False,
        disk: Disk | None = None,
        on_step: OnStep = no_step,
    ) -> Self:
        """Create an empty result.

        Parameters
        ----------
        path : Path or str
            The folder. It may hold ``.s1omni/``, but no other store.
        target : LayerSpec
            The layer that will be written.
        block : tuple of int
            Size of a block in pixels per axis of `target`; each block is one file of level 0.
        attributes : mapping
            JSON values stored under the key ``s1omni``: job, plan, engine and so on.
        name : str
            Name of the image, shown in viewers.
        windows : sequence of (low, high), optional
            Display range of each channel, or one for all.
        into : bool
            The path is ``IMAGE/labels/NAME`` of an OME-Zarr 0.5 image; :meth:`finish` will list it there.
        disk : Disk, optional
            File system; ``Disk(durable=False)`` does not fsync.
        on_step : callable, optional
            Called with ``temp`` and ``renamed`` during each commit.

        Raises
        ------
        StoreExists
            If the folder holds a store.
        """
        path = Path(path)
        if (path / "zarr.json").exists():
            raise StoreExists(
                f"{path} already holds a store", remedy="open it, or choose another output", path=str(path)
            )
        store = FsyncStore(path, disk=disk, on_step=on_step)
        pyramid = Pyramid.of(target, block)
        arrays = [
            ShardedArray.create(
                store, str(i), shape=level.shape, dtype=target.dtype, shard=level.shard, axes=target.axes
            )
            for i, level in enumerate(pyramid.levels)
        ]
        own = {**own_metadata(attributes, target, block), "into": into, "state": "running"}
        ome = ome_metadata(target, pyramid, name, windows, "../../" if into else None)
        # The root metadata comes last: without it, the store does not exist.
        store.put("zarr.json", group_document({"ome": ome, KEY: own}))
        return cls(store, own, arrays)

    @staticmethod
    def exists(path: Path | str) -> bool:
        """Whether there is a store at a path or URL."""
        place = full_path(path)
        return RemoteResult(place).exists if is_url(place) else (Path(place) / "zarr.json").is_file()

    @classmethod
    def open(
        cls,
        path: Path | str,
        mode: Literal["r", "r+"] = "r",
        *,
        disk: Disk | None = None,
        on_step: OnStep = no_step,
    ) -> Self:
        """Open an existing result; one behind a URL only for reading.

        Raises
        ------
        StoreError
            If there is none.
        StoreDamaged
            If its metadata or an array is incomplete.
        """
        place = full_path(path)
        remote = RemoteResult(place, mode) if is_url(place) else None
        path = Path(place)
        if remote is None:
            with disk_errors("reading", path):
                there = (path / "zarr.json").is_file()
        else:
            there = remote.exists
        if not there:
            raise StoreError(f"{place} holds no result", "a result is the output folder of a run", path=place)
        store = remote.store if remote else FsyncStore(path, read_only=mode == "r", disk=disk, on_step=on_step)
        try:
            own = dict(zarr.open_group(store, mode="r", zarr_format=3).attrs).get(KEY)
        except (ValueError, KeyError, TypeError, FileNotFoundError) as error:
            raise StoreDamaged(f"the metadata of {place} cannot be read: {error}", path=place) from error
        if not isinstance(own, dict) or not {"layer", "block"} <= own.keys():
            raise StoreError(f"{place} is a zarr store but not a result", "a result is the output folder of a run")
        levels = Pyramid.of(LayerSpec.from_json(own["layer"]), tuple(own["block"])).levels
        return cls(store, own, [ShardedArray.open(store, str(i)) for i in range(len(levels))], remote)

    @property
    def path(self) -> Path:
        """The output folder.

        Raises
        ------
        StoreError
            If the result is behind a URL.
        """
        if self._remote is not None:
            raise StoreError(
                f"{self.uri} is behind a URL", "this needs a result on this machine", "download the result"
            )
        return Path(self._store.root)

    @property
    def is_remote(self) -> bool:
        """Whether the result is behind a URL and is only read."""
        return self._remote is not None

    @property
    def uri(self) -> str:
        """The path of the output folder, or its URL."""
        return self._remote.url if self._remote is not None else str(self.path)

    @property
    def work(self) -> Path:
        """The folder ``.s1omni`` with journal, thoughts, other arrays and control files.

        Of a result behind a URL, a copy of its journal and its small files.
        """
        return self._remote.work if self._remote is not None else self.path / WORK

    @property
    def thoughts(self) -> Path:
        """The folder of the thoughts; that of a result behind a URL is copied when it is first needed."""
        return self._remote.copy_logs("thoughts") if self._remote is not None else self.work / "thoughts"

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be read of a result behind a URL."""
        return self._remote.notes if self._remote is not None else ()

    @property
    def levels(self) -> list[Any]:
        """Zarr arrays, full resolution first; indexing reads them."""
        return [self._array(array) for array in self._arrays]

    def _array(self, array: ShardedArray) -> Any:
        return array.array if self._remote is None else RemoteArray(array.array, f"{self.uri}/{array.name}")

    def write_block(self, origin: tuple[int, ...], pixels: NDArray[Any]) -> str:
        """Write one block and its part of the finer levels; see :meth:`Sink.write_block`."""
        for level, at, part in self.pyramid.block_levels(origin, pixels):
            self._arrays[level].put(at, part)
        return digest(pixels)

    def read(self, box: tuple[slice, ...], level: int = 0) -> NDArray[Any]:
        """Read a box in pixels of a level; unwritten pixels are 0."""
        return self._arrays[level].read(box)

    def digest(self, index: ShardIndex) -> str:
        """Return the digest of a block as stored now, after checking its part of the finer levels.

        Raises
        ------
        StoreDamaged
            If a checksum does not match, a file is cut short, or a level does not match the pixels.
        """
        pixels = self._arrays[0].read_block(index)
        origin = tuple(i * b for i, b in zip(index, self.block, strict=True))
        for level, _, part in self.pyramid.block_levels(origin, pixels):
            if level and not np.array_equal(self._arrays[level].read_block(index), part):
                raise StoreDamaged(f"level {level} of block {index} of {self.path} does not match its pixels")
        return digest(pixels)

    def complete_pyramid(self, digests: Mapping[ShardIndex, str] | None = None) -> int:
        """Compute the coarse levels; see :meth:`Sink.complete_pyramid`."""
        made = 0
        with PyramidLog(self.work / "pyramid.log", self._store.disk) as log:
            for level, origin, inputs in self.pyramid.stale_shards(digests, log.get):
                self._arrays[level].put(origin, self.pyramid.compute_shard(level, origin, self.read))
                if inputs is not None:
                    log.put(level, origin, inputs)
                made += 1
        return made

    def renew_pyramid(self, blocks: Collection[ShardIndex]) -> None:
        """Recompute the coarse levels over some blocks that were rewritten."""
        for level in self.pyramid.coarse_levels:
            at = self.pyramid.levels[level]
            origins = {
                tuple(i * b // f // s * s for i, b, f, s in zip(block, self.block, at.factor, at.shard, strict=True))
                for block in blocks
            }
            for origin in sorted(origins):
                self._arrays[level].put(origin, self.pyramid.compute_shard(level, origin, self.read))

    def require_array(self, name: str, dtype: str, shape: tuple[int, ...], block: tuple[int, ...]) -> ShardedArray:
        """Open an array under ``.s1omni/``, creating it with zeros if missing; it is written like a result.

        Parameters
        ----------
        name : str
            Such as ``local_labels``.
        dtype : str
        shape, block : tuple of int
            In pixels; each block is one file. Axes are the last ones of ``t c z y x``.

        Raises
        ------
        StoreError
            If the array exists with another dtype, shape or block.
        """
        key = f"{WORK}/{name}"
        if not (self.path / key / "zarr.json").is_file():
            axes = ("t", "c", "z", "y", "x")[-len(shape) :]
            return ShardedArray.create(self._store, key, shape=shape, dtype=dtype, shard=block, axes=axes)
        array = ShardedArray.open(self._store, key)
        if (array.shape, array.shard, array.dtype) != (tuple(shape), tuple(block), dtype):
            raise StoreError(
                f"{key} holds {array.dtype} of shape {array.shape} in blocks of {array.shard}",
                f"it must hold {dtype} of shape {shape} in blocks of {block}",
            )
        return array

    def has_work_array(self, name: str) -> bool:
        """Whether there is an array under ``.s1omni/`` with this name."""
        key = f"{WORK}/{name}/zarr.json"
        return self._remote.holds(key) if self._remote is not None else (self.path / key).is_file()

    def work_array(self, name: str) -> Any:
        """Open an array made by :meth:`require_array` for reading, as a zarr array.

        Raises
        ------
        StoreDamaged
            If there is none.
        """
        return self._array(ShardedArray.open(self._store, f"{WORK}/{name}"))

    def finish(self, **attributes: Any) -> None:
        """Mark the result as complete and store more attributes; add a label image to the list of its image."""
        self.attributes |= {"state": "complete", **attributes}
        ome = zarr.open_group(self._store, mode="r", zarr_format=3).attrs["ome"]
        self._store.put("zarr.json", group_document({"ome": ome, KEY: self.attributes}))
        if self.attributes["into"]:
            register_labels(self.path, self._store.disk)
