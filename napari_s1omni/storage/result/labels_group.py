"""The list of label images inside an OME-Zarr image."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from napari_s1omni.errors import StoreError
from napari_s1omni.storage.files.disk import Disk, disk_errors
from napari_s1omni.storage.files.fsync_store import FsyncStore
from napari_s1omni.storage.result.metadata import group_document
from napari_s1omni.system.locks import lock_folder


def check_labels_path(path: Path) -> None:
    """Refuse a place for labels that is not ``IMAGE/labels/NAME`` of an OME-Zarr 0.5 image."""
    image = path.parent.parent
    if path.parent.name != "labels":
        raise StoreError(f"{path} for labels inside an image", "IMAGE/labels/NAME")
    if (image / ".zattrs").exists() or (image / ".zgroup").exists():
        raise StoreError(
            f"{image} is OME-Zarr 0.4, in which labels of 0.5 cannot stand",
            remedy="write to an output folder of its own",
        )
    if not is_image(image):
        raise StoreError(f"{image} is not an OME-Zarr 0.5 image", remedy="write to an output folder of its own")


def is_image(path: Path) -> bool:
    """Whether a folder is an OME-Zarr image, of whatever version, or a zarr array."""
    if (path / ".zarray").exists():
        return True
    if (path / ".zattrs").exists():
        return "multiscales" in json.loads((path / ".zattrs").read_bytes())
    if not (path / "zarr.json").exists():
        return False
    document = json.loads((path / "zarr.json").read_bytes())
    return document.get("node_type") == "array" or "multiscales" in document.get("attributes", {}).get("ome", {})


def register_labels(path: Path, disk: Disk) -> None:
    """Enter the label image at `path` in the list of its parent group, made if absent.

    The folder is locked meanwhile, so that two runs on one image do not lose each other's entry.
    """
    check_labels_path(path)
    folder = path.parent
    with contextlib.ExitStack() as stack:
        with disk_errors("locking", folder):
            stack.enter_context(lock_folder(folder))
        attributes = _attributes(folder / "zarr.json")
        ome = dict(attributes.get("ome", {"version": "0.5"}))
        listed = list(ome.get("labels", ()))
        if path.name not in listed:
            ome["labels"] = [*listed, path.name]
            # Partial files belong to the label image: the image's folder gets no other.
            FsyncStore(path, disk=disk).put("../zarr.json", group_document({**attributes, "ome": ome}))


def _attributes(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    with disk_errors("reading", path):
        attributes = json.loads(path.read_bytes()).get("attributes", {})
    return dict(attributes)
