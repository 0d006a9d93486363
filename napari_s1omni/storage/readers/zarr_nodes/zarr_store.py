"""Read Zarr v2 and v3 arrays and OME-Zarr images on disk, s3 and http."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import zarr
import zarr.errors
import zarr.storage

from napari_s1omni.core.paths import is_url
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.axis_names import NamedAxes, are_placeholders, name_axes
from napari_s1omni.storage.files.remote import TIMEOUT, read_error, remote_options
from napari_s1omni.storage.readers.raw_image import RawImage
from napari_s1omni.storage.readers.zarr_nodes.chunk_keys import StoredArray, choose_version, version_notes
from napari_s1omni.storage.readers.zarr_nodes.documents import open_groups, open_remembered, open_versions
from napari_s1omni.storage.readers.zarr_nodes.ngff import read_ngff
from napari_s1omni.storage.readers.zarr_nodes.ngff_metadata import find_level, ome_attributes
from napari_s1omni.storage.readers.zarr_nodes.pixels import document_error, pixels_of

_TIMEOUT = TIMEOUT
"""Seconds without an answer after which reading a remote store fails."""
_DEEPEST_LEVEL = 3
"""Most parts of the path of a level within its image, such as 2 for ``scale0/image``."""


def read_zarr(uri: str, level: int) -> RawImage:
    """Read the metadata of an array, or of an OME-Zarr 0.4 or 0.5 image.

    An array that is a level of a multiscale image takes its axes and pixel size from the image.
    """
    notes: list[str] = []
    versions = _open(uri)
    groups = [node for node in versions if isinstance(node, zarr.Group)]
    if not groups and any("multiscales" in ome_attributes(array) for array in versions):
        groups = open_groups(_store(uri))
        notes += [f"{uri} has the documents of a group and of an array; the group is read"] if groups else []
    if groups:
        group = next((g for g in groups if "multiscales" in ome_attributes(g)), groups[0])
        raw = read_ngff(group, uri, level, listed=_is_listed(uri))
        return replace(raw, notes=(*notes, *version_notes(groups, group, uri), *raw.notes))
    if level and versions:
        raise SourceError(f"level {level} of {uri}, which is one array", remedy="give the group that holds the levels")
    around = _image_around(uri)
    if around is not None:
        group, parent, image, its_level = around
        try:
            return replace(read_ngff(group, parent, its_level, image, listed=_is_listed(parent)), uri=uri)
        except SourceError as error:
            if not versions:
                raise
            notes.append(f"{parent}, whose level this array is, is not used, since it cannot be read: {error.given}")
    if not versions:
        raise _no_store(uri)
    stored = choose_version(versions, uri)
    array = stored.array
    if "multiscales" in ome_attributes(array):
        notes.append(
            f"{uri} is an array, whose key multiscales is not read, so pixel size and units in it are lost; only "
            "groups hold images with levels"
        )
    absent = [stored.absent] if stored.absent else []
    return _read_alone(stored, uri, (*notes, *stored.notes, *absent))


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
        return read_zarr(str((root / node.path).absolute()), 0)
    if not isinstance(node, zarr.Array):
        return None
    return _read_alone(StoredArray(node, "the zarr array", False), None, ())


def _read_alone(stored: StoredArray, uri: str | None, notes: tuple[str, ...]) -> RawImage:
    """Read the metadata of an array that is no level of an image."""
    named, pixels = dimension_names(stored.array), pixels_of(stored)
    if named is None:
        return RawImage(pixels, None, pixels.chunks, notes=notes, uri=uri)
    said = (*notes, *named.notes, *_coordinates_beside(uri, named.names))
    return RawImage(pixels, named.letters, pixels.chunks, notes=said, uri=uri, axis_names=named.names)


def _coordinates_beside(uri: str | None, names: tuple[str, ...]) -> tuple[str, ...]:
    """Say that coordinates are not read, which xarray stores beside an array under the names of its dimensions."""
    if uri is None or is_url(uri):
        return ()
    folder = Path(uri).parent
    found = [n for n in names if any((folder / n / document).is_file() for document in (".zarray", "zarr.json"))]
    if not found:
        return ()
    shown = ", ".join(found)
    return (f"coordinates along {shown} beside the array are not read; open it with xarray, or give scale and units",)


def _open(uri: str) -> list[Any]:
    """Open the array or group at a path or URI in each version of Zarr; empty if nothing is there."""
    store = _store(uri)
    try:
        try:
            return open_versions(store)
        except FileNotFoundError:
            return open_remembered(store)
    except (FileNotFoundError, zarr.errors.ContainsArrayError):
        return []
    except (json.JSONDecodeError, KeyError, TypeError, ValueError, zarr.errors.BaseZarrError) as error:
        raise document_error(uri, error) from error
    except Exception as error:
        raise read_error(uri, error) from error


def _no_store(uri: str) -> SourceError:
    return SourceError(
        f"{uri} is not a Zarr store: it has no zarr.json, .zgroup or .zarray",
        "a store is a Zarr group or array of version 2 or 3",
        _inside_remedy(uri),
        path=uri,
    )


def _inside_remedy(uri: str) -> str:
    folder = Path(uri)
    if (folder / ".zattrs").is_file():
        return 'add the file .zgroup with {"zarr_format": 2}, which is missing beside .zattrs'
    inside = sorted(p.name for p in folder.iterdir() if p.is_dir())[:8] if folder.is_dir() else []
    return f"choose an image or array inside; it holds {', '.join(inside)}" if inside else "check the path"


def _image_around(uri: str) -> tuple[Any, str, int, int] | None:
    """Return the group whose image has an array as a level, its URI, and the numbers of image and level."""
    at, path = uri.rstrip("/"), ""
    if "://" not in at:
        at = at.replace(os.sep, "/")
    for _ in range(_DEEPEST_LEVEL):
        at, _, name = at.rpartition("/")
        path = f"{name}/{path}" if path else name
        if not name or not at or at.endswith(("/", ":")):
            break
        for group in _groups_at(at):
            found = find_level(group, path)
            if found is not None:
                return group, at, *found
    return None


def _is_listed(uri: str) -> bool:
    """Whether the group above lists an image among its labels."""
    parent, _, name = uri.rstrip("/").replace(os.sep if "://" not in uri else "/", "/").rpartition("/")
    if parent.rpartition("/")[2] != "labels":
        return False
    listed = [ome_attributes(group).get("labels") for group in _groups_at(parent)]
    return any(isinstance(names, list) and name in names for names in listed)


def _groups_at(uri: str) -> list[Any]:
    try:
        return [node for node in _open(uri) if isinstance(node, zarr.Group)]
    except SourceError:
        return []


def _store(uri: str) -> Any:
    if not is_url(uri):
        return zarr.storage.LocalStore(uri, read_only=True)
    options = remote_options(uri, _TIMEOUT)
    return zarr.storage.FsspecStore.from_url(uri, storage_options=options, read_only=True)
