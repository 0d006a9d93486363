"""Files and folders: waiting until they are stored, permissions, and the user's cache."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def sync_file(descriptor: int) -> None:
    """Wait until an open file is stored."""
    os.fsync(descriptor)


def sync_folder(path: Path) -> None:
    """Wait until the entries of a folder are stored."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_writable(folder: Path) -> bool:
    """Report whether this user may add files to a folder."""
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=True)


def is_readable(folder: Path) -> bool:
    """Report whether this user may list a folder."""
    return os.access(folder, os.R_OK | os.X_OK, effective_ids=True)


def user_cache() -> Path:
    """Return the folder in which programs of this user keep what they can make again.

    A user whom the system does not know, as in a container, has no home: then it lies in the temporary folder.
    """
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        return temporary_cache()


def temporary_cache() -> Path:
    """Return a folder of this user in the system's temporary folder; it is made, and no other user can write to it.

    Raises
    ------
    OSError
        If there is no temporary folder that can be written.
    """
    folder = Path(tempfile.gettempdir()) / f"napari_s1omni-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not folder.is_symlink() and folder.is_dir() and found.st_uid == os.getuid() and is_writable(folder):
        return folder
    # Another user took the name.
    return Path(tempfile.mkdtemp(prefix=f"{folder.name}-"))


def replace_file(path: Path, data: bytes) -> None:
    """Write a small file of this user whole or not at all; nobody else can read it. Its folder is made.

    Raises
    ------
    OSError
        If it cannot be written; what was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            sync_file(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
