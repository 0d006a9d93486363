"""List the images of a folder, a pattern, a plate or a list in a file without reading a pixel."""

from __future__ import annotations

import glob
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_s1omni.core.paths import full_path, is_left_by_system, is_url, name_in, settled_path
from napari_s1omni.errors import S1OmniError, SourceError
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.files.remote import read_remote
from napari_s1omni.storage.image_list import LIST_ENDINGS, read_image_list
from napari_s1omni.storage.plate import plate_fields
from napari_s1omni.storage.readers.registry import FILE_ENDINGS

_STANDS_ALONE = re.compile(r"/|~|file:|[A-Za-z]:[\\/]|(?:[A-Za-z][\w+.-]*::)*[A-Za-z][\w+.-]+:/", re.IGNORECASE)
"""A path or URL that does not start at the folder of its list."""
_ZARR = ("zarr.json", ".zattrs", ".zgroup", ".zarray")


@dataclass(frozen=True, slots=True)
class CollectionEntry:
    """One source of a collection."""

    name: str
    """Unique within the collection; valid as a folder name."""
    uri: str
    """Its path or URL."""
    changes: Mapping[str, str] = field(default_factory=dict)
    """The other columns of its row in a list: values by dotted key of a job."""


class Collection(list[CollectionEntry]):
    """The images of a collection.

    Parameters
    ----------
    entries : iterable of CollectionEntry
    notes : iterable of str
        What was skipped or adjusted, one sentence each.
    """

    def __init__(self, entries: Iterable[CollectionEntry], notes: Iterable[str] = ()) -> None:
        super().__init__(entries)
        self.notes = tuple(notes)


def list_sources(where: str | os.PathLike[str]) -> Collection:
    """List the images of a folder, a glob, an OME-Zarr plate or a list in a file.

    Parameters
    ----------
    where : str or Path
        A folder (its image files and Zarr stores, but no subfolders, no hidden files and no results of this
        package); a pattern with ``*``, ``?`` or ``[...]``; the folder or URL of an OME-Zarr plate
        (every field of every well that was imaged); or a file ``.csv``, ``.tsv`` or ``.txt`` with a column
        ``source`` and optional columns named like keys of a job, such as ``operation.prompt``, or with one path a line.

    Returns
    -------
    Collection
        A list of entries, sorted by name; a list in a file keeps its order. Its ``notes`` say what was skipped.

    Raises
    ------
    SourceError
        If there is no image, or the list cannot be read.
    """
    text = full_path(where)
    path = Path(text)
    notes: list[str] = []
    if name_in(text).lower().endswith(LIST_ENDINGS):
        entries = _rows(text, notes)
    elif (is_url(text) or path.is_dir()) and (fields := _fields(text)) is not None:
        entries = [CollectionEntry(name.replace("/", "-"), f"{text}/{name}") for name in fields.paths]
        notes += fields.notes
    elif not is_url(text) and path.is_dir() and not _is_zarr(path):
        # Results beside their sources are not sources of the next run, unless a pattern names them.
        entries = _named([p for p in _images(path.iterdir(), notes) if not (p / WORK).exists()])
    elif not is_url(text) and glob.has_magic(text):
        entries = _named(_images(_matches(path), notes))
    else:
        raise SourceError(
            f"{text} is one image or does not exist", "a collection is a folder, a pattern, a plate or a CSV file"
        )
    if not entries:
        raise SourceError(
            f"{text} holds no images{': ' + '; '.join(notes) if notes else ''}",
            f"images are files ending in {', '.join(FILE_ENDINGS)}, or Zarr stores",
            "choose another folder or pattern",
        )
    return Collection(entries, notes)


def is_collection(where: str | os.PathLike[str]) -> bool:
    """Whether a path, URL or pattern stands for several images."""
    text = settled_path(where)
    if name_in(text).lower().endswith(LIST_ENDINGS):
        return True
    if is_url(text):
        if text.startswith("synthetic:") or name_in(text).lower().endswith(FILE_ENDINGS):
            return False
        try:
            return _fields(text) is not None
        except S1OmniError:
            # Reading it as an image says what is wrong.
            return False
    path = Path(text)
    if os.path.isdir(path):
        return _fields(text) is not None or not _is_zarr(path)
    return glob.has_magic(text) and not os.path.exists(path)


def _is_zarr(path: Path) -> bool:
    return any((path / name).exists() for name in _ZARR)


def _matches(pattern: Path) -> list[Path]:
    """Return what a pattern finds; brackets in the names of its folders are no pattern if there are such folders."""
    fixed = next((folder for folder in pattern.parents if folder.is_dir()), Path(pattern.anchor))
    return [Path(found) for found in glob.glob(f"{glob.escape(str(fixed))}/{pattern.relative_to(fixed)}")]


def _images(paths: Iterable[Path], notes: list[str]) -> list[Path]:
    """Return the images among files and folders, sorted, and say how many files were skipped."""
    found, hidden, others = [], 0, Counter[str]()
    for path in sorted(paths):
        if path.name.startswith(".") or is_left_by_system(path.name):
            hidden += 1
        elif _is_zarr(path) if path.is_dir() else path.name.lower().endswith(FILE_ENDINGS):
            found.append(path)
        elif not path.is_dir():
            others[path.suffix or path.name] += 1
    if hidden:
        notes.append(f"{hidden} hidden files and files that the system keeps for itself are skipped")
    if others:
        named = ", ".join(f"{count} {ending}" for ending, count in sorted(others.items()))
        notes.append(f"files that are no images are skipped: {named}")
    return found


def _named(paths: list[Path]) -> list[CollectionEntry]:
    """Name each file by its stem, by its full name if two share a stem, or by its folders too if they share a name."""
    names = [p.name.split(".")[0] or p.name for p in paths]
    for depth in range(1, max((len(p.parts) for p in paths), default=0) + 1):
        # Some disks do not tell capitals from small letters.
        counts = Counter(name.casefold() for name in names)
        names = [
            name if counts[name.casefold()] == 1 else "-".join(part.strip("/\\:") for part in path.parts[-depth:])
            for name, path in zip(names, paths, strict=True)
        ]
    return [CollectionEntry(name, str(path)) for name, path in zip(names, paths, strict=True)]


def _rows(where: str, notes: list[str]) -> list[CollectionEntry]:
    folder = where.rpartition("/")[0]

    def full(source: str) -> str:
        # Relative paths start at the folder of the list.
        return settled_path(source) if _STANDS_ALONE.match(source) else _inside(folder, source)

    def is_image(text: str) -> bool:
        place = full(text)
        return is_url(place) or place.lower().endswith((*FILE_ENDINGS, ".zarr")) or os.path.exists(place)

    rows, said = read_image_list(where, is_image)
    notes += said
    return [CollectionEntry(f"{row.number:04d}-{_stem(row.source)}", full(row.source), row.changes) for row in rows]


def _stem(source: str) -> str:
    return name_in(source.replace("\\", "/")).split(".")[0]


def _inside(folder: str, name: str) -> str:
    return f"{folder}/{name}" if is_url(folder) else settled_path(f"{folder}/{name}")


def _fields(where: str) -> Any:
    """Return the fields of a plate; None if it is not a plate."""
    return plate_fields(lambda place: _attributes(f"{where}/{place}".rstrip("/")))


def _attributes(where: str) -> Mapping[str, Any] | None:
    """Return the OME attributes of a Zarr v2 or v3 group; None if there is no group.

    Raises
    ------
    ValueError
        If its metadata is damaged.
    """
    there = False
    for name in ("zarr.json", ".zattrs", ".zgroup"):
        try:
            data = read_remote(f"{where}/{name}") if is_url(where) else Path(where, name).read_bytes()
        except OSError:
            continue
        if data is None:
            continue
        there = True
        document = json.loads(data)
        attributes = document.get("attributes", {}) if name == "zarr.json" else document
        if name != ".zgroup":
            return dict(attributes.get("ome", attributes))
    return {} if there else None
