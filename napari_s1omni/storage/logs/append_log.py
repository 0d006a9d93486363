"""Append-only files with one checksummed line per entry; they survive kills, power loss and flipped bits.

A line is ``LENGTH CRC32C JSON``: the length of the JSON in bytes and its
crc32c as eight hexadecimal digits each. JSON escapes line breaks, so a reader
finds the start of the next line even if this one is damaged.
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
    return json.loads(_verified_text(line))


def _verified_text(line: bytes) -> bytes:
    text = line[_HEAD:]
    if line[:_HEAD] != b"%08x %08x " % (len(text), google_crc32c.value(text)):
        raise ValueError("length or checksum do not match")
    return text


def read_lines(path: Path, start: int = 0) -> Iterator[tuple[int, Any]]:
    """Yield (offset in bytes, entry) of each line from `start` on; the entry of a damaged line is None.

    A last line without a line break is skipped: it is still being written, or
    its writer was killed.
    """
    for offset, text in read_texts(path, start):
        yield offset, None if text is None else json.loads(text)


def read_texts(path: Path, start: int = 0) -> Iterator[tuple[int, bytes | None]]:
    """Like :func:`read_lines`, but yield each entry as the stored JSON text."""
    with disk_errors("reading", path), path.open("rb") as file:
        offset = start
        file.seek(start)
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                text = _verified_text(line[:-1])
            except ValueError:
                text = None
            # An empty line ends the torn line before it.
            if line != b"\n":
                yield offset, text
            offset += len(line)


class AppendLog:
    """Appends lines to one file of one writer.

    A line is passed to the operating system at once, so it survives the death
    of the process. It survives a power loss after :meth:`commit`, which
    appending calls at least every `interval` seconds.

    Parameters
    ----------
    path : Path
        Created, with its folders, when the first line is appended.
    disk : Disk, optional
    interval : float
        Longest time in seconds between two commits while lines are appended.
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
            The file is left unchanged.
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
        """Sync all lines to the disk."""
        if self._dirty and self._descriptor is not None:
            # Reset first: a line that another thread appends meanwhile belongs to the next commit.
            self._dirty = False
            try:
                with disk_errors("writing", self.path):
                    self.disk.sync(self._descriptor)
            except BaseException:
                self._dirty = True
                raise
        self._committed = time.monotonic()

    def close(self) -> None:
        """Commit and close; the next append opens the file again."""
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
            # An earlier writer of this name was killed in the middle of a line.
            write_all(descriptor, b"\n")
        return descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
