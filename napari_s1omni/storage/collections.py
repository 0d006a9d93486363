"""List the images of a folder, a pattern, a plate, a file or a list in a file without reading a pixel."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_s1omni.core.image_references import name_for_folder, split_stored, with_image
from napari_s1omni.core.paths import full_path, is_url, join_reference, name_in, settled_path, split_reference
from napari_s1omni.errors import S1OmniError, SourceError
from napari_s1omni.storage.listing.file_images import (
    FileImages,
    chosen_names,
    images_of_file,
    is_pattern,
    plate_names,
)
from napari_s1omni.storage.listing.image_list import LIST_ENDINGS, ListedImage, read_image_list
from napari_s1omni.storage.listing.image_search import (
    FoundImages,
    fixed_folder,
    images_in,
    images_like,
    is_image_folder,
)
from napari_s1omni.storage.listing.names import check_name, names_of, unused_name
from napari_s1omni.storage.readers.registry import KNOWN_ENDINGS, file_endings
from napari_s1omni.storage.readers.zarr_nodes.members import fields_of

_STANDS_ALONE = re.compile(r"/|~|file:|[A-Za-z]:[\\/]|(?:[A-Za-z][\w+.-]*::)*[A-Za-z][\w+.-]+:/", re.IGNORECASE)
"""A path or URL that does not start at the folder of its list."""
NAME = "name"
"""Column of a list that names the results."""
_IMAGE = "source.image"
"""Column of a list that chooses an image of the file."""


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
    place: str = ""
    """Path of its result in the folder of a batch, for a field of a screening file: ``PLATE.zarr/ROW/COLUMN/FIELD``;
    empty for ``NAME.zarr``."""


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
    """List the images of a folder, a glob, an OME-Zarr plate, a file of several images, or a list in a file.

    Parameters
    ----------
    where : str or Path
        A folder (its image files and Zarr stores, but no subfolders, no hidden files and no results of this
        package); a pattern with ``*``, ``?``, ``[...]``, or ``**`` for folders at any depth; the folder or URL of an
        OME-Zarr plate (every field of every well that was imaged); or a file ``.csv``, ``.tsv`` or ``.txt`` with a
        column ``source`` and optional others: ``name``, keys of a job such as ``operation.prompt``, and any more; or
        with one path a line. Of a file with several images all are listed; ``::CHOICE`` behind any of these takes
        those with this name or number, or like this pattern, of every file.

    Returns
    -------
    Collection
        A list of entries, sorted by path; a list in a file keeps its order. Its ``notes`` say what was skipped.

    Raises
    ------
    SourceError
        If there is no image, or the list cannot be read.
    """
    text, chosen = split_reference(full_path(where))
    path = Path(text)
    if name_in(text).lower().endswith(LIST_ENDINGS):
        found = _of_list(text, chosen)
    elif (is_url(text) or path.is_dir()) and (fields := fields_of(text)) is not None:
        picked = chosen_names(fields.paths, chosen)
        found = Collection((_field(text, name) for name in picked), fields.notes, home=text, plate=True)
    elif not is_url(text) and path.is_dir() and not is_image_folder(path):
        found = _of_files(images_in(path), path, chosen)
    elif not is_url(text) and glob.has_magic(text) and not path.exists():
        found = _of_files(images_like(path), fixed_folder(path), chosen)
    elif chosen is not None and is_pattern(text, chosen):
        home = text.rpartition("/")[0]
        found = Collection(_entries([images_of_file(text, chosen)]), home=None if is_url(text) else home)
    else:
        raise SourceError(
            f"{text} is one image or does not exist", "a collection is a folder, a pattern, a plate or a CSV file"
        )
    if not found:
        missing = split_stored(text)[0]
        if missing != text and not glob.has_magic(missing):
            raise SourceError(f"there is nothing at {missing}", remedy="check the path", path=missing)
        more = f": {'; '.join(found.notes)}" if found.notes else ""
        if chosen is not None:
            raise SourceError(
                f"{text} holds no image '{chosen}'{more}",
                "an image is chosen by its name, its number from 0, or a pattern",
                "list the images with s1omni info",
            )
        raise SourceError(
            f"{text} holds no images{more}",
            f"images are files {KNOWN_ENDINGS}, or Zarr stores",
            "choose another folder or pattern",
        )
    return found


def is_collection(where: str | os.PathLike[str]) -> bool:
    """Whether a path, URL or pattern stands for several images that are run one after the other."""
    text, chosen = split_reference(settled_path(where))
    if chosen is not None:
        one_file = os.path.isfile(text) or is_url(text) or (os.path.isdir(text) and is_image_folder(Path(text)))
        if one_file and not name_in(text).lower().endswith(LIST_ENDINGS):
            return is_pattern(text, chosen)
    if name_in(text).lower().endswith(LIST_ENDINGS):
        return True
    if is_url(text):
        if text.startswith("synthetic:") or name_in(text).lower().endswith(file_endings()):
            return False
        try:
            return fields_of(text) is not None
        except S1OmniError:
            # Reading it as an image says what is wrong.
            return False
    if os.path.isdir(text):
        return not is_image_folder(Path(text)) or fields_of(text) is not None
    return glob.has_magic(text) and not os.path.exists(text)


def _of_files(found: FoundImages, home: Path, chosen: str | None) -> Collection:
    files = [images_of_file(str(path), chosen) for path in found.paths]
    notes = found.notes(str(home))
    if several := sum(len(file.images) > 1 for file in files):
        of = "file holds" if several == 1 else "files hold"
        which = "each of them is run" if chosen is None else f"of them only '{chosen}' are run"
        notes.append(f"{several} {of} several images, and {which}")
    if without := [file.file for file in files if not file.images]:
        have = "file has" if len(without) == 1 else "files have"
        notes.append(f"{len(without)} {have} no image '{chosen}', skipped: {', '.join(map(name_in, without))}")
    return Collection(_entries(files), notes, skipped=found.skipped + len(without), home=str(home))


def _entries(files: Sequence[FileImages]) -> list[CollectionEntry]:
    """Name the images of some files; wells and fields of a screening file go into a plate of its name."""
    places = [place for file in files for place in file.references]
    names = iter(names_of(places))
    named = [(file, [next(names) for _ in file.images]) for file in files]
    plates = plate_names(files, (name for file, own in named if not file.fields for name in own))
    entries = []
    for file, own in named:
        fields = file.fields or [None] * len(own)
        for name, place, its in zip(own, file.references, fields, strict=True):
            if its is None:
                entries.append(CollectionEntry(name, place))
                continue
            facts = {"well": its.well, "field": its.field}
            entries.append(CollectionEntry(name, place, facts, place=f"{plates[file.file]}.zarr/{its.place}"))
    return entries


def _field(plate: str, path: str) -> CollectionEntry:
    """Return the field ``ROW/COLUMN/FIELD`` of a plate."""
    *well, number = path.split("/")
    return CollectionEntry(path.replace("/", "-"), f"{plate}/{path}", {"well": "".join(well), "field": number})


def _of_list(where: str, chosen: str | None) -> Collection:
    folder = where.rpartition("/")[0]

    def full(source: str) -> str:
        # Relative paths start at the folder of the list.
        return settled_path(source) if _STANDS_ALONE.match(source) else _inside(folder, source)

    def is_image(text: str) -> bool:
        place = split_stored(full(text))[0]
        return is_url(place) or place.lower().endswith((*file_endings(), ".zarr")) or os.path.exists(place)

    listed = read_image_list(where, is_image)
    taken: dict[str, int] = {}
    rows: list[tuple[ListedImage, list[str]]] = []
    for row in listed.rows:
        if name := row.changes.get(NAME):
            _check_name(where, row.number, name.removesuffix(".zarr"), taken)
        image = row.changes.pop(_IMAGE, None)
        file, own = split_reference(full(row.source) if image is None else with_image(full(row.source), image))
        wanted = chosen if own is None else own
        # A name that the file does not have is said when it is run.
        rows.append((row, images_of_file(file, wanted).references or [join_reference(file, wanted)]))
    names = set(taken)
    nameless = [place for row, places in rows if not row.changes.get(NAME) for place in places]
    defaults = iter(names_of(nameless))
    entries, notes = [], list(listed.notes)
    if again := len(nameless) - len({place.casefold() for place in nameless}):
        notes.append(
            f"{again} row{'s' * (again > 1)} of {where} name{'s' * (again == 1)} an image again, and the results are "
            f"numbered; a column '{NAME}' gives each a name of its own"
        )
    for row, places in rows:
        given = row.changes.pop(NAME, "").removesuffix(".zarr")
        for place in places:
            own_name = given + f"-{name_for_folder(split_reference(place)[1] or '')}" * (len(places) > 1)
            name = own_name if given else unused_name(next(defaults), names)
            entries.append(CollectionEntry(name, place, row.changes, bool(given)))
    columns = [name for name in listed.columns if name not in (NAME, _IMAGE)]
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
