"""Deleting the folder of a result, for a user who has confirmed it."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from napari_s1omni.errors import StoreError, StoreLocked
from napari_s1omni.planning.zarr_folder import read_attributes
from napari_s1omni.storage.files.disk import disk_errors
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.result.metadata import KEY
from napari_s1omni.storage.result.preflight import LOCK
from napari_s1omni.system.locks import LockTaken, owner_lock


def may_delete(path: Path) -> bool:
    """Whether a folder is that of a run, and no part of an image: labels inside of an image are listed there."""
    return (path / WORK).is_dir() and not dict(read_attributes(path).get(KEY) or {}).get("into")


def folder_size(path: Path) -> int:
    """Return the bytes of all files in a folder; those that vanish meanwhile count nothing."""
    total = 0
    for file in path.rglob("*"):
        try:
            total += 0 if file.is_dir() else file.lstat().st_size
        except OSError:
            continue
    return total


def delete_result(path: Path) -> None:
    """Delete the folder of a result with everything in it.

    Raises
    ------
    StoreError
        If no run made the folder, it is part of an image, or it cannot be deleted.
    StoreLocked
        If a run is writing to it.
    """
    if not may_delete(path):
        raise StoreError(
            f"{path} is not a folder of a result of its own",
            "a folder that a run made is deleted; labels inside an image are part of it",
            "delete it by hand",
        )
    # Under another name first: a deletion that is interrupted must leave no half of a result.
    aside = path.with_name(f".{path.name}.deleted-{uuid.uuid4().hex[:8]}")
    with disk_errors("deleting", path):
        try:
            with owner_lock(path / WORK / LOCK):
                path.rename(aside)
        except LockTaken as error:
            raise StoreLocked(
                f"{path} is being written by process {error.holder.get('pid', '?')}",
                remedy="cancel that run first",
                path=str(path),
            ) from None
        shutil.rmtree(aside)
