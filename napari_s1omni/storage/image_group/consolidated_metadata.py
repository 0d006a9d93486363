"""Keep consolidated metadata right where labels were added below it.

Many readers trust the copy of all metadata at the root of a store (``.zmetadata`` in Zarr v2, inside ``zarr.json`` in
v3) and see nothing that it does not name. Only the entries of the labels are replaced; all others stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_s1omni.planning.zarr_folder import read_json, zarr_format
from napari_s1omni.storage.files.disk import disk_errors
from napari_s1omni.storage.files.fsync_store import WORK, FsyncStore
from napari_s1omni.storage.image_group.group_document import dump_json
from napari_s1omni.system.locks import lock_folder

_V2_FILES = (".zgroup", ".zarray", ".zattrs")
_NO_CHILDREN = {"kind": "inline", "must_understand": False, "metadata": {}}


def refresh_consolidated(labels: Path, store: FsyncStore) -> None:
    """Bring the entries of a label image up to date in the consolidated metadata of every group above it.

    Parameters
    ----------
    labels : Path
        The folder of the label image.
    store : FsyncStore
        The store of that folder.
    """
    whole = labels.absolute()
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
                # Of the groups above the labels, only those are added that an earlier program left out.
                added = _sorted({**found, **entries, **{k: v for k, v in found.items() if k.startswith(ours)}})
                if added != entries or list(added) != list(entries):
                    entries.clear()
                    entries.update(added)
                    store.put(f"{'../' * depth}{name}", dump_json(document))


def _entries_v3(root: Path, labels: Path) -> Iterator[tuple[str, Any]]:
    """Yield the entries of Zarr v3 of a label image and of the groups between it and the root."""
    for folder in _nodes(root, labels):
        document = read_json(folder / "zarr.json")
        if document:
            if document.get("node_type") == "group":
                document["consolidated_metadata"] = _NO_CHILDREN
            yield folder.relative_to(root).as_posix(), document


def _entries_v2(root: Path, labels: Path) -> Iterator[tuple[str, Any]]:
    """Yield the entries of Zarr v2 of a label image and of the groups between it and the root."""
    for folder in _nodes(root, labels):
        for name in _V2_FILES:
            if (folder / name).is_file():
                yield (folder / name).relative_to(root).as_posix(), read_json(folder / name)


def _nodes(root: Path, labels: Path) -> Iterator[Path]:
    """Yield the groups from below the root to the label image, then its arrays."""
    between = [folder for folder in labels.parents if root in folder.parents]
    yield from [*reversed(between), labels]
    yield from sorted(folder for folder in labels.iterdir() if folder.is_dir() and folder.name != WORK)


def _sorted(entries: dict[str, Any]) -> dict[str, Any]:
    """Sort entries by depth, then by name: readers take the children of a group from neighbouring entries."""
    return dict(sorted(entries.items(), key=lambda item: (item[0].count("/"), item[0])))
