"""Files that only grow: one checked line per entry, safe against kills, cuts and flipped bits.

A line is ``LENGTH CRC32C JSON``: the length of the JSON in bytes and its
crc32c as eight hexadecimal digits each. JSON escapes its own line breaks, so
that reading finds the next line again whatever happened to this one.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import google_crc32c

from napari_s1omni.storage.files.disk import Disk, disk_errors, write_all

_HEAD = len("00000000 00000000 ")


def encode_line(entry: Any) -> bytes:
    """Encode one entry (JSON values)."""
    text = json.dumps(entry, separators=(",", ":")).encode("ascii")
    return b"%08x %08x %b\n" % (len(text), google_crc32c.value(text), text)


def decode_line(line: bytes) -> Any:
    """Decode one line without its line break.

    Raises
    ------
    ValueError
        If the line is torn or altered.
    """
    return json.loads(_checked(line))


def _checked(line: bytes) -> bytes:
    text = line[_HEAD:]
    if line[:_HEAD] != b"%08x %08x " % (len(text), google_crc32c.value(text)):
        raise ValueError("length or checksum do not match")
    return text


def read_lines(path: Path, start: int = 0) -> Iterator[tuple[int, Any]]:
    """Yield (offset in bytes, entry) of each line from `start` on; a damaged one yields the entry None.

    The last line is left out without a word while it has no line break: it is
    being written, or its writer was killed.
    """
    for offset, text in read_texts(path, start):
        yield offset, None if text is None else json.loads(text)


def read_texts(path: Path, start: int = 0) -> Iterator[tuple[int, bytes | None]]:
    """Yield what :func:`read_lines` does, the entries as the JSON that is stored."""
    with disk_errors("reading", path), path.open("rb") as file:
        offset = start
        file.seek(start)
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                text = _checked(line[:-1])
            except ValueError:
                text = None
            # An empty line closes the torn one before it.
            if line != b"\n":
                yield offset, text
            offset += len(line)


class AppendLog:
    """Appends lines to one file of one writer.

    A line is handed to the system at once, so that it survives the death of
    the process; it is on the medium after :meth:`commit`, which also happens
    by itself at most every `interval` seconds of writing.

    Parameters
    ----------
    path : Path
        Made, with its folders, at the first line.
    disk : Disk, optional
    interval : float
        Seconds after which appending also commits.
    """

    def __init__(self, path: Path, *, disk: Disk | None = None, interval: float = 0.2) -> None:
        self.path = path
        self.disk = disk or Disk()
        self.interval = interval
        self._descriptor: int | None = None
        self._committed = time.monotonic()
        self._dirty = False

    def append(self, entry: Any) -> int:
        """Append one entry; return its offset in bytes.

        Raises
        ------
        DiskFull
            The file is left as it was before.
        """
        with disk_errors("writing", self.path):
            descriptor = self._open() if self._descriptor is None else self._descriptor
            offset = os.lseek(descriptor, 0, os.SEEK_END)
            try:
                write_all(descriptor, encode_line(entry))
            except OSError:
                os.ftruncate(descriptor, offset)
                raise
        self._dirty = True
        if time.monotonic() - self._committed >= self.interval:
            self.commit()
        return offset

    def commit(self) -> None:
        """Wait until all lines are stored."""
        if self._dirty and self._descriptor is not None:
            # First, because another thread may append meanwhile: its line is for the next commit.
            self._dirty = False
            try:
                with disk_errors("writing", self.path):
                    self.disk.sync(self._descriptor)
            except BaseException:
                self._dirty = True
                raise
        self._committed = time.monotonic()

    def close(self) -> None:
        """Commit and close; appending again opens it again."""
        if self._descriptor is not None:
            self.commit()
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        self.disk.make_folder(self.path.parent)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        self._descriptor = descriptor
        size = os.lseek(descriptor, 0, os.SEEK_END)
        if size == 0:
            self.disk.sync_folder(self.path.parent)
        elif os.pread(descriptor, 1, size - 1) != b"\n":
            # A writer of this name was killed in the middle of a line.
            write_all(descriptor, b"\n")
        return descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
