"""Zarr v2 and v3: stores on disk, on s3 and on http, and arrays whose damaged chunk is named."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr
import zarr.errors
import zarr.storage
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.ngff import read_ngff, siblings
from napari_s1omni.storage.readers.raw_image import RawImage

_TIMEOUT = 60
"""Seconds without an answer after which a remote store counts as gone."""


@dataclass(frozen=True, slots=True)
class ZarrPixels:
    """A Zarr array whose failures name the store, the array and the chunk."""

    array: Any
    """zarr array."""
    uri: str
    """The array's place, for messages."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    """Smallest piece that can be decoded on its own."""

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        try:
            return np.asarray(self.array[index])
        except Exception as error:
            raise self._explain(index, error) from error

    def _explain(self, index: tuple[slice, ...], error: Exception) -> SourceError:
        """Find the first piece in the box that fails by itself and name its key."""
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
            except Exception as piece:
                key = self.array.metadata.encode_chunk_key(place)
                return unreadable(f"chunk {key} of {self.uri}", piece)
        return unreadable(self.uri, error)


def unreadable(what: str, error: BaseException) -> SourceError:
    """Say that a store did not deliver, and whether trying again may help."""
    words = f"{type(error).__name__}: {error}".rstrip(": ")
    refused = type(error).__name__ in ("NoCredentialsError", "ClientResponseError")
    if isinstance(error, PermissionError) or (refused and getattr(error, "status", 0) < 500):
        return SourceError(
            f"{what} is refused by its server ({words})",
            "it may be read by anyone, or with the credentials of this machine",
            "check the address and the credentials; for a public bucket set FSSPEC_S3_ANON=true",
            transient=False,
        )
    if isinstance(error, TimeoutError | ConnectionError) or type(error).__module__.startswith(("aiohttp", "botocore")):
        return SourceError(
            f"{what} did not arrive ({words})",
            "the server answers within a minute",
            "check the connection and the server, then run it again",
            transient=True,
        )
    return SourceError(
        f"{what} cannot be read ({words})",
        "its bytes are those that were written",
        "copy it again from where the image came from, or leave its region out",
        transient=False,
    )


def read_zarr(uri: str, level: int) -> RawImage:
    """Describe an array, or an image group of OME-Zarr 0.4 or 0.5.

    An array that a multiscale group lists among its levels takes its axes and
    px size from there.
    """
    node = _open(uri)
    if isinstance(node, zarr.Group):
        return _with_empty_note(read_ngff(node, uri, level, pixels))
    if level:
        raise SourceError(f"level {level} of {uri}, which is one array", remedy="give the group that holds the levels")
    parent, _, name = uri.rstrip("/").rpartition("/")
    group = _group_at(parent) if name and parent else None
    listed = siblings(group) if group is not None else []
    if group is not None and name in listed:
        return _with_empty_note(replace(read_ngff(group, parent, listed.index(name), pixels), uri=uri))
    names = getattr(node.metadata, "dimension_names", None) or node.attrs.get("_ARRAY_DIMENSIONS")
    axes = "".join((str(n) or "?").lower()[0] for n in names) if names and all(names) else None
    found = pixels(node, uri)
    return _with_empty_note(RawImage(found, axes, found.chunks, uri=uri))


def pixels(array: Any, uri: str) -> ZarrPixels:
    """Wrap a zarr array."""
    return ZarrPixels(array, uri, tuple(array.shape), np.dtype(array.dtype), tuple(array.chunks))


def _with_empty_note(stored: RawImage) -> RawImage:
    """Say that no chunk at all is stored, where that can be seen without asking a server."""
    array = stored.pixels
    if not isinstance(array, ZarrPixels) or not Path(array.uri).is_dir():
        return stored
    kept = {"zarr.json", ".zarray", ".zattrs", ".zgroup"}
    if any(entry.is_file() and entry.name not in kept for entry in Path(array.uri).rglob("*")):
        return stored
    note = f"{array.uri} holds no chunk; every px is read as its fill value {array.array.fill_value}"
    return replace(stored, notes=(*stored.notes, note))


def _open(uri: str) -> Any:
    store = _store(uri)
    try:
        return zarr.open(store, mode="r")
    except (zarr.errors.NodeNotFoundError, zarr.errors.ContainsArrayError, FileNotFoundError) as error:
        raise SourceError(
            f"{uri} is no Zarr store: neither zarr.json nor .zgroup nor .zarray is there",
            "a store is a Zarr group or array of version 2 or 3",
            _inside_remedy(uri),
            path=uri,
        ) from error
    except (json.JSONDecodeError, KeyError, TypeError, ValueError, zarr.errors.BaseZarrError) as error:
        what = f"key {error} is missing" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
        raise SourceError(
            f"the metadata of {uri} cannot be understood ({what})",
            "zarr.json, or .zgroup, .zarray and .zattrs, hold the metadata of Zarr as valid JSON",
            "write the metadata again",
            path=uri,
        ) from error
    except Exception as error:
        raise unreadable(uri, error) from error


def _inside_remedy(uri: str) -> str:
    folder = Path(uri)
    if (folder / ".zattrs").is_file():
        return 'add the file .zgroup with {"zarr_format": 2}, which is missing beside .zattrs'
    inside = sorted(p.name for p in folder.iterdir() if p.is_dir())[:8] if folder.is_dir() else []
    return f"look inside: it holds {', '.join(inside)}" if inside else "check the path"


def _group_at(uri: str) -> Any:
    try:
        node = zarr.open(_store(uri), mode="r")
    except Exception:
        return None
    return node if isinstance(node, zarr.Group) else None


def _store(uri: str) -> Any:
    scheme, remote, _ = uri.partition("://")
    if not remote:
        return zarr.storage.LocalStore(uri, read_only=True)
    try:
        import fsspec

        fsspec.get_filesystem_class(scheme)
    except ValueError as error:
        raise SourceError(
            f"{uri} has the protocol {scheme}",
            "a source is a path, or a URL of http, https, s3 or another protocol of fsspec",
        ) from error
    except ImportError as error:
        raise SourceError(
            f"{uri} is a remote store, and a package to read it is missing ({error})",
            "the extra 'remote' is installed",
            'run pip install "napari-s1omni[remote]"',
        ) from error
    options: dict[str, Any] = {}
    if scheme in ("http", "https"):
        from aiohttp import ClientTimeout

        options["client_kwargs"] = {"timeout": ClientTimeout(total=None, sock_connect=_TIMEOUT, sock_read=_TIMEOUT)}
    return zarr.storage.FsspecStore.from_url(uri, storage_options=options, read_only=True)
