"""Two label arrays as runs along the last axis, and the connected fragments of their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True, slots=True)
class LabelRuns:
    """Two label arrays as runs along the last axis in which both are constant: about ten times fewer than voxels."""

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    length: NDArray[np.int64]
    first: NDArray[np.int64]
    """Flat index of the first voxel of each run."""
    edges: tuple[NDArray[np.int32], NDArray[np.int32]]
    """Pairs of runs that share a voxel face."""
    shape: tuple[int, ...]
    """Of both arrays."""

    @classmethod
    def of(cls, a: NDArray[Any], b: NDArray[Any]) -> LabelRuns:
        if a.shape != b.shape:
            raise ValueError(f"slabs of shapes {a.shape} and {b.shape} do not cover the same voxels")
        starts = np.ones(a.shape, bool)
        starts[..., 1:] = (a[..., 1:] != a[..., :-1]) | (b[..., 1:] != b[..., :-1])
        first = np.flatnonzero(starts)
        index = (np.cumsum(starts.ravel(), dtype=np.int32) - np.int32(1)).reshape(a.shape)
        inside = np.flatnonzero(first[1:] % a.shape[-1]).astype(np.int32)
        before, after = [inside], [inside + np.int32(1)]
        for axis in range(a.ndim - 1):
            low = (slice(None),) * axis + (slice(None, -1),)
            high = (slice(None),) * axis + (slice(1, None),)
            # Two adjacent runs meet first at the start of one of them, so each pair is counted once.
            meet = starts[low] | starts[high]
            before.append(index[low][meet])
            after.append(index[high][meet])
        length = np.diff(first, append=a.size)
        values_a, values_b = (labels.reshape(-1)[first].astype(np.int64) for labels in (a, b))
        return cls(values_a, values_b, length, first, (np.concatenate(before), np.concatenate(after)), a.shape)

    def fragments(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number the parts of each label that are connected by faces; 0 stays background."""
        u, v = self.edges
        same = (labels[u] == labels[v]) & (labels[u] > 0)
        u, v = u[same], v[same]
        graph = coo_array((np.ones(len(u), np.bool_), (u, v)), shape=(len(labels), len(labels)))
        _, parts = connected_components(graph, directed=False)
        return np.where(labels > 0, parts.astype(np.int64) + 1, 0)

    def cut(self, parts: NDArray[np.int64], axes: tuple[int, ...]) -> NDArray[np.bool_]:
        """Mark the fragments, by number, that reach an end of the arrays along one of `axes`."""
        marked = np.zeros(int(parts.max(initial=0)) + 1, bool)
        start = np.unravel_index(self.first, self.shape)
        stop = np.unravel_index(self.first + self.length - 1, self.shape)
        for axis in axes:
            marked[parts[(start[axis] == 0) | (stop[axis] == self.shape[axis] - 1)]] = True
        return marked

    def voxel_in(self, parts_a: NDArray[np.int64], parts_b: NDArray[np.int64]) -> NDArray[np.int64]:
        """Flat index of a voxel in the middle of the longest run of each pair of fragments, in order of the pairs."""
        both = np.flatnonzero((parts_a > 0) & (parts_b > 0))
        order = both[np.lexsort((-self.length[both], parts_b[both], parts_a[both]))]
        fresh = np.ones(len(order), bool)
        fresh[1:] = (np.diff(parts_a[order]) != 0) | (np.diff(parts_b[order]) != 0)
        longest = order[fresh]
        return self.first[longest] + self.length[longest] // 2
