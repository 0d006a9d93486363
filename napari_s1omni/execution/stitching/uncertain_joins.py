"""Uncertain joins: pairs of labels as they were found, until they are rows of a table that a person can check."""

from __future__ import annotations

import heapq
import io
import itertools
import operator
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.joining.stitching import PAIR, REASONS, Numbering

COLUMNS = ("reason", "label", "other", "joined", "iou", "containment", "voxels", "t", "z", "y", "x")
"""Columns of the table of uncertain joins. `label` and `other` are final ids, equal where the two were joined;
``t z y x`` is a voxel in px of the result where the two meet."""

FOUND = np.dtype([*PAIR.descr, ("t", "<i4"), ("z", "<i4"), ("y", "<i4"), ("x", "<i4")])
"""A pair with global ids, and where it is in px of the result."""

Row = tuple[Any, ...]
"""A row of the table: the fields of `FOUND`."""
_PORTION = 1 << 20
"""Pairs read from the file at a time."""
_SORTED = 1 << 17
"""Rows that are sorted at a time."""
_MERGED = 1 << 14
"""Rows that are held while sorted portions are merged."""
_NAMES = FOUND.names or ()
_A, _B = _NAMES.index("a"), _NAMES.index("b")
_BY_NAME = operator.itemgetter(*(_NAMES.index(name) for name in ("a", "b", "reason", "shared", "t", "z", "y", "x")))


def _key(row: Row) -> tuple[Any, ...]:
    """By which rows are sorted: ids, then reason, then the largest overlap first, then place."""
    a, b, reason, shared, *place = _BY_NAME(row)
    return a, b, reason, -shared, *place


class UncertainJoinFile:
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

    def rows(self, start: int = 0, stop: int | None = None, portion: int = _PORTION) -> Iterator[NDArray[Any]]:
        """Yield what was appended, or a part of it, in portions."""
        stop = self.count if stop is None else stop
        for first in range(start, stop, portion):
            self._file.seek(first * FOUND.itemsize)
            wanted = min(portion, stop - first) * FOUND.itemsize
            yield np.frombuffer(self._file.read(wanted), FOUND)

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield the two ids of each pair, in portions."""
        return ((rows["a"], rows["b"]) for rows in self.rows())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()


def uncertain_rows(
    numbering: Numbering,
    joins: UncertainJoinFile,
    doubts: UncertainJoinFile,
    sizes: NDArray[np.int64],
    extent: float,
    ordered: UncertainJoinFile,
) -> Iterator[Row]:
    """Yield the rows of the table in order, ids final and smaller one first: what was doubted, what grew too large.

    However many rows there are, a few portions of them are held: each portion is sorted into a file, and
    the sorted ones are merged.

    Parameters
    ----------
    numbering : Numbering
    joins, doubts : Spool
        What was found when neighbours were compared.
    sizes : ndarray of int64
        Voxels of each object of ``numbering.merged_ids()``.
    extent : float
        Size above which an object is listed, in medians of `sizes`.
    ordered : UncertainJoinFile
        An empty one, for the sorted portions.
    """
    starts = [0]
    for portion in itertools.chain(doubts.rows(portion=_SORTED), _large(numbering, joins, sizes, extent)):
        ordered.append(_in_order(numbering, portion))
        starts.append(ordered.count)
    piece = max(16, _MERGED // len(starts))
    runs = [_tuples(ordered, start, stop, piece) for start, stop in itertools.pairwise(starts)]
    before = (-1, -1)
    for row in heapq.merge(*runs, key=_key):
        pair = row[_A], row[_B]
        # Up to four blocks meet where two labels do, and each pair of blocks has seen the same doubt.
        if pair != before or pair[0] == pair[1]:
            yield row
        before = pair


def _in_order(numbering: Numbering, rows: NDArray[Any]) -> NDArray[Any]:
    """Give rows their final ids and sort them as :func:`_key` does."""
    rows = rows.copy()
    ends = np.stack([numbering.final_ids(rows["a"]), numbering.final_ids(rows["b"])])
    rows["a"], rows["b"] = ends.min(axis=0), ends.max(axis=0)
    # What is dropped is not there to be doubted.
    rows = rows[rows["a"] > 0]
    order = [*(rows[axis] for axis in "xyzt"), -rows["shared"], rows["reason"], rows["b"], rows["a"]]
    return rows[np.lexsort(order)]


def _tuples(spool: UncertainJoinFile, start: int, stop: int, piece: int) -> Iterator[Row]:
    for rows in spool.rows(start, stop, piece):
        yield from rows.tolist()


def _large(
    numbering: Numbering, joins: UncertainJoinFile, sizes: NDArray[np.int64], extent: float
) -> Iterator[NDArray[Any]]:
    """Yield one join of each object that is too large."""
    if not len(sizes):
        return
    large = numbering.merged_ids()[sizes > extent * np.median(sizes)]
    if not len(large):
        return
    seen = np.zeros(len(large), bool)
    for rows in joins.rows():
        label = numbering.final_ids(rows["a"])
        at = np.minimum(np.searchsorted(large, label), len(large) - 1)
        here = np.flatnonzero((large[at] == label) & ~seen[at])
        first = here[np.unique(at[here], return_index=True)[1]]
        seen[at[first]] = True
        picked = rows[first].copy()
        picked["reason"] = REASONS.index("large extent")
        yield picked


def to_csv(rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield CSV line by line, `COLUMNS` first."""
    yield (",".join(COLUMNS) + "\n").encode()
    for row in rows:
        found = dict(zip(_NAMES, row, strict=True))
        words = (
            REASONS[found["reason"]],
            found["a"],
            found["b"],
            int(found["a"] == found["b"]),
            f"{found['iou']:.3f}",
            f"{found['containment']:.3f}",
            found["shared"],
            *(found[axis] for axis in "tzyx"),
        )
        yield (",".join(map(str, words)) + "\n").encode()
