"""References to one image of a file, as ``FILE::NAME``: made from what a person chooses, and written as short names."""

from __future__ import annotations

import os
import re
from pathlib import PurePath

from napari_s1omni.core.paths import full_path, is_url, join_reference, name_in, split_reference
from napari_s1omni.errors import JobError

ImageChoice = str | int
"""Name of an image in a file, or its number, counted from 0."""
_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]+')
"""Characters that the name of a folder may not have on some system."""
_LONGEST = 100
"""Bytes of the name of an image in the name of a folder."""


def with_image(where: str | os.PathLike[str], image: ImageChoice | None) -> str:
    """Return the reference to one image of a file.

    Parameters
    ----------
    where : str or Path
        Path or URL of a file, folder or pattern; it may name the image already.
    image : str, int or None
        Name or number of the image, or a pattern such as ``B/*``; None leaves the reference as it is.

    Raises
    ------
    JobError
        If two different images are named, or the name is empty.
    """
    text = full_path(where)
    if image is None:
        return text
    wanted = str(image)
    file, named = split_reference(text)
    if not wanted.strip():
        raise JobError(f"image {wanted!r} of {file}", "an image has a name or a number", "give it, or leave it out")
    if named is not None and named != wanted:
        raise JobError(
            f"{text} names image '{named}', and image '{wanted}' is chosen beside it",
            "one image is chosen",
            "leave one of the two out",
        )
    return join_reference(file, wanted)


def exchange_image(where: str | os.PathLike[str], image: ImageChoice) -> str:
    """Return the reference to another image of the same file."""
    return with_image(split_stored(full_path(where))[0], image)


def short_reference(where: str) -> str:
    """Return the name of a file with its image, without folders, for people: ``scan.lif::B/3/R1``."""
    file, image = split_stored(where)
    return join_reference(name_in(file), image)


def reference_stem(where: str) -> str:
    """Return a name for what is made from an image: ``scan-B-3-R1`` for ``scan.lif::B/3/R1``, ``cells`` without one."""
    file, image = split_stored(where)
    name = name_in(file)
    # Of t2.nii.gz, the ending is both.
    packed = name.lower().endswith((".nii.gz", ".zarr.zip"))
    stem = PurePath(PurePath(name).stem if packed else name).stem or name
    return stem if image is None else f"{stem}-{name_for_folder(image)}"


def split_stored(where: str) -> tuple[str, str | None]:
    """Split a reference as :func:`split_reference`, also one whose file is not there any more."""
    file, image = split_reference(where)
    if image is None and "::" in where and not is_url(where) and not os.path.lexists(where):
        left, _, right = where.partition("::")
        if PurePath(left).suffix and right:
            return left, right
    return file, image


def folder_of(where: str) -> str:
    """Return the path of what a reference names: of a field ``PLATE.zarr::B/3/0``, the folder ``PLATE.zarr/B/3/0``."""
    file, image = split_reference(where)
    inside = "" if image is None else os.path.join(file, image)
    return inside if inside and os.path.isdir(inside) else file


def name_for_folder(image: str) -> str:
    """Return the name of an image as a part of the name of a folder: ``B-3-R1`` for ``B/3/R1``."""
    plain = _NOT_IN_NAMES.sub("-", image).strip("-. ") or "image"
    return plain.encode()[:_LONGEST].decode(errors="ignore").rstrip("-. ")
