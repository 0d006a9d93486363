"""List a label image in the ``labels`` group of the OME-Zarr image that it belongs to."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from napari_s1omni.errors import StoreError
from napari_s1omni.planning.zarr_folder import read_attributes, read_json, read_ome, zarr_format
from napari_s1omni.storage.files.disk import Disk, disk_errors
from napari_s1omni.storage.files.fsync_store import FsyncStore
from napari_s1omni.storage.image_group.consolidated_metadata import refresh_consolidated
from napari_s1omni.storage.image_group.group_document import put_group
from napari_s1omni.storage.image_group.image_levels import read_image_levels
from napari_s1omni.system.locks import lock_folder

_REMEDY = "write to a separate output folder"


def check_labels_path(path: Path) -> None:
    """Refuse a path for labels that is not ``IMAGE/labels/NAME`` in an OME-Zarr 0.4 or 0.5 image.

    The image has one pyramid, and the list of its labels can be read, since it is written again with one more name.
    """
    if path.parent.name != "labels":
        raise StoreError(f"path {path} for labels inside an image", "the path is IMAGE/labels/NAME")
    image = path.parent.parent
    read_image_levels(image)
    count = len(read_ome(image)["multiscales"])
    if count > 1:
        # Labels have the pyramids of their image; with one of several, validators refuse the image.
        raise StoreError(f"{image} holds {count} multiscale images", "labels go into an image that holds one", _REMEDY)
    _listed(path.parent)


def _listed(folder: Path) -> list[str]:
    """Return the names that a ``labels`` group lists.

    Raises
    ------
    StoreError
        If its metadata cannot be read, so that writing it again would lose something.
    """
    version = zarr_format(folder)
    for name in ("zarr.json",) if version == 3 else (".zgroup", ".zattrs"):
        file = folder / name
        if file.is_file() and not read_json(file) and file.read_bytes().strip() != b"{}":
            raise StoreError(
                f"{file} is no JSON object", "it lists the labels of the image", f"repair it, or {_REMEDY}"
            )
    listed = read_ome(folder).get("labels") or []
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise StoreError(
            f"{folder} lists the labels {listed!r}",
            "the key labels is a list of names",
            f"correct it, or {_REMEDY}",
        )
    return listed


def register_labels(path: Path, disk: Disk) -> None:
    """Add the label image at `path` to the list of its parent group, which is created if missing.

    The folder is locked meanwhile, so that two runs on one image do not overwrite each other's entry. Consolidated
    metadata of the groups above is brought up to date.
    """
    check_labels_path(path)
    folder = path.parent
    # The partial files lie in the folder of the label image, so nothing else is added to the image.
    store = FsyncStore(path, disk=disk)
    with contextlib.ExitStack() as stack:
        with disk_errors("locking", folder):
            stack.enter_context(lock_folder(folder))
        with disk_errors("reading", folder):
            attributes = read_attributes(folder)
            version = zarr_format(folder) or zarr_format(folder.parent) or 3
        listing = dict(attributes.get("ome", {"version": "0.5"})) if version == 3 else attributes
        listed = _listed(folder)
        if path.name not in listed:
            listing = {**listing, "labels": [*listed, path.name]}
            put_group(store, {**attributes, "ome": listing} if version == 3 else listing, version, "../")
    whole = path.absolute()
    refresh_consolidated(path, lambda file, data: store.put(os.path.relpath(file, whole), data))
