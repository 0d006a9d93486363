"""The pixels of a Zarr array, with errors that name the store, the array and the chunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.files.remote import read_error
from napari_s1omni.storage.readers.raw_image import ZarrArrayPixels
from napari_s1omni.storage.readers.zarr_nodes.chunk_keys import StoredArray
from napari_s1omni.storage.readers.zarr_nodes.whole_chunks import with_whole_chunks


@dataclass(frozen=True, slots=True)
class ZarrPixels(ZarrArrayPixels):
    """A Zarr array whose errors name the store, the array and the chunk."""

    uri: str
    """Path or URI of the array, for messages."""

    def read_error(self, index: tuple[slice, ...], error: Exception) -> SourceError:
        """Find the first chunk in the box that fails on its own and name its key."""
        stored = self.array.shards or self.array.chunks
        first = [part.start // n for part, n in zip(index, stored, strict=True)]
        count = [-(-part.stop // n) - f for part, n, f in zip(index, stored, first, strict=True)]
        for offset in np.ndindex(*count):
            place = tuple(f + o for f, o in zip(first, offset, strict=True))
            box = tuple(
                slice(max(part.start, p * n), min(part.stop, (p + 1) * n))
                for part, p, n in zip(index, place, stored, strict=True)
            )
            try:
                self.array[box]
            except Exception as chunk_error:
                key = self.array.metadata.encode_chunk_key(place)
                return read_error(f"chunk {key} of {self.uri}", chunk_error)
        return read_error(self.uri, error)


def document_error(what: str, error: BaseException) -> SourceError:
    """Return the error for metadata that cannot be understood; a codec that is not installed is no damage."""
    if type(error).__name__ == "UnknownCodecError":
        return SourceError(
            f"{what} is compressed or filtered by a codec that is not installed here ({error})",
            "codecs are those of the packages zarr, numcodecs and imagecodecs",
            "install the package of this codec (often imagecodecs), or write the array again with another one",
        )
    reason = f"key {error} is missing" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
    return SourceError(
        f"the metadata of {what} cannot be understood ({reason})",
        "zarr.json, or .zgroup, .zarray and .zattrs, hold Zarr metadata as valid JSON",
        "write the metadata again",
    )


def pixels_of(stored: StoredArray) -> ZarrPixels:
    """Return the pixels of an array whose chunks were found."""
    array = with_whole_chunks(stored.array)
    return ZarrPixels(array, tuple(array.shape), np.dtype(array.dtype), tuple(array.chunks), stored.uri)
