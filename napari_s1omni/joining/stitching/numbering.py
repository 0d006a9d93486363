"""Final ids from local ids: offsets, union-find, one lookup table per block.

An object's *global* id is the number of objects in all blocks before its own
(in lexicographic order of the blocks) plus its local id minus one. Joined ids
get the smallest of them, and gaps are closed: final ids are 1..N, for any order
in which blocks were computed.

Memory: 8 bytes per block for the offsets, and for each joined label its global
id (8), its node in the forest (4) and its final id (8). Labels that are not
joined need no memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.joining.stitching.disjoint_sets import compress_paths, union

_PORTION = 1 << 20


@dataclass(frozen=True, slots=True)
class Numbering:
    """Final ids of all objects, stored as the differences from plain counting."""

    offsets: NDArray[np.int64]
    """Number of objects in all blocks before each block; one entry more than blocks, the last is the sum."""
    joined: NDArray[np.int64]
    """Global ids that are joined into a smaller one, ascending."""
    final: NDArray[np.int64]
    """Final id of each of them, before objects are dropped."""
    dropped: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Final ids that become background, ascending; higher ids close the gaps."""
    cuts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Where objects of a stack are cut along z, ascending: the id before cutting times `planes`, plus the plane at
    which a new object begins."""
    planes: int = 1
    """Number of planes of the stack; only of meaning with `cuts`."""

    @property
    def total(self) -> int:
        """Objects after joining and dropping: final ids are 1 to this."""
        return int(self.offsets[-1]) - len(self.joined) + len(self.cuts) - len(self.dropped)

    def without(self, ids: NDArray[np.int64]) -> Numbering:
        """Return the same numbering without the objects of some final ids."""
        if len(self.dropped):
            raise ValueError("objects were dropped already")
        return replace(self, dropped=_sorted_distinct(ids.copy()))

    def cut(self, ids: NDArray[np.int64], planes: NDArray[np.int64], stack: int) -> Numbering:
        """Return a numbering in which objects of a stack are cut along z.

        Parameters
        ----------
        ids, planes : ndarray of int64
            Final ids, and for each the plane, counted from 1, at which a new object begins.
        stack : int
            Number of planes of the stack.
        """
        if len(self.dropped) or len(self.cuts):
            raise ValueError("objects were cut or dropped already")
        return replace(self, cuts=_sorted_distinct(ids * stack + planes), planes=stack)

    def parts(self, ids: NDArray[np.int64], planes: NDArray[np.int64] | int) -> NDArray[np.int64]:
        """Return the final ids of objects by their ids before cutting and a plane in which they lie; 0 if dropped."""
        after = ids + np.searchsorted(self.cuts, ids * self.planes + planes, side="right") if len(self.cuts) else ids
        return self._close_gaps(after)

    def merged_ids(self) -> NDArray[np.int64]:
        """Return the final ids of objects that are joined from several labels, ascending."""
        ids = _sorted_distinct(self.final.copy())
        if len(self.cuts):
            # All parts of an object that was joined and then cut.
            ends = np.searchsorted(self.cuts, (ids + 1) * self.planes)
            starts = np.searchsorted(self.cuts, ids * self.planes)
            counts = ends - starts + 1
            within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
            ids = np.repeat(ids + starts, counts) + within
        ids = self._close_gaps(ids)
        return ids[ids > 0]

    def lookup(self, position: int, plane: int = 0) -> NDArray[np.int64]:
        """Return the final id of each local id of one block; entry 0 is background.

        Parameters
        ----------
        position : int
            Position of the block in the order of numbering.
        plane : int
            The plane of the stack for which the table is, where objects are cut.
        """
        start, stop = self.offsets[position : position + 2]
        first, last = np.searchsorted(self.joined, (start, stop))
        table = np.zeros(int(stop - start) + 1, np.int64)
        gaps = np.zeros(int(stop - start), np.int64)
        local = self.joined[first:last] - start
        gaps[local] = 1
        table[1:] = np.arange(start, stop) - first - np.cumsum(gaps) + 1
        table[local + 1] = self.final[first:last]
        table[1:] = self.parts(table[1:], plane)
        return table

    def final_ids(self, ids: NDArray[np.int64], planes: NDArray[np.int64] | int = 0) -> NDArray[np.int64]:
        """Return the final ids of global ids, in a plane where objects are cut; 0 for dropped objects."""
        ids = np.asarray(ids, np.int64)
        at = np.searchsorted(self.joined, ids)
        moved = at < len(self.joined)
        moved[moved] = self.joined[at[moved]] == ids[moved]
        out = ids - at + 1
        out[moved] = self.final[at[moved]]
        return self.parts(out, planes)

    def _close_gaps(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Remove dropped ids, and close the gaps."""
        if not len(self.dropped):
            return ids
        at = np.searchsorted(self.dropped, ids)
        gone = at < len(self.dropped)
        gone[gone] = self.dropped[at[gone]] == ids[gone]
        return np.where(gone, 0, ids - at)


def number_objects(
    counts: NDArray[np.int64] | Sequence[int], joins: Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> Numbering:
    """Give every object its final id.

    Parameters
    ----------
    counts : sequence of int
        Objects of each block, in the order of numbering.
    joins : iterable of (ndarray of int64, ndarray of int64)
        Pairs of global ids that are one object, in portions of any size and order. Iterated twice, so it can read
        them from a file, but a generator would be empty the second time.

    Returns
    -------
    Numbering
        The same for any order of the portions and of the pairs in them.
    """
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    nodes = _sorted_union([_sorted_distinct(np.concatenate([u, v])) for u, v in joins])
    # Nodes of the forest instead of ids, so that 4 bytes are enough.
    parent = np.arange(len(nodes), dtype=np.int32 if len(nodes) < 2**31 else np.int64)
    for u, v in joins:
        union(parent, np.searchsorted(nodes, u).astype(parent.dtype), np.searchsorted(nodes, v).astype(parent.dtype))
    compress_paths(parent)
    moved = parent != np.arange(len(nodes), dtype=parent.dtype)
    joined, parent = nodes[moved], parent[moved]
    final = np.empty(len(joined), np.int64)
    for part in _portions(len(joined)):
        roots = nodes[parent[part]]
        final[part] = roots - np.searchsorted(joined, roots) + 1
    return Numbering(offsets, joined, final)


def _portions(length: int) -> Iterator[slice]:
    """Cut a long array into parts, so that copies stay small."""
    return (slice(start, min(start + _PORTION, length)) for start in range(0, length, _PORTION))


def _sorted_union(portions: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the sorted union of portions, which are removed from the list; a copy of all would double the peak."""
    every = np.empty(sum(map(len, portions)), np.int64)
    filled = 0
    while portions:
        portion = portions.pop()
        every[filled : filled + len(portion)] = portion
        filled += len(portion)
    return _sorted_distinct(every)


def _sorted_distinct(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sort and drop repeats, in place; for tens of millions ten times as fast as hashing."""
    values.sort()
    fresh = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=fresh[1:])
    kept = 0
    for part in _portions(len(values)):
        found = values[part][fresh[part]]
        values[kept : kept + len(found)] = found
        kept += len(found)
    return values[:kept]
