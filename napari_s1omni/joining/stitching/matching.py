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

from napari_s1omni.joining.stitching.contingency import contingency_table
from napari_s1omni.joining.stitching.label_runs import LabelRuns

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
class Matches:
    """Result of comparing one shared region. Both arrays have dtype `PAIR`, one row per pair of labels."""

    joins: NDArray[Any]
    """Labels that are one object."""
    uncertain: NDArray[Any]
    """Uncertain pairs: joined on weak evidence, or nearly joined."""


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
    runs = LabelRuns.of(a, b)
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
