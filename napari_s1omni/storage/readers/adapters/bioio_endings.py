"""Which file endings the plugins of bioio read that a user installed, and no reader of this package does."""

from __future__ import annotations

import functools
from importlib import metadata
from importlib.util import find_spec

from napari_s1omni.storage.format_descriptions import FORMATS

_GROUP = "bioio.readers"
_OWN = {
    *("bioio-ome-zarr", "bioio-ome-tiff", "bioio-ome-tiled-tiff", "bioio-tifffile", "bioio-tiff-glob"),
    *("bioio-czi", "bioio-nd2", "bioio-lif"),
}
"""Plugins whose files this package reads itself; they are not imported."""
_NO_IMAGES = {
    *(".txt", ".csv", ".tsv", ".xlsx", ".xls", ".json", ".geojson", ".xml", ".html", ".htm", ".log", ".pdf", ".db"),
    *(".zip", ".gz", ".roi", ".py", ".ini", ".cfg", ".inf", ".dat", ".bin", ".raw", ".zarr", ".mdb"),
}
"""Endings that Bio-Formats claims, but that files of other kinds have far more often."""


@functools.cache
def has_plugins() -> bool:
    """Whether a plugin is installed that may read what this package does not; nothing is imported."""
    return find_spec("bioio") is not None and any(p.name not in _OWN for p in metadata.entry_points(group=_GROUP))


@functools.cache
def bioio_endings() -> tuple[str, ...]:
    """Return the endings that only plugins of bioio read, the longest first. Plugins are imported for it."""
    if not has_plugins():
        return ()
    own = {ending for format in FORMATS for ending in format.endings}
    found: set[str] = set()
    for point in metadata.entry_points(group=_GROUP):
        if point.name in _OWN:
            continue
        try:
            given = point.load().ReaderMetadata.get_supported_extensions()
            found |= {f".{str(ending).lower().lstrip('.')}" for ending in given}
        except Exception:  # a broken plugin reads nothing
            continue
    return tuple(sorted(found - own - _NO_IMAGES - {"."}, key=lambda ending: (-len(ending), ending)))
