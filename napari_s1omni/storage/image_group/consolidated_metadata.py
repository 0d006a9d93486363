"""Keep consolidated metadata right where labels or tables were added below it.

Many readers trust the copy of all metadata at the root of a store (``.zmetadata`` in Zarr v2, inside ``zarr.json`` in
v3) and see nothing that it does not name. Only the entries of what was added are replaced; all others stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from napari_s1omni.planning.zarr_folder import read_json, zarr_format
from napari_s1omni.storage.files.disk import disk_errors
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.image_group.group_document import dump_json
from napari_s1omni.system.locks import lock_folder

_V2_FILES = (".zgroup", ".zarray", ".zattrs")
_NO_CHILDREN = {"kind": "inline", "must_understand": False, "metadata": {}}


def refresh_consolidated(added: Path, write: Callable[[Path, bytes], None]) -> None:
    """Bring the entries of a label image or table up to date in the consolidated metadata of every group above it.

    Parameters
    ----------
    added : Path
        The folder of the label image or table.
    write : callable
        Replaces a file as a whole.
    """
    whole = added.absolute()
    for depth, root in enumerate(whole.parents, 1):
        version = zarr_format(root)
        if version is None:
            return
        name = "zarr.json" if version == 3 else ".zmetadata"
        with disk_errors("locking", root), lock_folder(root):
            document = read_json(root / name)
            kept = document.get("consolidated_metadata") if version == 3 else document
            entries = kept.get("metadata") if isinstance(kept, dict) else None
            if isinstance(entries, dict):
                found = dict(_entries_v3(root, whole) if version == 3 else _entries_v2(root, whole))
                ours = "" if depth == 1 else whole.parent.relative_to(root).as_posix()
                # Of the groups above, only those are added that an earlier program left out.
                now = _sorted({**found, **entries, **{k: v for k, v in found.items() if k.startswith(ours)}})
                if now != entries or list(now) != list(entries):
                    entries.clear()
                    entries.update(now)
                    write(root / name, dump_json(document))


def _entries_v3(root: Path, added: Path) -> Iterator[tuple[str, Any]]:
    """Yield the entries of Zarr v3 of what was added and of the groups between it and the root."""
    for folder in _nodes(root, added):
        document = read_json(folder / "zarr.json")
        if document:
            if document.get("node_type") == "group":
                document["consolidated_metadata"] = _NO_CHILDREN
            yield folder.relative_to(root).as_posix(), document


def _entries_v2(root: Path, added: Path) -> Iterator[tuple[str, Any]]:
    """Yield the entries of Zarr v2 of what was added and of the groups between it and the root."""
    for folder in _nodes(root, added):
        for name in _V2_FILES:
            if (folder / name).is_file():
                yield (folder / name).relative_to(root).as_posix(), read_json(folder / name)


def _nodes(root: Path, added: Path) -> Iterator[Path]:
    """Yield the groups from below the root to what was added, then its arrays."""
    between = [folder for folder in added.parents if root in folder.parents]
    yield from [*reversed(between), added]
    yield from sorted(folder for folder in added.iterdir() if folder.is_dir() and folder.name != WORK)


def _sorted(entries: dict[str, Any]) -> dict[str, Any]:
    """Sort entries by depth, then by name: readers take the children of a group from neighbouring entries."""
    return dict(sorted(entries.items(), key=lambda item: (item[0].count("/"), item[0])))
