"""The table of uncertain joins that a person can check."""

from __future__ import annotations

import heapq
import itertools
import operator
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.execution.stitching.pair_file import LOCATED_PAIR, PairFile
from napari_s1omni.joining.stitching import REASONS, Numbering

UNCERTAIN_JOINS_FILE = "uncertain_joins.csv"
"""File in ``.s1omni`` with the table of uncertain joins."""
COLUMNS = ("reason", "label", "other", "joined", "iou", "containment", "voxels", "t", "z", "y", "x")
"""Columns of the table. `label` and `other` are final ids, equal if the two were joined; ``t z y x`` is a voxel where
the two meet, in px of the result."""

Row = tuple[Any, ...]
"""A row of the table: the fields of `LOCATED_PAIR`."""
_SORT_ROWS = 1 << 17
"""Rows that are sorted at a time."""
_MERGE_ROWS = 1 << 14
"""Rows that are held while sorted chunks are merged."""
_NAMES = LOCATED_PAIR.names or ()
_A, _B = _NAMES.index("a"), _NAMES.index("b")
_BY_NAME = operator.itemgetter(*(_NAMES.index(name) for name in ("a", "b", "reason", "shared", "t", "z", "y", "x")))


def _key(row: Row) -> tuple[Any, ...]:
    """Sort key of rows: ids, then reason, then the largest overlap first, then position."""
    a, b, reason, shared, *place = _BY_NAME(row)
    return a, b, reason, -shared, *place


def uncertain_rows(
    numbering: Numbering,
    joins: PairFile,
    doubts: PairFile,
    sizes: NDArray[np.int64],
    extent: float,
    ordered: PairFile,
) -> Iterator[Row]:
    """Yield the rows of the table in order, with final ids, the smaller one first: uncertain pairs and large objects.

    Memory does not grow with the number of rows: chunks are sorted into a file, and the sorted chunks are merged.

    Parameters
    ----------
    numbering : Numbering
    joins, doubts : PairFile
        Pairs found by comparing neighbours.
    sizes : ndarray of int64
        Voxels of each object of ``numbering.merged_ids()``.
    extent : float
        Size above which an object is listed, in medians of `sizes`.
    ordered : PairFile
        Empty; it takes the sorted chunks.
    """
    starts = [0]
    for rows in itertools.chain(doubts.rows(chunk=_SORT_ROWS), _large(numbering, joins, sizes, extent)):
        ordered.append(_in_order(numbering, rows))
        starts.append(ordered.count)
    chunk = max(16, _MERGE_ROWS // len(starts))
    runs = [_tuples(ordered, start, stop, chunk) for start, stop in itertools.pairwise(starts)]
    before = (-1, -1)
    for row in heapq.merge(*runs, key=_key):
        pair = row[_A], row[_B]
        # Up to four blocks overlap where two labels meet, so the same pair is found several times.
        if pair != before or pair[0] == pair[1]:
            yield row
        before = pair


def _in_order(numbering: Numbering, rows: NDArray[Any]) -> NDArray[Any]:
    """Give rows their final ids and sort them as :func:`_key` does."""
    rows = rows.copy()
    ends = np.stack([numbering.final_ids(rows[name], rows["z"]) for name in "ab"])
    rows["a"], rows["b"] = ends.min(axis=0), ends.max(axis=0)
    # Dropped objects are not listed.
    rows = rows[rows["a"] > 0]
    order = [*(rows[axis] for axis in "xyzt"), -rows["shared"], rows["reason"], rows["b"], rows["a"]]
    return rows[np.lexsort(order)]


def _tuples(file: PairFile, start: int, stop: int, chunk: int) -> Iterator[Row]:
    for rows in file.rows(start, stop, chunk):
        yield from rows.tolist()


def _large(numbering: Numbering, joins: PairFile, sizes: NDArray[np.int64], extent: float) -> Iterator[NDArray[Any]]:
    """Yield one join of each joined object that is unusually large."""
    if not len(sizes):
        return
    large = numbering.merged_ids()[sizes > extent * np.median(sizes)]
    if not len(large):
        return
    seen = np.zeros(len(large), bool)
    for rows in joins.rows():
        label = numbering.final_ids(rows["a"], rows["z"])
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
