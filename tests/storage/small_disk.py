"""Full and read-only file systems, if the tests may mount them, and one that fails on purpose."""

import contextlib
import errno
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from napari_s1omni.storage.files.disk import Disk


@contextlib.contextmanager
def mounted(folder, options):
    """A tmpfs with these mount options; skips where mounting is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting a tmpfs is not allowed here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextlib.contextmanager
def open_folder():
    """A folder that others than its owner may enter, other than pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@contextlib.contextmanager
def as_nobody():
    """Lose the rights of root for file access, so that permissions count; skips for nobody special."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if before == 0:
            os.seteuid(0)


class RecordingDisk(Disk):
    """Does everything, and remembers what in which order, by the file's last suffix or name."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def write(self, path, data):
        self.calls.append(("write", path.suffix))
        super().write(path, data)

    def sync(self, descriptor):
        self.calls.append(("sync",))
        super().sync(descriptor)

    def rename(self, path, target):
        self.calls.append(("rename", path.suffix, target.name))
        super().rename(path, target)

    def delete(self, path):
        self.calls.append(("delete", path.suffix or path.name))
        super().delete(path)

    def sync_folder(self, path):
        self.calls.append(("sync_folder", path.name))
        super().sync_folder(path)


class FailingDisk(Disk):
    """Fails with an error number in one of its calls, after half of the work where there is a half."""

    def __init__(self, call, number=errno.ENOSPC):
        super().__init__()
        self.call = call
        self.number = number
        self.armed = True

    def _fail(self, call):
        if self.armed and call == self.call:
            raise OSError(self.number, os.strerror(self.number))

    def write(self, path, data):
        if self.armed and self.call == "write":
            path.write_bytes(data[: len(data) // 2])
        self._fail("write")
        super().write(path, data)

    def rename(self, path, target):
        self._fail("rename")
        super().rename(path, target)

    def sync(self, descriptor):
        self._fail("sync")
        super().sync(descriptor)

    def make_folder(self, path):
        self._fail("make_folder")
        super().make_folder(path)

    def sync_folder(self, path):
        self._fail("sync_folder")
        super().sync_folder(path)
