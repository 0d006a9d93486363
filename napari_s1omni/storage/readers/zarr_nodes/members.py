"""The images inside an OME-Zarr group that is none itself: fields of a plate or well, series of a collection."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from napari_s1omni.core.paths import is_url
from napari_s1omni.storage.files.remote import read_remote
from napari_s1omni.storage.listing.plate import PlateFields, plate_fields

_LAYOUT = "bioformats2raw.layout"
_XML = "OME/METADATA.ome.xml"
_MOST_XML = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Members:
    """The images of a group."""

    names: tuple[str, ...]
    """Name of each image: ``ROW/COLUMN/FIELD``, or its title."""
    paths: tuple[str, ...]
    """Path of each image inside the group."""
    notes: tuple[str, ...] = ()
    """What is listed and was never imaged."""
    collection: bool = False
    """Whether they belong to nothing but one file, which bioformats2raw converted; else to a plate or well."""


def members_of(where: str) -> Members | None:
    """Find the images of a plate, a well or a bioformats2raw collection; None if the group is none of these.

    Parameters
    ----------
    where : str
        Path or URL of the group.
    """
    if fields := fields_of(where):
        return Members(fields.paths, fields.paths, fields.notes)
    try:
        attributes = group_attributes(where) or {}
    except ValueError:
        return None
    if isinstance(well := attributes.get("well"), Mapping):
        listed = [str(one["path"]) for one in well.get("images") or () if isinstance(one, Mapping) and "path" in one]
        there = tuple(dict.fromkeys(name for name in listed if _is_group(f"{where}/{name}")))
        return Members(there, there) if there else None
    if _LAYOUT not in attributes or "multiscales" in attributes:
        return None
    paths = _series(where)
    return Members(_titles(where, paths), tuple(paths), collection=True) if paths else None


def fields_of(where: str) -> PlateFields | None:
    """Return the fields of a plate; None if it is not a plate."""
    return plate_fields(lambda place: group_attributes(f"{where}/{place}".rstrip("/")))


def group_attributes(where: str) -> Mapping[str, Any] | None:
    """Return the OME attributes of a Zarr v2 or v3 group; None if there is no group.

    Raises
    ------
    ValueError
        If its metadata is damaged.
    """
    there = False
    for name in ("zarr.json", ".zattrs", ".zgroup"):
        data = _document(f"{where}/{name}")
        if data is None:
            continue
        there = True
        try:
            document = json.loads(data)
        except RecursionError:
            raise ValueError(f"{name} is nested too deeply") from None
        if not isinstance(document, dict):
            raise ValueError(f"{name} holds no object")
        attributes = document.get("attributes", {}) if name == "zarr.json" else document
        if name != ".zgroup":
            inside = attributes.get("ome", attributes) if isinstance(attributes, dict) else attributes
            if not isinstance(inside, dict):
                raise ValueError(f"the attributes in {name} are no object")
            return inside
    return {} if there else None


def _document(place: str) -> bytes | None:
    try:
        return read_remote(place) if is_url(place) else Path(place).read_bytes()
    except OSError:
        return None


def _is_group(where: str) -> bool:
    try:
        return group_attributes(where) is not None
    except ValueError:
        # Its error is reported when it is read.
        return True


def _series(where: str) -> list[str]:
    """Return the paths that the group OME lists, else the numbered members that are there."""
    try:
        listed = (group_attributes(f"{where}/OME") or {}).get("series")
    except ValueError:
        listed = None
    if isinstance(listed, list) and listed:
        return [str(name) for name in dict.fromkeys(map(str, listed)) if _is_group(f"{where}/{name}")]
    if is_url(where):
        return ["0"] if _is_group(f"{where}/0") else []
    numbers = sorted((path.name for path in Path(where).iterdir() if path.name.isdecimal()), key=int)
    return [name for name in numbers if _is_group(f"{where}/{name}")]


def _titles(where: str, paths: Sequence[str]) -> tuple[str, ...]:
    """Return the title of each series in the OME-XML beside them, if it has one for each and no two are equal."""
    data = _document(f"{where}/{_XML}")
    if data is None or len(data) > _MOST_XML:
        return tuple(paths)
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError:
        return tuple(paths)
    titles = [one.get("Name", "").strip() for one in root if one.tag.rpartition("}")[2] == "Image"]
    return tuple(titles) if len(set(titles)) == len(paths) == len(titles) and all(titles) else tuple(paths)
