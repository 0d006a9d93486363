"""Locks between processes. The system releases them however their holder ends."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class LocksMissing(Exception):
    """The file system has no locks."""


class LockTaken(Exception):
    """Another process holds the lock.

    Parameters
    ----------
    holder : dict
        Its ``pid`` and ``host``, and ``user`` where that has a name; empty while it is just taking the lock.
    """

    def __init__(self, holder: dict[str, Any]) -> None:
        self.holder = holder
        super().__init__(f"held by {holder}")


@contextlib.contextmanager
def lock_file(path: Path, *, mode: int) -> Iterator[None]:
    """Wait for a lock file, made where it is missing, and hold it during a ``with`` block.

    Parameters
    ----------
    path : Path
    mode : int
        Permissions of the file: who may write to it may lock it.
    """
    # Reading a state file needs no lock, and importing this takes longer than reading it.
    from filelock import FileLock

    with FileLock(path, mode=mode):
        yield


@contextlib.contextmanager
def lock_folder(path: Path) -> Iterator[None]:
    """Wait for a folder and hold it during a ``with`` block; no file is added to it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def owner_lock(path: Path) -> Iterator[None]:
    """Hold a lock file that names this process, during a ``with`` block; take it at once or not at all.

    filelock does not serve here: some of its versions empty the file when they only try to lock it, and some delete
    it when they release it, so that the holder's name is lost.

    Parameters
    ----------
    path : Path
        Made where it is missing.

    Raises
    ------
    LockTaken
        If it is held already.
    LocksMissing
        If the file system has no locks.
    OSError
        If the file cannot be opened or written.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _take(descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(_this_process()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def check_unlocked(path: Path) -> None:
    """Fail, as :func:`owner_lock` would, where a lock file is held; only read it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _take(descriptor)
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LockTaken(_holder(os.pread(descriptor, 1000, 0))) from None
    except OSError as error:
        raise LocksMissing(error.strerror) from error


def _this_process() -> dict[str, Any]:
    who: dict[str, Any] = {"pid": os.getpid(), "host": socket.gethostname()}
    # In a container, a user may have a number only.
    with contextlib.suppress(OSError, KeyError):
        who["user"] = getpass.getuser()
    return who


def _holder(text: bytes) -> dict[str, Any]:
    """Return the process that holds the lock; nothing while it is just being written."""
    try:
        return dict(json.loads(text))
    except ValueError:
        return {}
