"""List the images of a folder, a pattern, a plate or a CSV file without reading a pixel."""

from __future__ import annotations

import csv
import glob
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.readers.registry import FILE_ENDINGS

_ZARR = ("zarr.json", ".zattrs", ".zgroup", ".zarray")


@dataclass(frozen=True, slots=True)
class CollectionEntry:
    """One source of a collection."""

    name: str
    """Unique within the collection; valid as a folder name."""
    uri: str
    """Its path or URL."""
    changes: Mapping[str, str] = field(default_factory=dict)
    """The other columns of its CSV row: values by dotted key of a job."""


def list_sources(where: str | Path) -> list[CollectionEntry]:
    """List the images of a folder, a glob, an OME-Zarr plate or a CSV file.

    Parameters
    ----------
    where : str or Path
        A folder (its image files and Zarr stores, but no subfolders and no results of this package);
        a pattern with ``*``, ``?`` or ``[...]``; the folder of an OME-Zarr plate
        (every field of every well); or a CSV file with a column ``source`` and
        optional columns named like keys of a job, such as ``operation.prompt``.

    Returns
    -------
    list of Entry
        Sorted by name; a CSV file keeps its order.

    Raises
    ------
    SourceError
        If there is no image, or the CSV file cannot be read.
    """
    text = str(where)
    path = Path(where)
    if path.suffix.lower() == ".csv":
        entries = _rows(path)
    elif path.is_dir() and (fields := _fields(path)):
        entries = [CollectionEntry(name.replace("/", "-"), f"{text}/{name}") for name in fields]
    elif path.is_dir() and not _is_zarr(path):
        # Results beside their sources are not sources of the next run, unless a pattern names them.
        entries = _named(sorted(p for p in path.iterdir() if _is_image(p) and not (p / WORK).exists()))
    elif glob.has_magic(text):
        entries = _named(sorted(Path(p) for p in glob.glob(text) if _is_image(Path(p))))
    else:
        raise SourceError(
            f"{text} is one image or does not exist", "a collection is a folder, a pattern, a plate or a CSV file"
        )
    if not entries:
        raise SourceError(
            f"{text} holds no images",
            f"images are files ending in {', '.join(FILE_ENDINGS)}, or Zarr stores",
            "choose another folder or pattern",
        )
    return entries


def is_collection(where: str | Path) -> bool:
    """Whether a path or pattern stands for several images."""
    path = Path(where)
    return (
        path.suffix.lower() == ".csv"
        or (path.is_dir() and (bool(_fields(path)) or not _is_zarr(path)))
        or (glob.has_magic(str(where)) and "://" not in str(where) and not path.exists())
    )


def _is_zarr(path: Path) -> bool:
    return any((path / name).exists() for name in _ZARR)


def _is_image(path: Path) -> bool:
    if path.is_dir():
        return _is_zarr(path)
    return path.name.lower().endswith(FILE_ENDINGS)


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


def _rows(path: Path) -> list[CollectionEntry]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: {error}", remedy="give a readable CSV file in UTF-8") from None
    if not rows or "source" not in rows[0]:
        raise SourceError(
            f"{path} has no column 'source'", "each row has the path or URL of one image", "add the column"
        )
    entries: list[CollectionEntry] = []
    for number, row in enumerate(rows, 2):
        uri = (row.pop("source") or "").strip()
        if not uri:
            raise SourceError(f"line {number} of {path} has no source", "the column 'source' holds a path or URL")
        # Relative paths start at the folder of the CSV file.
        local = uri if "://" in uri or Path(uri).is_absolute() else str(path.parent / uri)
        changes = {key: value for key, value in row.items() if isinstance(value, str) and value.strip()}
        entries.append(CollectionEntry(f"{number - 1:04d}-{Path(uri).name.split('.')[0]}", local, changes))
    return entries


def _fields(path: Path) -> list[str]:
    """Return the paths of the fields of a plate; empty if it is not a plate."""
    wells = _attributes(path).get("plate", {}).get("wells", [])
    found: list[str] = []
    for well in wells:
        at = str(well.get("path", ""))
        images = _attributes(path / at).get("well", {}).get("images", [])
        # A well whose list of fields cannot be read is listed too, so that its error is reported.
        found += [f"{at}/{image.get('path', '0')}" for image in images] or [f"{at}/0"]
    return found


def _attributes(path: Path) -> dict[str, Any]:
    """Return the OME attributes of a Zarr v2 or v3 group; empty if there are none."""
    for name in ("zarr.json", ".zattrs"):
        try:
            data = json.loads((path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        attributes = data.get("attributes", {}) if name == "zarr.json" else data
        return dict(attributes.get("ome", attributes))
    return {}
