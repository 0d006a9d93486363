"""Linking the objects of single planes along z, for engines that see one plane at a time.

Method: mutual best intersection over union between planes, as in Cellpose's
and many trackers' frame-to-frame linking (Stringer et al., "Cellpose: a
generalist algorithm for cellular segmentation", Nature Methods 2021). That
alone cuts off the caps of round objects, whose area shrinks faster than such a
threshold allows: the last plane of a ball is a few pixels above the middle of a
large one. As between blocks, an object that lies inside the other is linked too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.joining.stitching.contingency import contingency_table, distinct_labels
from napari_s1omni.joining.stitching.disjoint_sets import compress_paths, union


def link_planes(
    labels: NDArray[Any], iou: float = 0.25, gap: bool = False, containment: float = 0.7
) -> NDArray[np.uint32]:
    """Link the objects of a stack whose planes were labelled independently.

    Parameters
    ----------
    labels : ndarray of int, (D, H, W)
        Labels of each plane, numbered independently; 0 is background.
    iou : float
        Minimum intersection over union, seen along z, of two objects that are each other's best partner.
    gap : bool
        Whether an object may be missing in one plane: objects without a partner in the next plane are then compared
        with the plane after it.
    containment : float
        Minimum share of the smaller inside the larger that links two best partners of any IoU; above 1 none are.

    Returns
    -------
    ndarray of uint32, (D, H, W)
        Ids 1..N, in order of the first plane and then of the ids in it.

    Notes
    -----
    A link depends only on its two planes, or three with a gap: blocks whose windows share one plane on each side
    of a face (two with `gap`) find the same links there.
    """
    if labels.ndim != 3:
        raise ValueError(f"labels of {labels.ndim} dimensions; a stack has three: plane, row, column")
    depth = len(labels)
    planes = [_compact(plane) for plane in labels]
    first = np.cumsum([0, *(int(plane.max(initial=0)) for plane in planes)])
    parent = np.arange(first[-1], dtype=np.int64)
    ahead, behind = np.zeros(first[-1], bool), np.zeros(first[-1], bool)
    for z in range(depth - 1):
        u, v = _links(planes[z], planes[z + 1], iou, containment)
        u, v = u + first[z] - 1, v + first[z + 1] - 1
        ahead[u] = behind[v] = True
        union(parent, u, v)
    for z in range(depth - 2 if gap else 0):
        free_below = np.concatenate([[False], ~ahead[first[z] : first[z + 1]]])
        free_above = np.concatenate([[False], ~behind[first[z + 2] : first[z + 3]]])
        below, above = planes[z], planes[z + 2]
        u, v = _links(below * free_below[below], above * free_above[above], iou, containment)
        union(parent, u + first[z] - 1, v + first[z + 2] - 1)
    compress_paths(parent)
    _, final = np.unique(parent, return_inverse=True)
    out = np.zeros(labels.shape, np.uint32)
    for z, plane in enumerate(planes):
        out[z] = np.concatenate([[0], final[first[z] : first[z + 1]] + 1])[plane]
    return out


def _compact(plane: NDArray[Any]) -> NDArray[np.int64]:
    """Renumber to 1..n in the same order."""
    names, index = distinct_labels(plane)
    return index + int(names[0] > 0)


def _links(
    below: NDArray[np.int64], above: NDArray[np.int64], iou: float, containment: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    table = contingency_table(below, above)
    score = table.iou
    kept = table.mutual(score) & ((score >= iou) | (table.containment >= containment))
    return table.a[kept], table.b[kept]
