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

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.axis_names import NamedAxes, are_placeholders, name_axes
from napari_s1omni.storage.readers.ngff import read_ngff
from napari_s1omni.storage.readers.ngff_metadata import level_paths
from napari_s1omni.storage.readers.raw_image import RawImage, ZarrArrayPixels

_TIMEOUT = 60
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
                return _read_error(f"chunk {key} of {self.uri}", chunk_error)
        return _read_error(self.uri, error)


def _read_error(what: str, error: BaseException) -> SourceError:
    """Return the error for a store that cannot be read; its ``transient`` fact says whether a retry may help."""
    words = f"{type(error).__name__}: {error}".rstrip(": ")
    refused = type(error).__name__ in ("NoCredentialsError", "ClientResponseError")
    if isinstance(error, PermissionError) or (refused and getattr(error, "status", 0) < 500):
        return SourceError(
            f"the server refuses access to {what} ({words})",
            "it is public, or this machine has credentials for it",
            "check the address and the credentials; for a public bucket set FSSPEC_S3_ANON=true",
            transient=False,
        )
    if isinstance(error, TimeoutError | ConnectionError) or type(error).__module__.startswith(("aiohttp", "botocore")):
        return SourceError(
            f"{what} did not arrive ({words})",
            "a server must answer within a minute",
            "check the connection and the server, then run it again",
            transient=True,
        )
    return SourceError(
        f"{what} cannot be read ({words})",
        "its bytes must be as they were written",
        "copy it again from the original, or leave its region out",
        transient=False,
    )


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
    return _with_empty_note(_read_alone(node, uri))


def dimension_names(array: Any) -> NamedAxes | None:
    """Return the axes that a zarr array names, in Zarr v3 or as xarray writes them in v2; None if it names none."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    if not isinstance(names, list | tuple) or len(names) != array.ndim or not any(names):
        return None
    return None if are_placeholders(names) else name_axes([name or "" for name in names], array.shape)


def read_zarr_object(node: Any) -> RawImage | None:
    """Read the metadata of a zarr array or group that the user opened; None if it is neither, or a group in memory.

    What lies in a local folder is read from there, so that an array that is a level of an image takes its axes and
    pixel size from it, and other processes can open it.
    """
    root = getattr(getattr(node, "store", None), "root", None)
    if isinstance(root, Path):
        uri = str((root / node.path).absolute())
        try:
            return read_zarr(uri, 0)
        except SourceError as error:
            if isinstance(node, zarr.Group):
                raise
            note = f"the image that this array belongs to cannot be read, so it is read alone: {error.given}"
            return replace(_read_alone(node, uri), notes=(note,))
    return _read_alone(node, None) if isinstance(node, zarr.Array) else None


def _read_alone(array: Any, uri: str | None) -> RawImage:
    """Read the metadata of an array that is no level of an image."""
    named = dimension_names(array)
    pixels = wrap_array(array, uri or "the zarr array")
    if named is None:
        return RawImage(pixels, None, pixels.chunks, uri=uri)
    return RawImage(pixels, named.letters, pixels.chunks, notes=named.notes, uri=uri, axis_names=named.names)


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
        raise _read_error(uri, error) from error


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
