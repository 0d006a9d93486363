"""Matching labels of two blocks by comparing the voxels that both have segmented.

The rule:

* *Fragments* are compared: the parts of a label that are connected (by faces)
  inside the shared region. A ring or a serpent enters the region many times;
  only one block may know that two of its fragments are one object, but both
  blocks see each fragment alike. Comparing whole labels fails here: a label
  ``{1, 2}`` and a label ``{2, 3}`` have an IoU of one half at best.
* Two fragments are joined if each is the other's best partner and either
  their IoU is at least 0.5, or at least 0.7 of the smaller lies in the larger.
  The second condition joins an object that one block saw only in part. Mutual best
  limits it: a fragment that covers two cells of the other block (an
  under-segmentation) is joined with one of them; the other becomes a second
  claim in the table of uncertain joins. An IoU above one half implies mutual
  best.
* Labels that do not touch their own block can be a best partner, but are never
  joined: their block does not write them.

With exact windows (each block's labels are the truth cut at its window)
fragments agree voxel by voxel, so all true joins are found and no false one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

PAIR = np.dtype(
    [
        ("a", "<i8"),
        ("b", "<i8"),
        ("shared", "<i8"),
        ("iou", "<f4"),
        ("containment", "<f4"),
        ("at", "<i8"),
        ("reason", "u1"),
    ]
)
"""One compared pair: both labels, number of shared voxels, IoU and containment, one shared voxel (flat index
into the region), and why it is uncertain (index into `REASONS`)."""

REASONS = ("certain", "weak overlap", "second claim", "large extent")
"""Why a join is uncertain. *Weak overlap*: mutual best, but an IoU below the rule's. *Second claim*: a good
overlap with a label whose best partner is another one. *Large extent*: the joined object is much larger than
the others."""

_WEAK, _SECOND = 1, 2


@dataclass(frozen=True, slots=True)
class MatchRule:
    """Thresholds for joining labels, and for reporting a join as uncertain."""

    iou: float = 0.5
    """Minimum intersection over union of two fragments that are each other's best partner."""
    containment: float = 0.7
    """Minimum share of the smaller fragment inside the larger; this joins as well."""
    voxels: int = 4
    """Minimum intersection in voxels for a join by containment alone."""
    uncertain_iou: float = 0.2
    """IoU from which a pair that is not certain is listed as uncertain."""
    extent: float = 10.0
    """Size of a joined object, in medians of all joined objects, above which it is listed as uncertain."""


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


@dataclass(frozen=True, slots=True)
class Matches:
    """Result of comparing one shared region. Both arrays have dtype `PAIR`, one row per pair of labels."""

    joins: NDArray[Any]
    """Labels that are one object."""
    uncertain: NDArray[Any]
    """Uncertain pairs: joined on weak evidence, or nearly joined."""


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


def match_labels(
    a: NDArray[Any],
    b: NDArray[Any],
    count_a: int,
    count_b: int,
    rule: MatchRule | None = None,
    across: tuple[int, ...] = (),
) -> Matches:
    """Compare the labels of two blocks over the same voxels.

    Parameters
    ----------
    a, b : ndarray of int, same shape
        Local labels of both blocks over their shared region (:func:`~napari_s1omni.joining.stitching.geometry.slabs`).
    count_a, count_b : int
        Labels up to this one touch their own block and can be joined; those above can only be a best partner.
    rule : MatchRule, optional
        Thresholds; the published ones by default.
    across : tuple of int
        Axes along which the blocks are neighbours. One of the windows ends at each of the region's two ends along
        them: a fragment that reaches such an end is the tip of an object inside the other block, and if it lies in
        another label that is no second claim.

    Returns
    -------
    Matches
        Local labels; ``at`` is a flat index into the region. If several fragments belong to one pair of labels,
        the one that shares most voxels is reported.
    """
    rule = rule or MatchRule()
    runs = _Runs.of(a, b)
    parts_a, parts_b = runs.fragments(runs.a), runs.fragments(runs.b)
    table = contingency_table(parts_a, parts_b, runs.length)
    owner_a, owner_b = _owners(parts_a, runs.a)[table.a], _owners(parts_b, runs.b)[table.b]

    iou, containment = table.iou, table.containment
    agree = (iou >= rule.iou) | ((containment >= rule.containment) & (table.shared >= rule.voxels))
    mutual = table.mutual(table.shared)
    mine = (owner_a <= count_a) & (owner_b <= count_b)
    joined = mine & mutual & agree
    weak = mine & mutual & (iou < rule.iou) & ((iou >= rule.uncertain_iou) | joined)
    whole = ~np.where(
        table.area_a <= table.area_b, runs.cut(parts_a, across)[table.a], runs.cut(parts_b, across)[table.b]
    )
    second = mine & ~mutual & ((agree & whole) | (iou >= rule.uncertain_iou))

    rows = np.zeros(len(table.a), PAIR)
    rows["a"], rows["b"], rows["shared"] = owner_a, owner_b, table.shared
    rows["iou"], rows["containment"] = iou, containment
    rows["reason"] = np.select([weak, second], [_WEAK, _SECOND], 0)
    rows["at"] = runs.voxel_in(parts_a, parts_b)
    joins = _strongest(rows[joined])
    uncertain = _strongest(rows[weak | second])
    certain = joins[joins["reason"] == 0]
    known = _keys(certain)
    return Matches(joins, uncertain[~np.isin(_keys(uncertain), known)])


@dataclass(frozen=True, slots=True)
class _Runs:
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
    def of(cls, a: NDArray[Any], b: NDArray[Any]) -> _Runs:
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


def _label_sizes(
    labels: NDArray[Any], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct labels, the index of each entry among them, and their sizes."""
    names, index = distinct_labels(labels)
    area = np.zeros(len(names), np.int64)
    np.add.at(area, index, sizes)
    return names, index, area


def _owners(parts: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the label of each fragment, indexed by the fragment's number."""
    owners = np.zeros(int(parts.max(initial=0)) + 1, np.int64)
    owners[parts] = labels
    return owners


def _strongest(rows: NDArray[Any]) -> NDArray[Any]:
    """Keep one row per pair of labels: the most certain one, then the one that shares most voxels."""
    rows = rows[np.lexsort((rows["at"], -rows["shared"], rows["reason"], rows["b"], rows["a"]))]
    fresh = np.ones(len(rows), bool)
    fresh[1:] = (np.diff(rows["a"]) != 0) | (np.diff(rows["b"]) != 0)
    return rows[fresh]


def _keys(rows: NDArray[Any]) -> NDArray[np.int64]:
    """Return both labels of each row as one integer; local labels are below 2**32."""
    return np.asarray((rows["a"] << 32) | rows["b"])
