"""FsyncStore: a zarr store in which every key is either complete and on disk, or absent."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from zarr.storage import LocalStore

from napari_s1omni.errors import StoreError
from napari_s1omni.storage.files.disk import Disk, OnStep, disk_errors, no_step
from napari_s1omni.storage.files.standing_folder import StandingFolder

WORK = ".s1omni"
"""Folder beside the arrays for everything that is not part of the image."""
PARTIAL = "partial"
"""Folder under :data:`WORK` for files that are still being written."""


class FsyncStore(LocalStore):
    """A folder of keys, each committed by temporary file, fsync, rename, fsync of the folder.

    zarr's own local store also renames but does not fsync, so after a power
    loss a key may exist and be empty.

    Parameters
    ----------
    root : Path or str
        The folder; created by the first write.
    read_only : bool
    disk : Disk, optional
        The file system.
    on_step : callable, optional
        Called with ``temp`` once the temporary file is on disk and with
        ``renamed`` once the key is.
    """

    def __init__(
        self, root: Path | str, *, read_only: bool = False, disk: Disk | None = None, on_step: OnStep = no_step
    ) -> None:
        super().__init__(Path(root), read_only=read_only)
        self.disk = disk or Disk()
        self.on_step = on_step
        self._standing = StandingFolder(Path(root) / WORK)

    def with_read_only(self, read_only: bool = False) -> Self:
        """Return the same store, read-only or not."""
        return type(self)(self.root, read_only=read_only, disk=self.disk, on_step=self.on_step)

    @property
    def partial(self) -> Path:
        """Folder of files that are still being written, on the same file system as the keys."""
        return Path(self.root) / WORK / PARTIAL

    def put(self, key: str, data: bytes | Iterable[bytes], *, fresh: bool = False) -> None:
        """Commit `data` under `key`.

        Parameters
        ----------
        key : str
        data : bytes, or iterable of bytes
            Parts are written one by one and never all in memory.
        fresh : bool
            Delete the old value first, so that a failed attempt cannot leave
            an earlier value behind. Otherwise readers always see the old or
            the new value.

        Raises
        ------
        DiskFull
            Neither the key nor the temporary file remains.
        StoreMissing
            If the folder was deleted or moved since the last call.
        StoreError
            If the folder cannot be written.
        """
        self._check_writable()
        self._standing.check()
        target = Path(self.root) / key
        partial = self.partial / f"{os.getpid()}-{uuid.uuid4().hex}.partial"
        with disk_errors("writing", target):
            if fresh:
                self.disk.delete(target)
            self.disk.make_folder(target.parent)
            self.disk.make_folder(partial.parent)
            try:
                self.disk.write(partial, data)
                self.on_step("temp")
                self.disk.rename(partial, target)
            except BaseException:
                self.disk.delete(partial)
                raise
            self.disk.sync_folder(target.parent)
            self.on_step("renamed")

    def remove(self, key: str) -> None:
        """Delete `key` if it exists, durably."""
        self._check_writable()
        target = Path(self.root) / key
        with disk_errors("deleting", target):
            if target.exists():
                self.disk.delete(target)
                self.disk.sync_folder(target.parent)

    def sweep(self) -> int:
        """Delete partial files of killed processes; return how many.

        Only for the process that holds the lock of the output, while no worker writes.
        """
        found = sorted(self.partial.glob("*.partial")) if self.partial.is_dir() else []
        for path in found:
            with disk_errors("deleting", path):
                self.disk.delete(path)
        return len(found)

    def _check_writable(self) -> None:
        if self.read_only:
            raise StoreError(f"{self.root} was opened for reading", remedy="open it with mode 'r+' to write")

    async def set(self, key: str, value: Any) -> None:
        """Commit a buffer of zarr."""
        await asyncio.to_thread(self.put, key, value.to_bytes())

    async def set_if_not_exists(self, key: str, value: Any) -> None:
        """Commit a buffer of zarr unless the key exists."""
        if not (Path(self.root) / key).exists():
            await self.set(key, value)

    async def delete(self, key: str) -> None:
        """Delete a key if it exists, durably."""
        await asyncio.to_thread(self.remove, key)
