"""ChunkedArray: a Zarr v2 array whose chunks are written in groups, each by one writer."""

from __future__ import annotations

import itertools
from typing import Any, Self

import numpy as np
import zarr
from numcodecs import Blosc
from numpy.typing import NDArray

from napari_s1omni.storage.files.fsync_store import FsyncStore
from napari_s1omni.storage.result.sharded_array import ShardedArray
from napari_s1omni.storage.result.shards import inner_chunk
from napari_s1omni.storage.sinks.sink import check_block


class ChunkedArray(ShardedArray):
    """A :class:`ShardedArray` of Zarr v2, which has no shards: a shard is a group of chunks, each in its own file."""

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
        chunk = inner_chunk(shard, axes, np.dtype(dtype).itemsize)
        in_memory: dict[str, Any] = {}
        zarr.create_array(
            in_memory,
            shape=shape,
            dtype=dtype,
            # A chunk that is larger than the array is alone along that axis.
            chunks=tuple(min(c, n) for c, n in zip(chunk, shape, strict=True)),
            compressors=_blosc(),
            fill_value=0,
            chunk_key_encoding={"name": "v2", "separator": "/"},
            zarr_format=2,
        )
        store.put(f"{name}/.zarray", in_memory[".zarray"].to_bytes())
        return cls.open(store, name, shard)

    def put(self, origin: tuple[int, ...], pixels: NDArray[Any]) -> None:
        """Write the chunks of the shard that starts at `origin`; chunks of zeros are not stored."""
        check_block(origin, pixels, shape=self.shape, block=self.shard, dtype=self.dtype, name=self.name)
        stored = pixels.dtype.newbyteorder("<")
        codec = _blosc()
        for key, box in self._chunks(origin):
            inside = pixels[box]
            if not inside.any():
                self.store.remove(key)
                continue
            full = np.zeros(self.chunk, stored)
            full[tuple(slice(0, n) for n in inside.shape)] = inside
            self.store.put(key, bytes(codec.encode(full)), fresh=True)

    def clear(self, origin: tuple[int, ...]) -> None:
        """Set all pixels of the shard that starts at `origin` to 0."""
        for key, _ in self._chunks(origin):
            self.store.remove(key)

    def _chunks(self, origin: tuple[int, ...]) -> list[tuple[str, tuple[slice, ...]]]:
        """Return the key of each chunk of a shard, and its pixels in the shard."""
        ranges = [
            range(o, min(o + s, n), c) for o, s, n, c in zip(origin, self.shard, self.shape, self.chunk, strict=True)
        ]
        found = []
        for start in itertools.product(*ranges):
            key = "/".join([self.name, *(str(i // c) for i, c in zip(start, self.chunk, strict=True))])
            box = tuple(slice(i - o, i - o + c) for i, o, c in zip(start, origin, self.chunk, strict=True))
            found.append((key, box))
        return found


def _blosc() -> Blosc:
    """Return the compression that every reader of Zarr v2 knows."""
    return Blosc(cname="zstd", clevel=1, shuffle=Blosc.SHUFFLE)
