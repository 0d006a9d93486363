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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.joining.stitching.geometry import Box, Offset, slabs, window
from napari_s1omni.joining.stitching.matching import distinct_labels

_PORTION = 1 << 20


@dataclass(frozen=True, slots=True)
class BlockLabels:
    """The labels of one block, and of the voxels that it shares with its neighbours."""

    core: NDArray[np.uint32]
    """Labels of the block itself, ids 1..`count`."""
    count: int
    """Number of objects that touch the block."""
    slabs: dict[Offset, NDArray[np.uint32]]
    """Labels over the voxels shared with each neighbour. Ids above `count` are objects that lie only in
    the halo of the block."""
    areas: NDArray[np.int64]
    """Voxels of each object inside the block, ids 1..`count`."""
    border: NDArray[np.uint32]
    """Ids of 1..`count`, ascending, that touch the border of the layer along one of its last two axes."""


def block_labels(labels: NDArray[Any], block: Box, halo: tuple[int, ...], shape: tuple[int, ...]) -> BlockLabels:
    """Renumber the objects that touch the block without gaps, and cut the slabs for its neighbours.

    Parameters
    ----------
    labels : ndarray of int
        Labels over the block's window, 0 is background.
    block : tuple of slice
        Box that the block writes, in pixels of the layer.
    halo : tuple of int
        Halo in px per axis.
    shape : tuple of int
        Size of the layer in px per axis.

    Returns
    -------
    BlockLabels
        The order of the ids is kept.

    Raises
    ------
    ValueError
        If `labels` does not have the shape of the window, or holds a negative id.
    """
    seen = window(block, halo, shape)
    expected = tuple(side.stop - side.start for side in seen)
    if labels.shape != expected:
        raise ValueError(f"labels of shape {labels.shape} for a window of shape {expected}")
    names, index = distinct_labels(labels)
    here = _within(block, seen)
    areas = np.bincount(index[here].ravel(), minlength=len(names))
    real = names > 0
    kept = real & (areas > 0)
    count = int(kept.sum())
    ids = np.zeros(len(names), np.uint32)
    ids[kept] = np.arange(1, count + 1, dtype=np.uint32)
    ids[real & ~kept] = np.arange(count + 1, int(real.sum()) + 1, dtype=np.uint32)
    compact = ids[index]
    cut = {offset: compact[_within(box, seen)].copy() for offset, box in slabs(block, halo, shape).items()}
    border = _at_border(compact, seen, shape)
    return BlockLabels(
        compact[here].copy(), count, cut, areas[kept].astype(np.int64), border[(border > 0) & (border <= count)]
    )


def _at_border(labels: NDArray[np.uint32], seen: Box, shape: tuple[int, ...]) -> NDArray[np.uint32]:
    """Return labels of a window at the layer's first or last pixel along one of the last two axes."""
    found = [np.zeros(0, np.uint32)]
    for axis in range(max(0, len(shape) - 2), len(shape)):
        if seen[axis].start == 0:
            found.append(np.unique(labels.take(0, axis)))
        if seen[axis].stop == shape[axis]:
            found.append(np.unique(labels.take(-1, axis)))
    return np.unique(np.concatenate(found))


def union(parent: NDArray[Any], u: NDArray[Any], v: NDArray[Any]) -> None:
    """Join `u[k]` with `v[k]` for all k in a disjoint-set forest, in place; the root of a tree is its smallest node.

    Parameters
    ----------
    parent : ndarray of int
        Each node's parent, at most itself; ``np.arange(n)`` is a forest without joins.
    u, v : ndarray of int
        Nodes to join.

    Notes
    -----
    In every round each root that is not the smallest of its neighbours hooks onto the smallest, and paths are
    halved until flat. No two neighbours can both stay roots, so at least half of the roots of an unfinished tree
    vanish per round (after Shiloach and Vishkin, "An O(log n) parallel connectivity algorithm", 1982).
    """
    while len(u):
        compress_paths(parent, np.concatenate([u, v]))
        u, v = parent[u], parent[v]
        apart = u != v
        u, v = np.maximum(u, v)[apart], np.minimum(u, v)[apart]
        np.minimum.at(parent, u, v)


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

    @property
    def total(self) -> int:
        """Objects after joining and dropping: final ids are 1 to this."""
        return int(self.offsets[-1]) - len(self.joined) - len(self.dropped)

    def without(self, ids: NDArray[np.int64]) -> Numbering:
        """Return the same numbering without the objects of some global ids."""
        if len(self.dropped):
            raise ValueError("objects were dropped already")
        return replace(self, dropped=_sorted_distinct(self.final_ids(ids)))

    def merged_ids(self) -> NDArray[np.int64]:
        """Return the final ids of objects that are joined from several labels, ascending."""
        ids = self._close_gaps(_sorted_distinct(self.final.copy()))
        return ids[ids > 0]

    def lookup(self, position: int) -> NDArray[np.int64]:
        """Return the final id of each local id of one block; entry 0 is background.

        Parameters
        ----------
        position : int
            Position of the block in the order of numbering.
        """
        start, stop = self.offsets[position : position + 2]
        first, last = np.searchsorted(self.joined, (start, stop))
        table = np.zeros(int(stop - start) + 1, np.int64)
        gaps = np.zeros(int(stop - start), np.int64)
        local = self.joined[first:last] - start
        gaps[local] = 1
        table[1:] = np.arange(start, stop) - first - np.cumsum(gaps) + 1
        table[local + 1] = self.final[first:last]
        table[1:] = self._close_gaps(table[1:])
        return table

    def final_ids(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the final ids of global ids; 0 for dropped objects."""
        ids = np.asarray(ids, np.int64)
        at = np.searchsorted(self.joined, ids)
        moved = at < len(self.joined)
        moved[moved] = self.joined[at[moved]] == ids[moved]
        out = ids - at + 1
        out[moved] = self.final[at[moved]]
        return self._close_gaps(out)

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


def compress_paths(parent: NDArray[Any], nodes: NDArray[Any] | slice = slice(None)) -> None:
    """Halve the paths of `nodes` in a forest, in place, until each points to its root."""
    while True:
        above = parent[nodes]
        beyond = parent[above]
        if np.array_equal(above, beyond):
            return
        parent[nodes] = beyond


def _within(inner: Box, outer: Box) -> Box:
    """Return `inner` relative to the start of `outer`."""
    return tuple(slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True))
