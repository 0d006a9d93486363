"""Processes that run foreign code: started so that they end with this one, watched and stopped from outside."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import queue
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PIPE_BYTES = 2**20
"""Of a pipe that images go through."""


def machine() -> str:
    """Return the kind of processor, such as ``x86_64``."""
    return platform.machine()


def kernel() -> str:
    """Return name and version of the operating system's kernel."""
    return f"{platform.system()} {platform.release()}"


def can_confine() -> bool:
    """Whether this operating system has what confinement is made of. Today that is Linux."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open")


def is_superuser() -> bool:
    """Whether this process is run by root."""
    return os.geteuid() == 0


def find_program(name: str) -> str | None:
    """Return the path of a program of the system; None where it is not installed."""
    return shutil.which(name)


class _Starter:
    """One thread that lives as long as this process and starts all confined ones.

    The signal by which they end with their parent comes when the *thread* that started them ends.
    """

    def __init__(self) -> None:
        self._wanted: queue.SimpleQueue[tuple[Sequence[str], dict[str, Any], queue.SimpleQueue[Any]]] = (
            queue.SimpleQueue()
        )
        self.process = os.getpid()
        threading.Thread(target=self._work, name="s1omni-sandbox-starter", daemon=True).start()

    def start(self, words: Sequence[str], options: dict[str, Any]) -> subprocess.Popen[bytes]:
        answer: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._wanted.put((words, options, answer))
        started = answer.get()
        if isinstance(started, BaseException):
            raise started
        process: subprocess.Popen[bytes] = started
        return process

    def _work(self) -> None:
        while True:
            words, options, answer = self._wanted.get()
            try:
                answer.put(subprocess.Popen(words, start_new_session=True, **options))
            except BaseException as error:
                answer.put(error)


_starters: list[_Starter] = []
_starting = threading.Lock()


def start_bound(words: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own. The end of its parent, to which it may react, is that of this process.

    Parameters
    ----------
    words : sequence of str
        Program and arguments.
    **options
        Of :class:`subprocess.Popen`.
    """
    with _starting:
        # A fork of this process has no such thread.
        if not _starters or _starters[-1].process != os.getpid():
            _starters[:] = [_Starter()]
        starter = _starters[-1]
    return starter.start(words, options)


def enlarge_pipe(descriptor: int) -> None:
    """Let a pipe hold a mebibyte, where the system allows it."""
    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


class Watched:
    """A running process, known by a descriptor that no other process can take over.

    Parameters
    ----------
    pid : int
        Of this machine.

    Raises
    ------
    ProcessLookupError
        If it has ended.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._descriptor = os.pidfd_open(pid)

    def send(self, number: int) -> None:
        """Send a signal; nothing happens if the process has ended."""
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self._descriptor, number)

    def hold(self) -> None:
        """Stop all its threads until :meth:`release`."""
        self.send(signal.SIGSTOP)

    def release(self) -> None:
        """Let it work again."""
        self.send(signal.SIGCONT)

    def interrupt(self) -> None:
        """Ask it to end what it does, as Ctrl-C would."""
        self.send(signal.SIGINT)

    def kill(self) -> None:
        """End it at once."""
        self.send(signal.SIGKILL)

    def threads(self) -> int:
        """Return its number of threads; 0 if it has ended."""
        try:
            return len(os.listdir(f"/proc/{self._pid}/task"))
        except OSError:
            return 0

    def hidden_bytes(self) -> int:
        """Return the bytes of files that it holds open although they have no name any more."""
        total = 0
        with contextlib.suppress(OSError), os.scandir(f"/proc/{self._pid}/fd") as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    found = entry.stat()
                    total += found.st_blocks * 512 if stat.S_ISREG(found.st_mode) and not found.st_nlink else 0
        return total

    def files_inside(self, folder: str) -> int:
        """Return how many files there are in a file system that only this process sees; 0 where that is unknown."""
        try:
            found = os.statvfs(f"/proc/{self._pid}/root{folder}")
        except OSError:
            return 0
        return found.f_files - found.f_ffree

    def close(self) -> None:
        """Forget the process."""
        os.close(self._descriptor)


def folder_use(folder: Path, most: int) -> tuple[int, int]:
    """Return bytes and entries in a folder that a foreign process writes to; nothing in it is opened but folders.

    Parameters
    ----------
    folder : Path
    most : int
        Entries after which counting ends.

    Raises
    ------
    OSError
        If a part of it cannot be listed.
    """
    size, count, waiting = 0, 0, [folder]
    while waiting:
        inner = waiting.pop()
        try:
            descriptor = os.open(inner, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    count += 1
                    if count > most:
                        return size, count
                    with contextlib.suppress(FileNotFoundError):
                        size += entry.stat(follow_symlinks=False).st_blocks * 512
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(inner / entry.name)
        finally:
            os.close(descriptor)
    return size, count


def remove_folder(folder: Path) -> None:
    """Remove a folder that an ended foreign process has filled, however deep and whatever its permissions.

    No link is followed.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    here = os.open(folder, flags)
    # Names on the way down, each with the folders beside it that are left; paths may be longer than the system allows.
    way: list[tuple[str, list[str]]] = []
    waiting = _remove_files(here)
    try:
        while True:
            if waiting:
                name = waiting.pop()
                os.chmod(name, 0o700, dir_fd=here)
                inner = os.open(name, flags, dir_fd=here)
                os.close(here)
                here = inner
                way.append((name, waiting))
                waiting = _remove_files(here)
                continue
            if not way:
                break
            above = os.open("..", flags, dir_fd=here)
            os.close(here)
            here = above
            name, waiting = way.pop()
            os.rmdir(name, dir_fd=here)
    finally:
        os.close(here)
    folder.rmdir()


def _remove_files(folder: int) -> list[str]:
    """Remove what is no folder from an open folder, and return the names of those that are."""
    folders = []
    for name in os.listdir(folder):
        if stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
            folders.append(name)
        else:
            os.unlink(name, dir_fd=folder)
    return folders
