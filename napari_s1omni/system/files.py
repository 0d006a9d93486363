"""Files and folders: waiting until they are stored, permissions, and the user's cache."""

from __future__ import annotations

import os
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


def user_cache() -> Path:
    """Return the folder in which programs of this user keep what they can make again."""
    return Path.home() / ".cache"
