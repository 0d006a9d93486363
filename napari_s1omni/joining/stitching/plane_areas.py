"""The area of objects in each plane of a stack, and the waists at which one linked object is two.

Engines see single planes, and two planes alone cannot tell that one nucleus ends where the next one begins: the caps
overlap as sections of one nucleus do. The areas of all planes can. A compact object grows and shrinks once along z; if
its area shrinks and grows again, it is two objects, one above the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_WAIST = 0.85
"""Area at a waist, as a share of the lesser of the largest areas below and above it, below which two objects meet.
Chosen on two public stacks, see docs/evaluation.md."""
_PART = 2
"""Least planes of an object on either side of a waist."""


@dataclass(frozen=True, slots=True)
class PlaneAreas:
    """Areas of objects in planes: a row for each plane of an object, in order of ids and planes."""

    ids: NDArray[np.int64]
    planes: NDArray[np.int64]
    areas: NDArray[np.int64]
    """Pixels, above 0."""

    @classmethod
    def of(cls, labels: NDArray[Any], first: int = 0) -> Self:
        """Measure labels (D, H, W), 0 and ids from 1; `first` is the number of the first plane."""
        count = int(labels.max(initial=0)) + 1
        table = np.stack([np.bincount(plane.ravel(), minlength=count) for plane in labels], axis=1)
        table[0] = 0
        ids, planes = np.nonzero(table)
        return cls(ids.astype(np.int64), planes.astype(np.int64) + first, table[ids, planes].astype(np.int64))

    @classmethod
    def summed(cls, ids: NDArray[np.int64], planes: NDArray[np.int64], areas: NDArray[np.int64]) -> Self:
        """Add up rows of any order; several may belong to one plane of an object."""
        order = np.lexsort((planes, ids))
        ids, planes, areas = ids[order], planes[order], areas[order]
        starts = _starts(ids, planes)
        return cls(ids[starts], planes[starts], np.add.reduceat(areas, starts) if len(starts) else areas)


@dataclass(frozen=True, slots=True)
class Parts:
    """Objects of a stack after they were split, one entry each, in order of id and plane."""

    ids: NDArray[np.int64]
    """Id of the object before it was split."""
    first: NDArray[np.int64]
    """First plane."""
    last: NDArray[np.int64]
    planes: NDArray[np.int64]
    """Planes in which it has pixels."""
    voxels: NDArray[np.int64]

    @classmethod
    def of(cls, rows: PlaneAreas, waists: NDArray[np.int64]) -> Self:
        """Return the parts between waists, which are the numbers of the rows that begin a new object."""
        starts = np.union1d(_starts(rows.ids), waists).astype(np.int64)
        if not len(starts):
            empty = np.zeros(0, np.int64)
            return cls(empty, empty, empty, empty, empty)
        ends = np.append(starts[1:], len(rows.ids))
        voxels = np.add.reduceat(rows.areas, starts)
        return cls(rows.ids[starts], rows.planes[starts], rows.planes[ends - 1], ends - starts, voxels)

    def where(self, some: NDArray[np.bool_]) -> Parts:
        """Return some of the parts."""
        return Parts(self.ids[some], self.first[some], self.last[some], self.planes[some], self.voxels[some])


def find_waists(rows: PlaneAreas) -> NDArray[np.int64]:
    """Return the numbers of the rows at which an object ends below and another one begins.

    The waist is searched in the areas smoothed by a median of three planes, the deepest first, and again in both parts.
    This is the watershed of the areas along z: two maxima stay apart if the area between them is less than 0.85 of the
    lesser one.
    """
    found: list[int] = []
    starts = _starts(rows.ids)
    lengths = np.diff(np.append(starts, len(rows.ids)))
    smooth = _smoothed(rows.areas, starts, lengths)
    for start, length in _with_a_waist(smooth, starts, lengths):
        own = slice(start, start + length)
        found += [start + at for at in _waists(smooth[own], rows.areas[own], 0, length)]
    return np.array(sorted(found), np.int64)


def _starts(*columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of the rows that differ from the row before."""
    fresh = np.ones(len(columns[0]), bool)
    fresh[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return np.flatnonzero(fresh)


def _smoothed(areas: NDArray[np.int64], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the median of three planes of each object; its first and last plane stay."""
    if not len(areas):
        return areas
    padded = np.pad(areas, 1, mode="edge")
    smooth = np.median(np.stack([padded[:-2], areas, padded[2:]]), axis=0).astype(np.int64)
    for ends in (starts, starts + lengths - 1):
        smooth[ends] = areas[ends]
    return smooth


def _with_a_waist(
    smooth: NDArray[np.int64], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> Iterator[tuple[int, int]]:
    """Yield start and length of the objects with a waist; all of similar length are looked at together."""
    classes = np.ceil(np.log2(np.maximum(lengths, 1))).astype(int)
    for power in np.unique(classes[lengths >= 2 * _PART]).tolist():
        chosen = np.flatnonzero((classes == power) & (lengths >= 2 * _PART))
        steps = np.arange(2**power)
        inside = steps < lengths[chosen, None]
        table = np.where(inside, smooth[np.minimum(starts[chosen, None] + steps, len(smooth) - 1)], 0)
        below = np.maximum.accumulate(table, axis=1)[:, :-1]
        above = np.maximum.accumulate(table[:, ::-1], axis=1)[:, ::-1][:, 1:]
        narrow = np.minimum(table[:, :-1], table[:, 1:]) < _WAIST * np.minimum(below, above)
        for n in chosen[narrow.any(axis=1)].tolist():
            yield int(starts[n]), int(lengths[n])


def _waists(smooth: NDArray[np.int64], areas: NDArray[np.int64], start: int, stop: int) -> Iterator[int]:
    """Yield the planes `start` to `stop` of one object, of the deepest waist and of those in both parts, at which a new
    object begins.
    """
    at = np.arange(start + _PART, stop - _PART + 1)
    if not len(at):
        return
    below = np.maximum.accumulate(smooth[start:stop])[at - start - 1]
    above = np.maximum.accumulate(smooth[start:stop][::-1])[::-1][at - start]
    depth = np.minimum(smooth[at - 1], smooth[at]) / np.minimum(below, above)
    # The narrowest plane is on one side of two cuts: the one with the lesser plane on its other side decides.
    best = np.lexsort((at, areas[at - 1] + areas[at], depth))[0]
    if depth[best] < _WAIST:
        yield from _waists(smooth, areas, start, int(at[best]))
        yield int(at[best])
        yield from _waists(smooth, areas, int(at[best]), stop)
