"""ResultStore: an output folder that is an OME-Zarr image or label image, written by any number of processes.

A folder of its own is OME-Zarr 0.5. Labels inside an image have the version of that image, 0.4 or 0.5, and its levels.
"""

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
from napari_s1omni.errors import S1OmniError, StoreDamaged, StoreError, StoreExists, StoreMissing
from napari_s1omni.planning.zarr_folder import ZarrFormat, read_attributes, zarr_format
from napari_s1omni.storage.files.disk import Disk, OnStep, disk_errors, no_step
from napari_s1omni.storage.files.fsync_store import WORK, FsyncStore
from napari_s1omni.storage.files.remote_result import RemoteArray, RemoteResult
from napari_s1omni.storage.image_group.group_document import ome_attributes, put_group
from napari_s1omni.storage.image_group.image_levels import read_image_levels
from napari_s1omni.storage.image_group.image_pyramid import ImagePyramid
from napari_s1omni.storage.image_group.label_place import LabelPlace
from napari_s1omni.storage.image_group.labels_group import register_labels
from napari_s1omni.storage.logs.pyramid_log import PyramidLog
from napari_s1omni.storage.result.chunked_array import ChunkedArray
from napari_s1omni.storage.result.metadata import KEY, Window, label_colors, labels_metadata, ome_metadata, own_metadata
from napari_s1omni.storage.result.output_checks import nothing_at
from napari_s1omni.storage.result.output_fingerprint import FINGERPRINT
from napari_s1omni.storage.result.pyramid import Pyramid
from napari_s1omni.storage.result.sharded_array import CheckedArray, ShardedArray
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
        self.pyramid = _pyramid(self.attributes)

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
        colors: Sequence[str] = (),
        into: LabelPlace | None = None,
        disk: Disk | None = None,
        on_step: OnStep = no_step,
    ) -> Self:
        """Create an empty result.

        Parameters
        ----------
        path : Path or str
            The folder. It may hold ``.s1omni/``, but no other store.
        target : LayerSpec
        block : tuple of int
            Size of a block in pixels per axis of `target`; each block is one file of level 0.
        attributes : mapping
            JSON values stored under the key ``s1omni``: job, plan, engine and so on.
        name : str
            Shown in viewers.
        windows : sequence of (low, high), optional
            Display range of each channel, or one for all.
        colors : sequence of str, optional
            Colour of each channel as ``RRGGBB``; an empty one is chosen.
        into : LabelPlace, optional
            The path is ``IMAGE/labels/NAME`` of an OME-Zarr image, and this is where the labels lie in it;
            :meth:`finish` will list them there.
        disk : Disk, optional
        on_step : callable, optional
            Called with ``temp`` and ``renamed`` during each commit.

        Raises
        ------
        StoreExists
            If the folder holds a store.
        """
        path = Path(path)
        if zarr_format(path) is not None:
            raise StoreExists(
                f"{path} already holds a store", remedy="open it, or choose another output", path=str(path)
            )
        store = FsyncStore(path, disk=disk, on_step=on_step)
        version: ZarrFormat = 3
        own = {**own_metadata(attributes, target, block), "into": into is not None, "state": "running"}
        if into is None:
            ome = ome_metadata(target, Pyramid.of(target, block), name, windows, colors)
        else:
            image = read_image_levels(path.parent.parent, into.axes)
            version, levels = image.zarr_format, ImagePyramid.of(image, target, block, into)
            ome = labels_metadata(target, levels, name, image)
            own["levels"] = levels.to_json()
        pyramid, kind = _pyramid(own), _ARRAYS[version]
        arrays = [
            kind.create(
                store, pyramid.name(i), shape=level.shape, dtype=target.dtype, shard=level.shard, axes=target.axes
            )
            for i, level in enumerate(pyramid.levels)
        ]
        # The root metadata comes last: without it, the store does not exist.
        put_group(store, {**ome_attributes(ome, version), KEY: own}, version)
        return cls(store, own, arrays)

    @staticmethod
    def exists(path: Path | str) -> bool:
        """Whether there is a store at a path or URL: its metadata is written once all arrays exist."""
        place = full_path(path)
        if is_url(place):
            return RemoteResult(place).exists
        return any((Path(place) / name).is_file() for name in ("zarr.json", ".zattrs"))

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
        StoreMissing
            If there is none.
        StoreDamaged
            If its metadata or an array is incomplete.
        """
        place = full_path(path)
        remote = RemoteResult(place, mode) if is_url(place) else None
        path = Path(place)
        if remote is None:
            with disk_errors("reading", path):
                attributes = read_attributes(path) if cls.exists(path) else None
        else:
            attributes = _remote_attributes(remote) if remote.exists else None
        if attributes is None:
            raise _no_result(place)
        own = attributes.get(KEY)
        if not isinstance(own, dict) or not {"layer", "block"} <= own.keys():
            if remote is None and (path / FINGERPRINT).exists():
                raise StoreDamaged(
                    f"the metadata of {place} cannot be read",
                    "a run was begun there",
                    "restore its file zarr.json from a copy, or run the job into another output",
                    path=place,
                )
            raise StoreMissing(
                f"{place} is a Zarr store of another program", "a result is the output folder of a run", path=place
            )
        store = remote.store if remote else FsyncStore(path, read_only=mode == "r", disk=disk, on_step=on_step)
        pyramid, kind = _pyramid(own), _ARRAYS[3 if remote else zarr_format(path) or 3]
        arrays = [kind.open(store, pyramid.name(i), level.shard) for i, level in enumerate(pyramid.levels)]
        return cls(store, own, arrays, remote)

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
        """Zarr arrays, the resolution of the run first, then coarser ones; indexing reads them."""
        return [self._array(array) for i, array in enumerate(self._arrays) if not self.pyramid.is_finer(i)]

    def checked_level(self, level: int) -> Any:
        """Return one of :attr:`levels` as an array-like that raises :class:`StoreDamaged` for damaged pixels."""
        shown = [array for i, array in enumerate(self._arrays) if not self.pyramid.is_finer(i)]
        return CheckedArray(shown[level]) if self._remote is None else self._array(shown[level])

    def _array(self, array: ShardedArray | ChunkedArray) -> Any:
        return array.array if self._remote is None else RemoteArray(array.array, f"{self.uri}/{array.name}")

    def write_block(self, origin: tuple[int, ...], pixels: NDArray[Any]) -> str:
        """Write one block and its part of the finer levels; see :meth:`Sink.write_block`."""
        for level, at, part in self.pyramid.block_levels(origin, pixels):
            self._arrays[level].put(at, part)
        return digest(pixels)

    def read(self, box: tuple[slice, ...], level: int = 0) -> NDArray[Any]:
        """Read a box in pixels of a level; unwritten pixels are 0."""
        return self._arrays[level].read(box)

    def sample(self, step: tuple[int, ...], box: tuple[slice, ...]) -> NDArray[Any]:
        """Read a box of the complete result in steps of some pixels, from the coarsest level that is fine enough.

        Parameters
        ----------
        step : tuple of int
            Pixels of level 0 per pixel that is read, along each axis.
        box : tuple of slice
            In such steps; it may reach beyond the end by part of a step, where the last pixel is repeated.
        """
        place = [self.pyramid.place(i)[0] for i in range(len(self.levels))]
        # Sizes that are not whole multiples of each other give odd steps, such as 2.0004.
        level = max(
            i for i, size in enumerate(place) if i == 0 or all(a <= 1.01 * b for a, b in zip(size, step, strict=True))
        )
        array, ratio = self._arrays[level], [s / a for s, a in zip(step, place[level], strict=True)]
        if array.shape == tuple(-(-n // s) for n, s in zip(self.target.shape, step, strict=True)):
            return array.read(box)
        index = [
            np.minimum((np.arange(b.start, b.stop) * r).astype(np.int64), n - 1)
            for b, r, n in zip(box, ratio, array.shape, strict=True)
        ]
        return np.asarray(array.array.oindex[tuple(index)])

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
        for level, origin in self.pyramid.shards_over(blocks):
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
        objects = self.attributes.get("summary", {}).get("objects")
        self._put_metadata(1 if objects is None else int(objects))
        if self.attributes["into"]:
            register_labels(self.path, self._store.disk)

    def add_ids(self, highest: int) -> None:
        """Note that labels now have ids up to `highest`: those in an image list a colour for each."""
        listed = read_attributes(self.path).get("ome", {}).get("image-label", {}).get("colors", [])
        if listed and highest >= len(listed):
            self._put_metadata(highest)
            register_labels(self.path, self._store.disk)

    def _put_metadata(self, highest: int) -> None:
        """Write the metadata of the group; labels inside an image of 0.5 have ids up to `highest`."""
        found = {**read_attributes(self.path), KEY: self.attributes}
        version = zarr_format(self.path) or 3
        if self.attributes["into"] and version == 3:
            label = {k: v for k, v in found["ome"]["image-label"].items() if k != "colors"}
            colors = label_colors(highest)
            found["ome"] = {**found["ome"], "image-label": {**label, **({"colors": colors} if colors else {})}}
        put_group(self._store, found, version)


def _no_result(place: str) -> S1OmniError:
    """Return the error for a place without a result: nothing is there, a run has just begun, or files were lost."""
    if not is_url(place) and (Path(place) / WORK / "journal").is_dir():
        return StoreDamaged(
            f"{place} has lost its metadata",
            "a result has a file zarr.json",
            "restore it from a copy, or run the job into another output",
            path=place,
        )
    return nothing_at(place, "result")


_ARRAYS: dict[ZarrFormat, type[ShardedArray]] = {2: ChunkedArray, 3: ShardedArray}


def _remote_attributes(remote: RemoteResult) -> dict[str, Any]:
    try:
        return dict(zarr.open_group(remote.store, mode="r", zarr_format=3).attrs)
    except (ValueError, KeyError, TypeError, FileNotFoundError) as error:
        raise StoreDamaged(f"the metadata of {remote.url} cannot be read: {error}", path=remote.url) from error


def _pyramid(own: Mapping[str, Any]) -> Pyramid | ImagePyramid:
    """Return the levels of a result from its own attributes."""
    if "levels" in own:
        return ImagePyramid.from_json(own["levels"])
    return Pyramid.of(LayerSpec.from_json(own["layer"]), tuple(own["block"]))
