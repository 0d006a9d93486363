"""Find out which chunks of a Zarr array are stored, and under which keys.

The metadata of an array says how keys are made of the places of chunks: ``c/0/1``, ``c.0.1``, ``0.1`` or ``0/1``. If
it says it wrongly, Zarr finds no chunk and returns the fill value for every pixel.
"""

from __future__ import annotations

import itertools
import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import zarr
import zarr.storage

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.zarr_nodes.documents import RememberedStore, exist

_MOST_FILES = 10_000
"""Files of an array that are looked at; a larger array is not counted."""
_MOST_PLACES = 27
"""Chunks of a remote array that are looked for before it counts as empty."""
_LONGEST = 2**53
"""Pixels along a dimension up to which zarr counts chunks exactly."""
_KEY = re.compile(r"(?:(c)(?:([./])|$))?(\d+(?:([./])\d+(?:\4\d+)*)?)?")


class KeyEncoding(NamedTuple):
    """How the key of a chunk is made of its place."""

    name: str
    """``default``, with a leading c, or ``v2``."""
    separator: str

    def key(self, place: Sequence[int]) -> str:
        """Return the key of a chunk."""
        parts = [*(["c"] if self.name == "default" else []), *map(str, place)]
        return self.separator.join(parts) or "0"


_ENCODINGS = {
    2: (KeyEncoding("v2", "."), KeyEncoding("v2", "/")),
    3: (KeyEncoding("default", "/"), KeyEncoding("default", "."), KeyEncoding("v2", "."), KeyEncoding("v2", "/")),
}


@dataclass(frozen=True, slots=True)
class StoredArray:
    """An array with what is known of its stored chunks."""

    array: Any
    """zarr array, with the encoding that its stored keys have."""
    uri: str
    empty: bool
    """Whether no chunk was found."""
    absent: str = ""
    """A sentence on chunks that are not stored; empty if all are, or if they were not counted."""
    notes: tuple[str, ...] = ()
    """What contradicts the metadata, one sentence each."""


def find_chunks(array: Any, uri: str) -> StoredArray:
    """Look for the chunks of an array.

    Parameters
    ----------
    array : zarr.Array
    uri : str
        Its path or URI, for messages.

    Raises
    ------
    SourceError
        If chunks are stored, but no encoding of their keys fits the array, or two do; or if chunks have no size, or
        the array an impossible one.
    """
    if max(array.shape, default=0) > _LONGEST:
        raise SourceError(
            f"{uri} has the shape {tuple(array.shape)}",
            f"an array has at most {_LONGEST:,} px along each dimension",
            "correct its zarr.json or .zarray",
        )
    if min(array.shards or array.chunks, default=1) < 1:
        raise SourceError(
            f"{uri} has chunks of {tuple(array.shards or array.chunks)} px",
            "a chunk has at least 1 px along each dimension",
            "correct its zarr.json or .zarray",
        )
    if _declared(array) not in _ENCODINGS[3]:
        # An encoding of an extension of Zarr; what it makes of a place is not known here.
        return StoredArray(array, uri, False)
    folder = _local_folder(array)
    return _find_in_folder(array, uri, folder) if folder is not None else _find_remote(array, uri)


def choose_version(versions: Sequence[Any], uri: str) -> StoredArray:
    """Return the array to read where documents of Zarr 3 and of Zarr 2 describe one: that whose chunks are stored.

    Parameters
    ----------
    versions : sequence of zarr.Array
        At least one, the preferred one first.
    uri : str
        Its path or URI, for messages.

    Raises
    ------
    SourceError
        As :func:`find_chunks`, if no version can be read.
    """
    found: list[StoredArray] = []
    failed: SourceError | None = None
    for array in versions:
        try:
            found.append(find_chunks(array, uri))
        except SourceError as error:
            failed = failed or error
    if failed and not any(not one.empty for one in found):
        raise failed
    chosen = next((one for one in found if not one.empty and len(one.notes) == 0), None)
    chosen = chosen or next((one for one in found if not one.empty), found[0])
    return replace(chosen, notes=(*version_notes(versions, chosen.array, uri), *chosen.notes))


def version_notes(versions: Sequence[Any], chosen: Any, uri: str) -> list[str]:
    """Return a note if a node has documents of two versions of Zarr."""
    if len(versions) < 2:
        return []
    return [
        f"{uri} has metadata of Zarr 2 and of Zarr 3, which may differ; that of Zarr {chosen.metadata.zarr_format} "
        "is read"
    ]


def chunk_grid(array: Any) -> tuple[int, ...]:
    """Return the number of stored chunks, or shards, per dimension."""
    stored = array.shards or array.chunks
    return tuple(-(-n // m) for n, m in zip(array.shape, stored, strict=True))


def _find_in_folder(array: Any, uri: str, folder: Path) -> StoredArray:
    declared, grid = _declared(array), chunk_grid(array)
    fitting: Counter[KeyEncoding] = Counter()
    strange: list[str] = []
    looked = 0
    for key in itertools.islice(_chunk_files(folder, len(grid)), _MOST_FILES):
        looked += 1
        # Along one dimension both separators give the same keys; the declared one comes first.
        found = next((e for e in (declared, *_ENCODINGS[3]) if _fits(key, e, grid)), None)
        if found is None:
            strange.append(key)
        else:
            fitting[found] += 1
    others = [encoding for encoding in fitting if encoding != declared]
    if fitting[declared]:
        notes = [
            f"{fitting[other]} files of {uri} such as '{other.key([0] * len(grid))}' are chunks by another key "
            f"encoding; they are not read, since others have the keys that its metadata says"
            for other in others
        ]
        if strange:
            notes.append(
                f"{len(strange)} stored chunks of {uri} such as '{strange[0]}' lie outside its shape "
                f"{tuple(array.shape)} and are not read"
            )
        absent = math.prod(grid) - fitting[declared] if looked < _MOST_FILES else 0
        said = f"{absent} of {math.prod(grid)} chunks of {uri} are not stored and read as {_fill(array)}"
        return StoredArray(array, uri, False, said if absent else "", tuple(notes))
    usable = [encoding for encoding in others if encoding in _ENCODINGS[array.metadata.zarr_format]]
    if len(others) == len(usable) == 1 and not strange:
        return _with_encoding(array, uri, usable[0], declared)
    if others or strange:
        example = strange[0] if strange else others[0].key([0] * len(grid))
        raise SourceError(
            f"{uri} holds {looked} chunks with keys such as '{example}'; they do not belong to its metadata "
            f"(shape {tuple(array.shape)}, chunks {tuple(array.shards or array.chunks)}, keys such as "
            f"'{declared.key([0] * len(grid))}')",
            "keys and metadata describe the same chunks",
            "copy the array again from the original, or correct its zarr.json or .zarray",
        )
    return _empty(array, uri)


def _find_remote(array: Any, uri: str) -> StoredArray:
    """Look for the middle chunk, then for some more in every encoding; a remote store cannot be listed."""
    declared, grid = _declared(array), chunk_grid(array)
    prefix = f"{array.path}/" if array.path else ""
    middle = tuple(n // 2 for n in grid)
    if not all(grid) or exist(array.store, [prefix + declared.key(middle)])[0]:
        return StoredArray(array, uri, False)
    sides = [dict.fromkeys((n // 2, 0, n - 1)) for n in grid]
    places = list(itertools.islice(itertools.product(*sides), _MOST_PLACES))
    encodings = [declared, *(e for e in _ENCODINGS[array.metadata.zarr_format] if e != declared)]
    answers = exist(array.store, [prefix + e.key(place) for e in encodings for place in places])
    stored = [any(answers[i * len(places) : (i + 1) * len(places)]) for i in range(len(encodings))]
    found = [encoding for encoding, some in zip(encodings, stored, strict=True) if some]
    if declared in found:
        return StoredArray(array, uri, False)
    if len(found) == 1 and len(grid) > 1:
        return _with_encoding(array, uri, found[0], declared)
    note = f"none of the {len(places)} chunks of {uri} that were looked for is stored; they read as {_fill(array)}"
    return StoredArray(array, uri, True, note)


def _with_encoding(array: Any, uri: str, real: KeyEncoding, declared: KeyEncoding) -> StoredArray:
    document = array.metadata.to_dict()
    if array.metadata.zarr_format == 2:
        document["dimension_separator"] = real.separator
    else:
        document["chunk_key_encoding"] = {"name": real.name, "configuration": {"separator": real.separator}}
    zeros = [0] * array.ndim
    note = (
        f"the chunks of {uri} have keys such as '{real.key(zeros)}', although its metadata says "
        f"'{declared.key(zeros)}'; they are read as they are stored"
    )
    found = find_chunks(zarr.Array.from_dict(array.store_path, document), uri)
    return StoredArray(found.array, uri, found.empty, found.absent, (note, *found.notes))


def _empty(array: Any, uri: str) -> StoredArray:
    return StoredArray(array, uri, True, f"{uri} holds no chunk; every pixel is read as {_fill(array)}")


def _fill(array: Any) -> str:
    value = array.metadata.fill_value
    return "the fill value 0, since its metadata says null" if value is None else f"the fill value {value}"


def _declared(array: Any) -> KeyEncoding:
    metadata = array.metadata
    if metadata.zarr_format == 2:
        return KeyEncoding("v2", metadata.dimension_separator)
    encoding = metadata.chunk_key_encoding
    return KeyEncoding(encoding.name, getattr(encoding, "separator", "/"))


def _local_folder(array: Any) -> Path | None:
    store = array.store.inner if isinstance(array.store, RememberedStore) else array.store
    return Path(store.root) / array.path if isinstance(store, zarr.storage.LocalStore) else None


def _chunk_files(folder: Path, ndim: int) -> Iterator[str]:
    """Yield the files below a folder that look like chunks, as keys relative to it."""
    waiting = [("", folder)]
    while waiting:
        prefix, at = waiting.pop()
        try:
            with os.scandir(at) as found:
                entries = list(found)
        except OSError:
            continue
        for entry in entries:
            key = prefix + entry.name
            if not _KEY.fullmatch(key):
                continue
            if not entry.is_dir():
                yield key
            elif key.count("/") <= ndim + 1:
                waiting.append((f"{key}/", Path(entry.path)))


def _fits(key: str, encoding: KeyEncoding, grid: Sequence[int]) -> bool:
    """Whether a key is that of a chunk of the grid."""
    parts = key.split(encoding.separator)
    if encoding.name == "default":
        if parts.pop(0) != "c":
            return False
    elif not grid:
        return key == "0"
    if len(parts) != len(grid) or not all(part.isdecimal() for part in parts):
        return False
    return all(str(int(part)) == part and int(part) < n for part, n in zip(parts, grid, strict=True))
