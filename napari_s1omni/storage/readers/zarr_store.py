"""Read Zarr v2 and v3 arrays and OME-Zarr images on disk, s3 and http."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr
import zarr.errors
import zarr.storage

from napari_s1omni.core.paths import is_url
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.files.remote import TIMEOUT, read_error, remote_options
from napari_s1omni.storage.readers.ngff import read_ngff
from napari_s1omni.storage.readers.ngff_metadata import level_paths
from napari_s1omni.storage.readers.raw_image import RawImage, ZarrArrayPixels

_TIMEOUT = TIMEOUT
"""Seconds without an answer after which reading a remote store fails."""


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


def read_zarr(uri: str, level: int) -> RawImage:
    """Read the metadata of an array, or of an OME-Zarr 0.4 or 0.5 image.

    An array that is a level of a multiscale image takes its axes and pixel size from the image.
    """
    node = _open(uri)
    if isinstance(node, zarr.Group):
        return _with_empty_note(read_ngff(node, uri, level, wrap_array))
    if level:
        raise SourceError(f"level {level} of {uri}, which is one array", remedy="give the group that holds the levels")
    parent, _, name = uri.rstrip("/").rpartition("/")
    group = _group_at(parent) if name and parent else None
    listed = level_paths(group) if group is not None else []
    if group is not None and name in listed:
        return _with_empty_note(replace(read_ngff(group, parent, listed.index(name), wrap_array), uri=uri))
    names = getattr(node.metadata, "dimension_names", None) or node.attrs.get("_ARRAY_DIMENSIONS")
    axes = "".join((str(n) or "?").lower()[0] for n in names) if names and all(names) else None
    found = wrap_array(node, uri)
    return _with_empty_note(RawImage(found, axes, found.chunks, uri=uri))


def wrap_array(array: Any, uri: str) -> ZarrPixels:
    """Wrap a zarr array so that its errors name `uri`."""
    return ZarrPixels(array, tuple(array.shape), np.dtype(array.dtype), tuple(array.chunks), uri)


def _with_empty_note(raw: RawImage) -> RawImage:
    """Add a note if a local array has no stored chunk at all."""
    array = raw.pixels
    if not isinstance(array, ZarrPixels) or not Path(array.uri).is_dir():
        return raw
    kept = {"zarr.json", ".zarray", ".zattrs", ".zgroup"}
    if any(entry.is_file() and entry.name not in kept for entry in Path(array.uri).rglob("*")):
        return raw
    note = f"{array.uri} holds no chunk; every pixel is read as the fill value {array.array.fill_value}"
    return replace(raw, notes=(*raw.notes, note))


def _open(uri: str) -> Any:
    store = _store(uri)
    try:
        return zarr.open(store, mode="r")
    except (zarr.errors.NodeNotFoundError, zarr.errors.ContainsArrayError, FileNotFoundError) as error:
        raise SourceError(
            f"{uri} is not a Zarr store: it has no zarr.json, .zgroup or .zarray",
            "a store is a Zarr group or array of version 2 or 3",
            _inside_remedy(uri),
            path=uri,
        ) from error
    except (json.JSONDecodeError, KeyError, TypeError, ValueError, zarr.errors.BaseZarrError) as error:
        what = f"key {error} is missing" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
        raise SourceError(
            f"the metadata of {uri} cannot be understood ({what})",
            "zarr.json, or .zgroup, .zarray and .zattrs, hold Zarr metadata as valid JSON",
            "write the metadata again",
            path=uri,
        ) from error
    except Exception as error:
        raise read_error(uri, error) from error


def _inside_remedy(uri: str) -> str:
    folder = Path(uri)
    if (folder / ".zattrs").is_file():
        return 'add the file .zgroup with {"zarr_format": 2}, which is missing beside .zattrs'
    inside = sorted(p.name for p in folder.iterdir() if p.is_dir())[:8] if folder.is_dir() else []
    return f"choose an image or array inside; it holds {', '.join(inside)}" if inside else "check the path"


def _group_at(uri: str) -> Any:
    try:
        node = zarr.open(_store(uri), mode="r")
    except Exception:
        return None
    return node if isinstance(node, zarr.Group) else None


def _store(uri: str) -> Any:
    if not is_url(uri):
        return zarr.storage.LocalStore(uri, read_only=True)
    options = remote_options(uri, _TIMEOUT)
    return zarr.storage.FsspecStore.from_url(uri, storage_options=options, read_only=True)
