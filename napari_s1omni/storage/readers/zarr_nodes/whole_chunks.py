"""Refuse Blosc chunks that are cut off: Blosc itself reads on behind their end, whatever is there."""

from __future__ import annotations

from typing import Any

import zarr
import zarr.storage
from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype

_HEADER = 16
"""Bytes of the header of a Blosc chunk; the last four are the size of the chunk."""


class WholeBloscChunks(zarr.storage.WrapperStore[Store]):  # type: ignore[misc]  # zarr has no types here
    """The store of an array whose chunks end with a Blosc codec."""

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Return a chunk; raise ValueError if it is shorter than its header says."""
        found = await self._store.get(key, prototype, byte_range)
        if found is not None and byte_range is None:
            size = len(found)
            told = int.from_bytes(found[12:_HEADER].to_bytes(), "little") if size >= _HEADER else _HEADER
            if size < told:
                raise ValueError(f"it has {size:,} of its {told:,} bytes, so it was cut off")
        return found


def with_whole_chunks(array: Any) -> Any:
    """Return a zarr array whose Blosc chunks are checked when they are read; any other array is returned unchanged."""
    metadata = array.metadata
    last = metadata.compressor if metadata.zarr_format == 2 else metadata.codecs[-1]
    if not type(last).__name__.startswith("Blosc"):
        return array
    place = array.store_path
    checked = zarr.storage.StorePath(WholeBloscChunks(place.store), place.path)
    return zarr.Array.from_dict(checked, metadata.to_dict())
