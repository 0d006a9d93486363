"""Contingency tables: which labels of two arrays overlap, and by how many voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ContingencyTable:
    """Pairs of labels that overlap, and by how many voxels. One entry per pair, in order of (a, b)."""

    a: NDArray[np.int64]
    """Label in the first array."""
    b: NDArray[np.int64]
    """Label in the second array."""
    shared: NDArray[np.int64]
    """Voxels that carry both."""
    area_a: NDArray[np.int64]
    """Voxels of label `a` in the whole first array."""
    area_b: NDArray[np.int64]
    """Voxels of label `b` in the whole second array."""

    @property
    def iou(self) -> NDArray[np.float64]:
        return self.shared / (self.area_a + self.area_b - self.shared)

    @property
    def containment(self) -> NDArray[np.float64]:
        return self.shared / np.minimum(self.area_a, self.area_b)

    def mutual(self, score: NDArray[Any]) -> NDArray[np.bool_]:
        """Mark the pairs in which each label is the other's best by `score`; ties go to the lower labels."""
        best = np.zeros((2, len(self.a)), bool)
        for row, own, other in ((0, self.a, self.b), (1, self.b, self.a)):
            order = np.lexsort((other, -score, own))
            first = np.ones(len(order), bool)
            first[1:] = own[order][1:] != own[order][:-1]
            best[row, order[first]] = True
        return np.asarray(best.all(axis=0))


def contingency_table(a: NDArray[Any], b: NDArray[Any], weight: NDArray[np.int64] | None = None) -> ContingencyTable:
    """Count how many voxels carry each pair of labels.

    Parameters
    ----------
    a, b : ndarray of int, same shape
        Labels; 0 is background, which forms no pairs.
    weight : ndarray of int64, same shape, optional
        Number of voxels of each entry; 1 by default.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"labels of shapes {a.shape} and {b.shape} do not cover the same voxels")
    sizes = np.ones(a.size, np.int64) if weight is None else weight.ravel()
    names_a, index_a, area_a = _label_sizes(a.ravel(), sizes)
    names_b, index_b, area_b = _label_sizes(b.ravel(), sizes)
    both = (names_a[index_a] > 0) & (names_b[index_b] > 0)
    # One 64-bit key per pair; neither count can pass 2**31, the size of one region.
    keys, inverse = np.unique(index_a[both] * np.int64(len(names_b)) + index_b[both], return_inverse=True)
    shared = np.zeros(len(keys), np.int64)
    np.add.at(shared, inverse, sizes[both])
    at_a, at_b = np.divmod(keys, max(len(names_b), 1))
    return ContingencyTable(names_a[at_a], names_b[at_b], shared, area_a[at_a], area_b[at_b])


def distinct_labels(labels: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct labels, ascending, and for each entry its index among them.

    Parameters
    ----------
    labels : ndarray of int
        Labels of any shape, 0 or above.

    Raises
    ------
    ValueError
        If a label is negative.
    """
    if labels.size == 0:
        return np.zeros(0, np.int64), np.zeros(labels.shape, np.int64)
    low, high = int(labels.min()), int(labels.max())
    if low < 0:
        raise ValueError(f"label {low} is negative; labels are 0 for background and positive for objects")
    if high > 8 * labels.size + 1024:
        names, index = np.unique(labels, return_inverse=True)
        return names.astype(np.int64), index.reshape(labels.shape).astype(np.int64)
    # Ids are nearly dense: a table is faster than sorting.
    present = np.zeros(high + 1, bool)
    present[labels] = True
    return np.flatnonzero(present), (np.cumsum(present) - 1)[labels]


def _label_sizes(
    labels: NDArray[Any], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct labels, the index of each entry among them, and their sizes."""
    names, index = distinct_labels(labels)
    area = np.zeros(len(names), np.int64)
    np.add.at(area, index, sizes)
    return names, index, area
