"""Names of images in a collection: one each, valid as the name of a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from napari_s1omni.core.image_references import name_for_folder
from napari_s1omni.core.paths import is_url, name_in, split_reference

_FORBIDDEN = frozenset('<>:"/\\|?*')
"""Characters that a name of a folder may not have on some system."""
_LONGEST = 200
"""Bytes of a name; with an ending it still fits into the 255 of a file system."""


def names_of(places: Sequence[str]) -> list[str]:
    """Return one name per path or URL, each different from all others, also on disks that ignore capitals.

    A name is the stem of the file; its full name, if two share a stem; with the names of its folders, if they share
    that; and the name of the image in a file of several. Places that are equal, or differ in capitals only, get a
    number.
    """
    unique = {place.casefold(): place for place in reversed(places)}
    split = [split_reference(place) for place in unique.values()]
    parts = [_parts(file) for file, _ in split]
    images = ["" if image is None else f"-{name_for_folder(image)}" for _, image in split]
    names = [(part[-1].split(".")[0] or part[-1]) + image for part, image in zip(parts, images, strict=True)]
    for depth in range(1, max(map(len, parts), default=0) + 1):
        # Some disks do not distinguish capitals from small letters.
        counts = Counter(name.casefold() for name in names)
        names = [
            name if counts[name.casefold()] == 1 else "-".join(part[-depth:]) + image
            for name, part, image in zip(names, parts, images, strict=True)
        ]
    named = dict(zip(unique, names, strict=True))
    taken: set[str] = set()
    return [unused_name(named[place.casefold()], taken) for place in places]


def unused_name(name: str, taken: set[str]) -> str:
    """Return `name`, with a number if it is one of the taken names in small letters, and add it to them."""
    number, free = 1, name
    while free.casefold() in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free.casefold())
    return free


def check_name(name: str) -> str:
    """Return what is wrong with a name that a person gave, or nothing."""
    if _FORBIDDEN & set(name) or not name.isprintable():
        return 'a name has none of < > : " / \\ | ? *'
    if name.startswith(".") or name.endswith("."):
        return "a name neither begins nor ends with '.'"
    return f"a name has at most {_LONGEST} bytes" if len(name.encode()) > _LONGEST else ""


def _parts(place: str) -> list[str]:
    """Return the names of the folders of a place, and its own name without the query of a URL."""
    split = (part.strip("/\\:") for part in PurePosixPath(place.replace("\\", "/")).parts)
    *folders, own = [part for part in split if part] or [place]
    return [*folders, name_in(place) if is_url(place) else own]
