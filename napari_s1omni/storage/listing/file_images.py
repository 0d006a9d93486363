"""The images of the files in a collection: all of each file, or those that a job chooses; fields of a screen."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from napari_s1omni.core.paths import join_reference, name_in
from napari_s1omni.errors import S1OmniError
from napari_s1omni.storage.listing.image_headers import image_names

_PATTERN = re.compile(r"[*?\[]")
_FIELD = re.compile(r"([A-Za-z]{1,2})/(\d{1,3})/([^/]+)")
"""Name of a field of a screen: row, column, field."""


@dataclass(frozen=True, slots=True)
class FieldOfWell:
    """Where an image of a screening file lies in the plate that is written."""

    well: str
    """Row and column, such as ``B3``."""
    field: str
    """Name of the field as the file gives it."""
    place: str
    """``ROW/COLUMN/FIELD`` as the plate names them."""


@dataclass(frozen=True, slots=True)
class FileImages:
    """The images of one file that are run."""

    file: str
    """Path or URL."""
    images: tuple[str | None, ...]
    """Their names; None for the only image of a file."""
    fields: tuple[FieldOfWell, ...] = ()
    """One per image where they are fields of wells, else empty."""

    @property
    def references(self) -> list[str]:
        """``FILE::NAME`` of each image."""
        return [join_reference(self.file, image) for image in self.images]


def images_of_file(file: str, chosen: str | None = None) -> FileImages:
    """Find the images of a file that are run.

    Parameters
    ----------
    file : str
        Path or URL.
    chosen : str, optional
        Name or number of an image, or a pattern such as ``B/*``; left out, all are run.

    Returns
    -------
    FileImages
        Without images if none is like `chosen`; a file that cannot be read stays as it is, so that its run says why.
    """
    try:
        names = image_names(file)
    except (S1OmniError, OSError):
        return FileImages(file, (chosen,))
    if names is None:
        alone = chosen is None or chosen == "0" or fnmatch.fnmatchcase(PurePath(name_in(file)).stem, chosen)
        return FileImages(file, (None,) if alone else ())
    picked = chosen_names(names, chosen)
    if len(names) == 1:
        return FileImages(file, (None,) if picked else ())
    return FileImages(file, tuple(picked), fields_of_wells(names, picked))


def chosen_names(names: Sequence[str], chosen: str | None) -> list[str]:
    """Return the names that a choice means: an exact name first, then a number from 0, then a pattern."""
    if chosen is None:
        return list(names)
    if chosen in names:
        return [chosen]
    if (plain := chosen.removeprefix("/")) in names:
        return [plain]
    if chosen.isdecimal():
        return [names[int(chosen)]] if int(chosen) < len(names) else []
    return [name for name in names if fnmatch.fnmatchcase(name, chosen)]


def is_pattern(file: str, chosen: str) -> bool:
    """Whether a choice stands for any number of the images of a file, and is not the name of one."""
    if not _PATTERN.search(chosen):
        return False
    try:
        return chosen not in (image_names(file) or ())
    except (S1OmniError, OSError):
        return False


def fields_of_wells(names: Sequence[str], picked: Sequence[str]) -> tuple[FieldOfWell, ...]:
    """Return where some images of a screening file lie in its plate; empty unless all are called ROW/COLUMN/FIELD."""
    parts = {name: found.groups() for name in names if (found := _FIELD.fullmatch(name))}
    if len(parts) < len(names):
        return ()
    # A plate names fields with letters and digits only.
    plain = {name: re.sub(r"[^A-Za-z0-9]+", "", field) for name, (_, _, field) in parts.items()}
    places = {name: f"{row.upper()}/{int(column)}/{plain[name]}" for name, (row, column, _) in parts.items()}
    often = Counter(place.casefold() for place in places.values())
    for number, (name, place) in enumerate(places.items()):
        if not plain[name] or often[place.casefold()] > 1:
            places[name] = f"{place.rpartition('/')[0]}/{number}"
    return tuple(
        FieldOfWell(f"{parts[name][0].upper()}{int(parts[name][1])}", parts[name][2], places[name]) for name in picked
    )


def plate_names(files: Sequence[FileImages], names: Iterable[str]) -> dict[str, str]:
    """Return the name of the plate of each screening file, different from all other names of results."""
    taken = {name.casefold() for name in names}
    screens = [one.file for one in files if one.fields]
    stems = {file: PurePath(name_in(file)).stem for file in screens}
    often = Counter(stem.casefold() for stem in stems.values())
    found: dict[str, str] = {}
    for file in screens:
        stem = stems[file]
        unique = often[stem.casefold()] == 1 and stem.casefold() not in taken
        name = stem if unique else name_in(file)
        number = 1
        while name.casefold() in taken:
            number += 1
            name = f"{name_in(file)}-{number}"
        taken.add(name.casefold())
        found[file] = name
    return found
