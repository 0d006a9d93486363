"""ShardedArray: a zarr array whose shards are each written as a whole, by one writer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec

from napari_s1omni.core.tiling import ShardIndex
from napari_s1omni.errors import StoreDamaged, StoreError
from napari_s1omni.storage.files.fsync_store import FsyncStore
from napari_s1omni.storage.result.shards import ZSTD_LEVEL, digest, encode_shard, inner_chunk
from napari_s1omni.storage.sinks.sink import check_block


def place_of(store: Any) -> str:
    """Return where a store lies, for messages."""
    return str(getattr(store, "root", getattr(store, "path", store)))


class ShardedArray:
    """An array in a :class:`FsyncStore`.

    Parameters
    ----------
    store : FsyncStore
        Or another store of zarr, to read only.
    name : str
        Path of the array in the store.
    array : zarr.Array
        The same array, for reading.
    shard : tuple of int, optional
        What is written at a time, in pixels; by default the shards of the array.
    """

    def __init__(self, store: Any, name: str, array: Any, shard: tuple[int, ...] | None = None) -> None:
        self.store: FsyncStore = store
        self.name = name
        self.array = array
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.chunk: tuple[int, ...] = tuple(array.chunks)
        self.shard: tuple[int, ...] = shard or tuple(array.shards)
        self.dtype = str(np.dtype(array.dtype).name)

    @classmethod
    def create(
        cls,
        store: FsyncStore,
        name: str,
        *,
        shape: tuple[int, ...],
        dtype: str,
        shard: tuple[int, ...],
        axes: tuple[str, ...],
    ) -> Self:
        """Create an array of zeros; metadata left by a killed attempt is replaced."""
        # Created in memory: in place, zarr would also create the groups above, which must come last.
        in_memory: dict[str, Any] = {}
        zarr.create_array(
            in_memory,
            shape=shape,
            dtype=dtype,
            chunks=inner_chunk(shard, axes, np.dtype(dtype).itemsize),
            shards=shard,
            compressors=[ZstdCodec(level=ZSTD_LEVEL), Crc32cCodec()],
            fill_value=0,
            dimension_names=axes,
            zarr_format=3,
        )
        store.put(f"{name}/zarr.json", in_memory["zarr.json"].to_bytes())
        return cls.open(store, name)

    @classmethod
    def open(cls, store: Any, name: str, shard: tuple[int, ...] | None = None) -> Self:
        """Open an existing array; `shard` is needed where its metadata has no shards."""
        try:
            return cls(store, name, zarr.open_array(store, path=name, mode="r"), shard)
        except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
            raise StoreDamaged(
                f"array {name} of {place_of(store)}: {error}", remedy="run it again with another output"
            ) from error

    def key(self, origin: tuple[int, ...]) -> str:
        """Key of the shard that starts at `origin`."""
        return "/".join([self.name, "c", *(str(o // s) for o, s in zip(origin, self.shard, strict=True))])

    def write(self, origin: tuple[int, ...], pixels: NDArray[Any]) -> str:
        """Write the shard that starts at `origin`; return the digest of its pixels."""
        self.put(origin, pixels)
        return digest(pixels)

    def put(self, origin: tuple[int, ...], pixels: NDArray[Any]) -> None:
        """Write the shard that starts at `origin`."""
        check_block(origin, pixels, shape=self.shape, block=self.shard, dtype=self.dtype, name=self.name)
        data = encode_shard(pixels, self.chunk, self.shard)
        if data is None:
            self.store.remove(self.key(origin))
        else:
            self.store.put(self.key(origin), data, fresh=True)

    def clear(self, origin: tuple[int, ...]) -> None:
        """Set all pixels of the shard that starts at `origin` to 0."""
        self.store.remove(self.key(origin))

    def read(self, box: tuple[slice, ...]) -> NDArray[Any]:
        """Read a box in pixels.

        Raises
        ------
        StoreDamaged
            If a checksum does not match or a file is cut short.
        """
        try:
            pixels: NDArray[Any] = np.asarray(self.array[box])
        except OSError as error:
            raise StoreError(f"reading {self.name} of {place_of(self.store)} failed: {error}") from error
        except (ValueError, RuntimeError) as error:
            shown = ", ".join(f"{s.start}:{s.stop}" if isinstance(s, slice) else str(s) for s in box)
            raise StoreDamaged(
                f"pixels [{shown}] of {place_of(self.store)}/{self.name} are damaged: {error}",
                remedy=f"redo the damaged blocks with: s1omni resume {place_of(self.store)} --verify",
            ) from error
        return pixels

    def read_block(self, index: ShardIndex) -> NDArray[Any]:
        """Read one shard by its index per axis."""
        pairs = zip(index, self.shard, self.shape, strict=True)
        return self.read(tuple(slice(i * s, min(i * s + s, n)) for i, s, n in pairs))

    def digest(self, origin: tuple[int, ...]) -> str:
        """Return the digest of the stored pixels of one shard, as :meth:`write` does."""
        return digest(self.read_block(tuple(o // s for o, s in zip(origin, self.shard, strict=True))))


class CheckedArray:
    """An array of a result whose damaged pixels raise :class:`StoreDamaged`; indexing it reads.

    Parameters
    ----------
    array : ShardedArray
    """

    def __init__(self, array: ShardedArray) -> None:
        self._array = array
        self.shape = array.shape
        self.dtype = np.dtype(array.dtype)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        whole = index if isinstance(index, tuple) else (index,)
        shape = enumerate(self.shape)
        folder = Path(place_of(self._array.store)) / self._array.name
        if not folder.is_dir():
            # Zarr would read zeros.
            raise StoreDamaged(f"{folder} was deleted", remedy="restore it, or run the job into another output")
        known = tuple(slice(0, n) for _, n in shape) if whole == (Ellipsis,) else whole
        return self._array.read(known)
