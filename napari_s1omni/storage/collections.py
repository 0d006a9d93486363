"""List the images of a folder, a pattern, a plate or a list in a file without reading a pixel."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_s1omni.core.paths import full_path, is_url, name_in, settled_path
from napari_s1omni.errors import S1OmniError, SourceError
from napari_s1omni.storage.files.remote import read_remote
from napari_s1omni.storage.listing.image_list import LIST_ENDINGS, read_image_list
from napari_s1omni.storage.listing.image_search import FoundImages, fixed_folder, images_in, images_like, is_zarr
from napari_s1omni.storage.listing.names import check_name, names_of, unused_name
from napari_s1omni.storage.listing.plate import plate_fields
from napari_s1omni.storage.readers.registry import FILE_ENDINGS

_STANDS_ALONE = re.compile(r"/|~|file:|[A-Za-z]:[\\/]|(?:[A-Za-z][\w+.-]*::)*[A-Za-z][\w+.-]+:/", re.IGNORECASE)
"""A path or URL that does not start at the folder of its list."""
NAME = "name"
"""Column of a list that names the results."""


@dataclass(frozen=True, slots=True)
class CollectionEntry:
    """One source of a collection."""

    name: str
    """Unique within the collection; valid as a folder name."""
    uri: str
    """Its path or URL."""
    changes: Mapping[str, str] = field(default_factory=dict)
    """The other columns of its row in a list, without empty cells; for a field of a plate, ``well`` and ``field``."""
    named: bool = False
    """Whether a person chose the name."""


class Collection(list[CollectionEntry]):
    """The images of a collection.

    Parameters
    ----------
    entries : iterable of CollectionEntry
    notes : iterable of str
        What was skipped or adjusted, one sentence each.
    skipped : int
        Number of files that were found and left out.
    columns : sequence of str
        The columns of a list besides ``source`` and ``name``.
    home : str, optional
        The folder, plate, or folder of the list or pattern.
    plate : bool
        Whether the images are the fields of a plate.
    """

    def __init__(
        self,
        entries: Iterable[CollectionEntry],
        notes: Iterable[str] = (),
        *,
        skipped: int = 0,
        columns: Sequence[str] = (),
        home: str | None = None,
        plate: bool = False,
    ) -> None:
        super().__init__(entries)
        self.notes = tuple(notes)
        self.skipped = skipped
        self.columns = tuple(columns)
        self.home = home
        self.plate = plate


def list_sources(where: str | os.PathLike[str]) -> Collection:
    """List the images of a folder, a glob, an OME-Zarr plate or a list in a file.

    Parameters
    ----------
    where : str or Path
        A folder (its image files and Zarr stores, but no subfolders, no hidden files and no results of this
        package); a pattern with ``*``, ``?``, ``[...]``, or ``**`` for folders at any depth; the folder or URL of an
        OME-Zarr plate (every field of every well that was imaged); or a file ``.csv``, ``.tsv`` or ``.txt`` with a
        column ``source`` and optional others: ``name``, keys of a job such as ``operation.prompt``, and any more; or
        with one path a line.

    Returns
    -------
    Collection
        A list of entries, sorted by path; a list in a file keeps its order. Its ``notes`` say what was skipped.

    Raises
    ------
    SourceError
        If there is no image, or the list cannot be read.
    """
    text = full_path(where)
    path = Path(text)
    if name_in(text).lower().endswith(LIST_ENDINGS):
        found = _of_list(text)
    elif (is_url(text) or path.is_dir()) and (fields := _fields(text)) is not None:
        found = Collection((_field(text, name) for name in fields.paths), fields.notes, home=text, plate=True)
    elif not is_url(text) and path.is_dir() and not is_zarr(path):
        found = _of_files(images_in(path), path)
    elif not is_url(text) and glob.has_magic(text):
        found = _of_files(images_like(path), fixed_folder(path))
    else:
        raise SourceError(
            f"{text} is one image or does not exist", "a collection is a folder, a pattern, a plate or a CSV file"
        )
    if not found:
        raise SourceError(
            f"{text} holds no images{': ' + '; '.join(found.notes) if found.notes else ''}",
            f"images are files ending in {', '.join(FILE_ENDINGS)}, or Zarr stores",
            "choose another folder or pattern",
        )
    return found


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
        return _fields(text) is not None or not is_zarr(path)
    return glob.has_magic(text) and not os.path.exists(path)


def _of_files(found: FoundImages, home: Path) -> Collection:
    places = [str(path) for path in found.paths]
    entries = [CollectionEntry(name, place) for name, place in zip(names_of(places), places, strict=True)]
    return Collection(entries, found.notes(str(home)), skipped=found.skipped, home=str(home))


def _field(plate: str, path: str) -> CollectionEntry:
    """Return the field ``ROW/COLUMN/FIELD`` of a plate."""
    *well, number = path.split("/")
    return CollectionEntry(path.replace("/", "-"), f"{plate}/{path}", {"well": "".join(well), "field": number})


def _of_list(where: str) -> Collection:
    folder = where.rpartition("/")[0]

    def full(source: str) -> str:
        # Relative paths start at the folder of the list.
        return settled_path(source) if _STANDS_ALONE.match(source) else _inside(folder, source)

    def is_image(text: str) -> bool:
        place = full(text)
        return is_url(place) or place.lower().endswith((*FILE_ENDINGS, ".zarr")) or os.path.exists(place)

    listed = read_image_list(where, is_image)
    taken: dict[str, int] = {}
    for row in listed.rows:
        if name := row.changes.get(NAME):
            _check_name(where, row.number, name.removesuffix(".zarr"), taken)
    names = set(taken)
    nameless = [full(row.source) for row in listed.rows if not row.changes.get(NAME)]
    defaults = iter(names_of(nameless))
    entries, notes = [], list(listed.notes)
    if again := len(nameless) - len({place.casefold() for place in nameless}):
        notes.append(
            f"{again} row{'s' * (again > 1)} of {where} name{'s' * (again == 1)} an image again, and the results are "
            f"numbered; a column '{NAME}' gives each a name of its own"
        )
    for row in listed.rows:
        given = row.changes.pop(NAME, "").removesuffix(".zarr")
        name = given or unused_name(next(defaults), names)
        entries.append(CollectionEntry(name, full(row.source), row.changes, bool(given)))
    columns = [name for name in listed.columns if name != NAME]
    return Collection(entries, notes, columns=columns, home=None if is_url(where) else folder)


def _check_name(where: str, number: int, name: str, taken: dict[str, int]) -> None:
    """Refuse a name that is no name of a folder, or that an earlier row has."""
    if wrong := check_name(name):
        raise SourceError(f"row {number} of {where} has the name '{name}'", wrong, "correct it")
    if (earlier := taken.setdefault(name.casefold(), number)) != number:
        raise SourceError(
            f"rows {earlier} and {number} of {where} have the name '{name}'",
            "each result has its own name",
            "change one",
        )


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
