"""Uncertain joins: pairs of labels as they were found, until they are rows of a table that a person can check."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.stitching import PAIR, REASONS, Numbering

COLUMNS = ("reason", "label", "other", "joined", "iou", "containment", "voxels", "t", "z", "y", "x")
"""Columns of the table of uncertain joins. `label` and `other` are final ids, equal where the two were joined;
``t z y x`` is a voxel in px of the result where the two meet."""

FOUND = np.dtype([*PAIR.descr, ("t", "<i4"), ("z", "<i4"), ("y", "<i4"), ("x", "<i4")])
"""A pair with global ids, and where it is in px of the result."""

_PORTION = 1 << 20
"""Pairs read from the file at a time."""


class Spool:
    """Rows of pairs in a nameless file, which vanishes with the process.

    Parameters
    ----------
    folder : Path, optional
        Where the file lies; a folder of the system by default.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)
        self.count = 0

    def append(self, rows: NDArray[Any]) -> None:
        """Append rows of dtype `FOUND`."""
        self._file.seek(0, io.SEEK_END)
        self._file.write(rows.tobytes())
        self.count += len(rows)

    def rows(self) -> Iterator[NDArray[Any]]:
        """Yield what was appended, in portions."""
        for start in range(0, self.count, _PORTION):
            self._file.seek(start * FOUND.itemsize)
            wanted = min(_PORTION, self.count - start) * FOUND.itemsize
            yield np.frombuffer(self._file.read(wanted), FOUND)

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield the two ids of each pair, in portions."""
        return ((rows["a"], rows["b"]) for rows in self.rows())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()


def uncertain_rows(
    numbering: Numbering, joins: Spool, doubts: Spool, sizes: NDArray[np.int64], extent: float
) -> NDArray[Any]:
    """Return the rows of the table, ids final and smaller one first: what was doubted, and what grew too large.

    Parameters
    ----------
    numbering : Numbering
    joins, doubts : Spool
        What was found when neighbours were compared.
    sizes : ndarray of int64
        Voxels of each object of ``numbering.merged()``.
    extent : float
        Size above which an object is listed, in medians of `sizes`.
    """
    table = np.concatenate([np.zeros(0, FOUND), *doubts.rows(), *_large(numbering, joins, sizes, extent)])
    ends = np.stack([numbering.of(table["a"]), numbering.of(table["b"])])
    table["a"], table["b"] = ends.min(axis=0), ends.max(axis=0)
    order = [*(table[axis] for axis in "xyzt"), -table["shared"], table["reason"], table["b"], table["a"]]
    table = table[np.lexsort(order)]
    # Up to four blocks meet where two labels do, and each pair of blocks has seen the same doubt.
    again = np.zeros(len(table), bool)
    again[1:] = (table["a"][1:] == table["a"][:-1]) & (table["b"][1:] == table["b"][:-1])
    kept: NDArray[Any] = table[~again | (table["a"] == table["b"])]
    return kept


def _large(numbering: Numbering, joins: Spool, sizes: NDArray[np.int64], extent: float) -> Iterator[NDArray[Any]]:
    """Yield one join of each object that is too large."""
    if not len(sizes):
        return
    large = numbering.merged()[sizes > extent * np.median(sizes)]
    if not len(large):
        return
    seen = np.zeros(len(large), bool)
    for rows in joins.rows():
        label = numbering.of(rows["a"])
        at = np.minimum(np.searchsorted(large, label), len(large) - 1)
        here = np.flatnonzero((large[at] == label) & ~seen[at])
        first = here[np.unique(at[here], return_index=True)[1]]
        seen[at[first]] = True
        picked = rows[first].copy()
        picked["reason"] = REASONS.index("large extent")
        yield picked


def to_csv(rows: NDArray[Any]) -> bytes:
    """Write rows as CSV with `COLUMNS` as the first line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(
            [
                REASONS[row["reason"]],
                row["a"],
                row["b"],
                int(row["a"] == row["b"]),
                f"{row['iou']:.3f}",
                f"{row['containment']:.3f}",
                row["shared"],
                *(row[axis] for axis in "tzyx"),
            ]
        )
    return text.getvalue().encode()
