"""The few calls to the file system that durability rests on, and their errors in our words."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from napari_s1omni.errors import DiskFull, StoreError
from napari_s1omni.system.files import sync_file, sync_folder

OnStep = Callable[[str], None]
"""Called with the name of each step of a commit: ``temp``, ``renamed``, ``journal``."""


_BUFFER = 2**18
"""Bytes that are collected from small parts before they are written."""


def no_step(name: str) -> None:
    """Observe nothing."""


class Disk:
    """Files and folders that are on the platter when a call returns.

    Parameters
    ----------
    durable : bool
        Whether to wait for the medium (fsync). Without it a killed process
        still loses nothing; a power cut may.
    """

    def __init__(self, durable: bool = True) -> None:
        self.durable = durable

    def write(self, path: Path, data: bytes | Iterable[bytes]) -> None:
        """Write a new file, whole or part by part, and wait until it is stored."""
        parts = (data,) if isinstance(data, bytes) else data
        # A few rows of a table are less than what is worth a call to the system.
        with open(path, "xb", buffering=_BUFFER) as file:
            file.writelines(parts)
            file.flush()
            self.sync(file.fileno())

    def rename(self, path: Path, target: Path) -> None:
        """Put `path` in the place of `target`, at once for every reader."""
        path.replace(target)

    def delete(self, path: Path) -> None:
        """Delete a file, if it is there."""
        path.unlink(missing_ok=True)

    def make_folder(self, path: Path) -> None:
        """Make a folder and those above it, each entered in its parent for good."""
        missing = []
        while not path.is_dir():
            missing.append(path)
            path = path.parent
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            self.sync_folder(folder.parent)

    def sync_folder(self, path: Path) -> None:
        """Wait until the entries of a folder are stored."""
        if self.durable:
            sync_folder(path)

    def sync(self, descriptor: int) -> None:
        """Wait until an open file is stored."""
        if self.durable:
            sync_file(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte; the system may take them in several helpings."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@contextlib.contextmanager
def disk_errors(doing: str, path: Path) -> Iterator[None]:
    """Turn errors of the system into :class:`DiskFull` or :class:`StoreError`.

    Parameters
    ----------
    doing : str
        What was attempted, such as ``writing``.
    path : Path
        Where.
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(
                f"no space left while {doing} {path}",
                remedy="free some space and resume; what is finished is kept",
                path=str(path),
            ) from error
        remedy = "check the path and its permissions"
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            remedy = "choose a folder that you may write to, or change its permissions"
        raise StoreError(
            f"{doing} {path} failed: {error.strerror or error}", remedy=remedy, path=str(path), errno=error.errno
        ) from error
