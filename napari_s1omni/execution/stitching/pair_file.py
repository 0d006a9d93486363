"""Rows that stitching finds, such as pairs of labels, in temporary files."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.joining.stitching import PAIR

LOCATED_PAIR = np.dtype([*PAIR.descr, ("t", "<i4"), ("z", "<i4"), ("y", "<i4"), ("x", "<i4")])
"""A pair with global ids, and its position in px of the result."""
_READ_ROWS = 1 << 20
"""Rows that are read from a file at a time."""


class PairFile:
    """Rows of pairs in a temporary file, which is deleted with the process.

    Parameters
    ----------
    folder : Path, optional
        Folder of the file; that of the system by default.
    dtype : dtype, optional
        Of a row; pairs of labels by default.
    """

    def __init__(self, folder: Path | None, dtype: np.dtype[Any] = LOCATED_PAIR) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)
        self._dtype = dtype
        self.count = 0

    def append(self, rows: NDArray[Any]) -> None:
        """Append rows of the dtype."""
        self._file.seek(0, io.SEEK_END)
        self._file.write(rows.tobytes())
        self.count += len(rows)

    def rows(self, start: int = 0, stop: int | None = None, chunk: int = _READ_ROWS) -> Iterator[NDArray[Any]]:
        """Yield all rows, or a range of them, in chunks."""
        stop = self.count if stop is None else stop
        for first in range(start, stop, chunk):
            self._file.seek(first * self._dtype.itemsize)
            size = min(chunk, stop - first) * self._dtype.itemsize
            yield np.frombuffer(self._file.read(size), self._dtype)

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield the two ids of each pair, in chunks."""
        return ((rows["a"], rows["b"]) for rows in self.rows())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()
