"""Disjoint sets as a forest in one array: union and path compression."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


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


def compress_paths(parent: NDArray[Any], nodes: NDArray[Any] | slice = slice(None)) -> None:
    """Halve the paths of `nodes` in a forest, in place, until each points to its root."""
    while True:
        above = parent[nodes]
        beyond = parent[above]
        if np.array_equal(above, beyond):
            return
        parent[nodes] = beyond
