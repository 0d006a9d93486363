"""Stores that are known by what lies in a folder, in an XML or in a URL, and not by an ending."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

from napari_s1omni.core.paths import is_url
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.volumes.chunk_stores.tensor_store import read_document
from napari_s1omni.storage.readers.volumes.views.spim_data import MARK

N5 = "volumes.chunk_stores.n5"
"""Module below ``storage/readers`` that reads N5."""
PRECOMPUTED = "volumes.chunk_stores.precomputed"
"""Module below ``storage/readers`` that reads precomputed volumes."""
_N5_KEYS, _PRECOMPUTED_KEYS = {"n5", "dimensions"}, {"scales", "data_type"}
_ZARR = ("zarr.json", ".zgroup", ".zarray")
_KEY = re.compile(r'"(\w+)"\s*:')
_HEAD = 4096
_ENDING = ".n5"
_MOST_BYTES = 2**20
"""Largest document that is read to know a folder."""


def url_format(url: str) -> str | None:
    """Return the module that reads a store behind a URL, where the URL alone says so."""
    if not is_url(url):
        return None
    lower = url.lower().rstrip("/")
    if lower.startswith("precomputed://") or lower.endswith(("|neuroglancer-precomputed:", ".precomputed")):
        return PRECOMPUTED
    if lower.startswith("n5://") or lower.endswith("|n5:") or f"{_ENDING}/" in f"{lower}/":
        return N5
    return None


def is_n5(path: Path) -> bool:
    """Whether a folder is an N5 store, or a group or dataset in one."""
    if not path.is_dir():
        return False
    if any((path / name).is_file() for name in _ZARR):
        return False
    inside = any(folder.suffix.lower() == _ENDING for folder in (path, *path.parents))
    return inside or bool(_N5_KEYS & _keys(path / "attributes.json"))


def is_precomputed(path: Path) -> bool:
    """Whether a folder is a volume of Neuroglancer."""
    return _PRECOMPUTED_KEYS <= _keys(path / "info")


def is_spim_data(path: Path) -> bool:
    """Whether a file is the XML of BigDataViewer."""
    if path.suffix.lower() != ".xml" or not path.is_file():
        return False
    with path.open("rb") as file:
        return MARK in file.read(_HEAD)


def _keys(document: Path) -> set[str]:
    """Return the keys of a small JSON object, also of one that was cut off, so that its reader says so."""
    try:
        if not document.is_file() or document.stat().st_size > _MOST_BYTES:
            return set()
        content = document.read_text(encoding="utf-8", errors="replace")
        found = json.loads(content)
    except OSError:
        return set()
    except ValueError:
        return set(_KEY.findall(content))
    return set(found) if isinstance(found, dict) else set()


def probed_format(url: str) -> str | None:
    """Ask a server which volume lies behind a URL without an ending; None if it is none, or cannot be asked."""
    if find_spec("tensorstore") is None or not is_url(url):
        return None
    try:
        if _PRECOMPUTED_KEYS <= set(read_document(url, "info") or ()):
            return PRECOMPUTED
        return "volumes.chunk_stores.n5" if _N5_KEYS & set(read_document(url, "attributes.json") or ()) else None
    except SourceError:
        return None
