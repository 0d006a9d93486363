"""Read zipped OME-Zarr (.ozx, .zarr.zip) where it lies: images, series and the fields of plates."""

from __future__ import annotations

import functools
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr
import zarr.errors
import zarr.storage

from napari_s1omni.core.acquisition import Acquisition, Channel
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.listing.plate import plate_fields
from napari_s1omni.storage.readers.file_format import FormatInfo, ImageHeader
from napari_s1omni.storage.readers.raw_image import RawImage
from napari_s1omni.storage.readers.volumes.headers import make_header
from napari_s1omni.storage.readers.zarr_nodes.documents import open_versions
from napari_s1omni.storage.readers.zarr_nodes.ngff import read_ngff
from napari_s1omni.storage.readers.zarr_nodes.ngff_metadata import ome_attributes
from napari_s1omni.storage.readers.zarr_nodes.pixels import document_error
from napari_s1omni.storage.readers.zarr_nodes.zarr_store import read_zarr_object

_DOCUMENTS = ("zarr.json", ".zattrs", ".zgroup", ".zarray")
_ENCRYPTED = 1


def describe() -> FormatInfo:
    """Describe the format."""
    return FormatInfo(
        "zipped OME-Zarr",
        (".ozx", ".zarr.zip"),
        "zarr",
        "MIT",
        "",
        "zips of OME-Zarr 0.4 and 0.5, with plates and labels",
    )


def list_images(path: Path) -> Sequence[ImageHeader]:
    """List the images of an archive, then the labels that lie in them."""
    headers = []
    store = zarr.storage.ZipStore(path, mode="r")
    for name, place, main in _places(path).images:
        raw = _read(store, path, place)
        pixels, levels = raw.pixels, 1 + len(raw.coarser)
        headers.append(
            make_header(
                name,
                pixels.shape,
                np.dtype(pixels.dtype),
                raw.axes,
                raw.scale,
                raw.units,
                raw.acquisition.channels,
                levels,
                main=main,
            )
        )
    return headers


def read_image(path: Path, number: int) -> RawImage:
    """Return an image of an archive."""
    places = _places(path)
    raw = _read(zarr.storage.ZipStore(path, mode="r"), path, places.images[number][1])
    return replace(raw, notes=(*places.notes, *raw.notes))


@dataclass(frozen=True, slots=True)
class _Places:
    """What an archive holds."""

    images: tuple[tuple[str, str, bool], ...]
    """Name, path in the archive, and whether it is an image and not the labels of one."""
    notes: tuple[str, ...]


def _places(path: Path) -> _Places:
    state = path.stat()
    return _find(path, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=4)
def _find(path: Path, modified: int, size: int) -> _Places:
    """Find the images of an archive once, since they are read one by one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _find_in(archive, path)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise SourceError(
            f"{path} is no whole zip archive ({error})",
            "an archive ends with its table of contents, so a part of one cannot be read",
            "copy it again, or wait until the program that writes it has finished",
            path=str(path),
        ) from error


def _find_in(archive: zipfile.ZipFile, path: Path) -> _Places:
    infos = archive.infolist()
    if any(info.flag_bits & _ENCRYPTED for info in infos):
        raise SourceError(
            f"{path} is protected by a password",
            "archives are read without one",
            "unpack it with its password, and give the folder",
            path=str(path),
        )
    names = {info.filename for info in infos}
    homes = [name.rpartition("/")[0] for name in names if name.rpartition("/")[2] in _DOCUMENTS]
    homes = [home for home in homes if "__MACOSX" not in home]
    if not homes:
        raise SourceError(
            f"{path} holds no Zarr: it has {len(names)} files, none of them zarr.json or .zgroup",
            "an archive holds an OME-Zarr image or plate",
            "unpack it, and give what is inside",
            path=str(path),
        )
    top = min(homes, key=lambda home: (home.count("/") + bool(home), home))

    def attributes(place: str) -> Mapping[str, Any] | None:
        return _attributes(archive, names, f"{top}/{place}".strip("/"))

    def full(place: str) -> str:
        return f"{top}/{place}".strip("/")

    fields = plate_fields(attributes)
    if fields is not None:
        return _Places(tuple((place, full(place), True) for place in fields.paths), fields.notes)
    home = _or_damaged(attributes, "", path)
    if "multiscales" in home:
        return _Places(((path.name.partition(".")[0], top, True), *_labels(attributes, full, "", path)), ())
    inside = sorted({home.removeprefix(top).strip("/") for home in homes} - {""}, key=_natural)
    images: list[tuple[str, str, bool]] = []
    for place in inside:
        if "labels" not in place.split("/") and "multiscales" in _or_damaged(attributes, place, path):
            images += [(place, full(place), True), *_labels(attributes, full, f"{place}/", path)]
    if not images and _is_array(names, top):
        images = [(path.name.partition(".")[0], top, True)]
    return _Places(tuple(images), ())


def _labels(attributes: Any, full: Any, place: str, path: Path) -> list[tuple[str, str, bool]]:
    listed = _or_damaged(attributes, f"{place}labels", path).get("labels")
    names = [f"{place}labels/{name}" for name in listed] if isinstance(listed, list) else []
    return [(name, full(name), False) for name in names if attributes(name) is not None]


def _attributes(archive: zipfile.ZipFile, names: set[str], place: str) -> Mapping[str, Any] | None:
    """Return the OME attributes of a group; None if it does not exist. A ValueError means that they are damaged."""
    prefix = f"{place}/" if place else ""
    if (key := f"{prefix}zarr.json") in names:
        document = json.loads(archive.read(key))
        found = document.get("attributes") or {}
    elif (key := f"{prefix}.zattrs") in names:
        found = json.loads(archive.read(key))
    else:
        return {} if f"{prefix}.zgroup" in names or f"{prefix}.zarray" in names else None
    if not isinstance(found, dict):
        raise ValueError(f"{key} holds no object")
    inside = found.get("ome")
    return inside if isinstance(inside, dict) else found


def _or_damaged(attributes: Any, place: str, path: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = attributes(place) or {}
    except ValueError as error:
        raise document_error(f"'{place}' in {path}", error) from error
    return found


def _is_array(names: set[str], place: str) -> bool:
    prefix = f"{place}/" if place else ""
    return f"{prefix}.zarray" in names or (f"{prefix}zarr.json" in names and f"{prefix}.zgroup" not in names)


def _natural(place: str) -> tuple[tuple[int, str], ...]:
    """Sort series by number: 2 before 10."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in place.split("/"))


def _read(store: Any, path: Path, place: str) -> RawImage:
    where = f"{path}/{place}" if place else str(path)
    try:
        node = open_versions(store, place)[0]
    except FileNotFoundError as error:
        raise SourceError(f"{where} does not exist", remedy="check the metadata of the archive") from error
    except (KeyError, TypeError, ValueError, zarr.errors.BaseZarrError) as error:
        raise document_error(where, error) from error
    if isinstance(node, zarr.Array):
        raw = read_zarr_object(node)
        assert raw is not None
        return raw
    raw = read_ngff(node, where, 0)
    return replace(raw, acquisition=Acquisition(channels=_channels(ome_attributes(node), raw)))


def _channels(attributes: Mapping[str, Any], raw: RawImage) -> tuple[Channel, ...]:
    """Return names and colours of the channels."""
    listed = (attributes.get("omero") or {}).get("channels") if isinstance(attributes.get("omero"), dict) else None
    if not isinstance(listed, list) or len(listed) != len(raw.channel_names):
        return tuple(Channel(name) for name in raw.channel_names)
    colours = [str(one.get("color", "")) if isinstance(one, dict) else "" for one in listed]
    return tuple(
        Channel(name, colour.upper() if len(colour) == 6 else "")
        for name, colour in zip(raw.channel_names, colours, strict=True)
    )
