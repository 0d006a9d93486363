"""Places of N5 and precomputed stores: their URLs as Neuroglancer writes them, and which chunks lie in a folder."""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

from napari_s1omni.core.paths import full_path, is_url
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.volumes.stored_pixels import StoredPixels

_PREFIX = re.compile(r"(?:precomputed|n5)://(?=[A-Za-z][\w+.-]*:)", re.IGNORECASE)
_SUFFIX = re.compile(r"\|(?:neuroglancer-precomputed|n5):?/?$", re.IGNORECASE)
_PACKED = (".gz", ".br", ".zstd")
_MOST_FILES = 10_000
"""Files of an array that are counted; a larger array is not counted."""


def plain_place(where: Path | str) -> str:
    """Return a folder or URL without the marks ``precomputed://`` or ``|neuroglancer-precomputed:`` of Neuroglancer."""
    text = str(where)
    return full_path(_SUFFIX.sub("", _PREFIX.sub("", text))) if is_url(text) else text


def absent_chunks(pixels: StoredPixels, place: str, path: str, *, nested: bool) -> list[str]:
    """Return a note if chunks of an array in a folder are not stored, so that they read as 0.

    Parameters
    ----------
    pixels : StoredPixels
    place, path : str
        Store, and array in it.
    nested : bool
        Whether chunks lie in one folder per dimension.
    """
    if is_url(place):
        return []
    whole = math.prod(-(-n // m) for n, m in zip(pixels.shape, pixels.chunks, strict=True))
    if whole > _MOST_FILES:
        return []
    depth = len(pixels.shape) if nested else 1
    count = sum(1 for _ in itertools.islice(_files(Path(place) / path, depth), whole))
    if count >= whole:
        return []
    return [f"{whole - count} of {whole} chunks of {pixels.where} are not stored and read as 0"]


def refuse_packed(place: str, path: str) -> None:
    """Refuse chunks that are packed one by one, as CloudVolume writes them into folders; they would read as 0.

    Raises
    ------
    SourceError
        It says how to unpack them.
    """
    folder = Path(place) / path
    if is_url(place) or not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        packed = next((e.name for e in itertools.islice(entries, _MOST_FILES) if e.name.endswith(_PACKED)), None)
    if packed is not None:
        raise SourceError(
            f"the chunks of {folder} are packed one by one, such as {packed}",
            "chunks in a folder have plain names, such as 0-64_0-64_0-64",
            "unpack them with gunzip -r, or give the URL of a server of them",
            path=place,
        )


def _files(folder: Path, depth: int) -> Iterator[str]:
    """Yield the chunks below a folder: files without an ending at this depth."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if depth > 1 and entry.name.isdecimal() and entry.is_dir():
            yield from _files(Path(entry.path), depth - 1)
        elif depth == 1 and entry.is_file() and entry.name[:1].isdecimal() and "." not in entry.name:
            yield entry.path
