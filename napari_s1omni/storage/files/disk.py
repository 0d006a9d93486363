"""File system calls that a durable result needs, with errors that say what to do."""

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
"""Bytes of small parts that are collected before they are written."""


def no_step(name: str) -> None:
    """Do nothing."""


class Disk:
    """Write files and folders so that they are on disk when a call returns.

    Parameters
    ----------
    durable : bool
        Whether to fsync. Without it a killed process still loses nothing, but
        a power loss may.
    """

    def __init__(self, durable: bool = True) -> None:
        self.durable = durable

    def write(self, path: Path, data: bytes | Iterable[bytes]) -> None:
        """Write a new file, at once or part by part, and fsync it."""
        parts = (data,) if isinstance(data, bytes) else data
        # A few rows of a table are too small for a system call each.
        with open(path, "xb", buffering=_BUFFER) as file:
            file.writelines(parts)
            file.flush()
            self.sync(file.fileno())

    def rename(self, path: Path, target: Path) -> None:
        """Replace `target` by `path` atomically."""
        path.replace(target)

    def delete(self, path: Path) -> None:
        """Delete a file if it exists."""
        path.unlink(missing_ok=True)

    def make_folder(self, path: Path) -> None:
        """Create a folder and its parents and fsync each entry."""
        missing = []
        while not path.is_dir():
            missing.append(path)
            path = path.parent
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            self.sync_folder(folder.parent)

    def sync_folder(self, path: Path) -> None:
        """Fsync the entries of a folder."""
        if self.durable:
            sync_folder(path)

    def sync(self, descriptor: int) -> None:
        """Fsync an open file."""
        if self.durable:
            sync_file(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes, in as many system calls as it takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@contextlib.contextmanager
def disk_errors(doing: str, path: Path) -> Iterator[None]:
    """Turn an ``OSError`` into :class:`DiskFull` or :class:`StoreError`.

    Parameters
    ----------
    doing : str
        What is attempted, such as ``writing``.
    path : Path
        The file or folder.
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(
                f"no space left while {doing} {path}",
                remedy="free some space and resume; finished blocks are kept",
                path=str(path),
            ) from error
        remedy = "check the path and its permissions"
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            remedy = "choose a folder that you may write to, or change its permissions"
        raise StoreError(
            f"{doing} {path} failed: {error.strerror or error}", remedy=remedy, path=str(path), errno=error.errno
        ) from error
