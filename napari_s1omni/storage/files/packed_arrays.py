"""Several named arrays in one file, each compressed separately and read on its own.

The file starts with a line of JSON with a checksum: for each array its shape,
dtype, offset, size and crc32c. The zstd-compressed arrays follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from numcodecs.zstd import Zstd
from numpy.typing import NDArray

from napari_s1omni.errors import StoreDamaged
from napari_s1omni.storage.files.disk import disk_errors
from napari_s1omni.storage.logs.append_log import decode_line, encode_line

_ZSTD_LEVEL = 1


@dataclass(frozen=True, slots=True)
class _Part:
    """Position of one array in the file."""

    shape: tuple[int, ...]
    dtype: str
    start: int
    """Byte offset in the file."""
    size: int
    """Compressed bytes."""
    crc: int


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the content of a file with these arrays."""
    codec = Zstd(level=_ZSTD_LEVEL)
    table: dict[str, list[Any]] = {}
    body: list[bytes] = []
    start = 0
    for name, values in arrays.items():
        stored = values.dtype.newbyteorder("<")
        data = codec.encode(np.ascontiguousarray(values, stored)) if values.size else b""
        table[name] = [values.shape, stored.str, start, len(data), google_crc32c.value(data)]
        body.append(data)
        start += len(data)
    return b"".join([encode_line(table), *body])


def packed_names(path: Path) -> list[str]:
    """Return the names of the arrays in a file.

    Raises
    ------
    StoreDamaged
        If its first line is damaged.
    """
    with disk_errors("reading", path), path.open("rb") as file:
        return list(_table(path, file.readline()))


def read_packed_array(path: Path, name: str) -> NDArray[Any]:
    """Read one array of a file.

    Raises
    ------
    StoreDamaged
        If the array is missing, cut short or its checksum does not match.
    """
    with disk_errors("reading", path), path.open("rb") as file:
        part = _table(path, file.readline()).get(name)
        if part is None:
            raise _damaged(path)
        file.seek(part.start)
        data = file.read(part.size)
    if len(data) != part.size or google_crc32c.value(data) != part.crc:
        raise _damaged(path)
    raw = Zstd().decode(data) if data else b""
    return np.frombuffer(raw, part.dtype).reshape(part.shape)


def _table(path: Path, line: bytes) -> dict[str, _Part]:
    try:
        entries = decode_line(line.removesuffix(b"\n"))
    except ValueError as error:
        raise _damaged(path) from error
    return {
        name: _Part(tuple(shape), dtype, start + len(line), size, crc)
        for name, (shape, dtype, start, size, crc) in entries.items()
    }


def _damaged(path: Path) -> StoreDamaged:
    return StoreDamaged(f"the arrays in {path} are damaged", remedy="run it with --verify to redo the damaged blocks")
