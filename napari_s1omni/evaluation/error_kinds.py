"""What is wrong with a segmentation: objects merged, split, missed, badly outlined, or drawn where nothing is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from scipy import sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

Kind = Literal["found", "merged", "split", "outline", "pale missed", "missed", "nothing there"]
KINDS: tuple[Kind, ...] = ("found", "merged", "split", "outline", "pale missed", "missed", "nothing there")
"""``found``: matched at IoU 0.5. ``merged``: in an object that holds several. ``split``: in several parts. ``outline``:
drawn, but too large, too small or beside. ``pale missed``: not drawn, with less than half of the usual contrast.
``missed``: not drawn, though as clear as others. ``nothing there``: drawn where nothing is annotated."""

_MOST, _SOME = 0.5, 0.25
"""Share of an object that must be covered by another to lie in it, and to be touched by it."""
_PALE = 0.5
"""Contrast of a pale object as a share of the median of its image."""
_RING = 5
"""Width in pixels of the ring around an object with which its brightness is compared."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One object and what was wrong with it."""

    kind: Kind
    y: float
    x: float
    """Its centre in pixels."""


def judge(truth: NDArray[Any], predicted: NDArray[Any], image: NDArray[Any]) -> list[Judged]:
    """Judge every annotated object, and every drawn one where nothing is annotated.

    Parameters
    ----------
    truth, predicted : integer arrays (H, W)
        0 is background.
    image : array (H, W)
        Grey pixels, for the contrast of objects that are missed.
    """
    truth, n_true = _numbered(truth)
    predicted, n_found = _numbered(predicted)
    shared = sparse.coo_matrix(
        (np.ones(truth.size), (truth.ravel(), predicted.ravel())), (n_true + 1, n_found + 1)
    ).tocsr()
    area_true, area_found = np.bincount(truth.ravel()), np.bincount(predicted.ravel())
    both = shared[1:, 1:].toarray()
    of_true, of_found = both / area_true[1:, None], both / area_found[None, 1:]
    overlap = both / (area_true[1:, None] + area_found[None, 1:] - both)
    partner = maximum_bipartite_matching(sparse.csr_matrix(overlap >= 0.5), perm_type="column")
    held = (of_true >= _MOST).sum(axis=0)
    pale = _pale(truth, n_true, image)
    centres = ndi.center_of_mass(truth > 0, truth, range(1, n_true + 1)) if n_true else []
    judged = []
    for i, (y, x) in enumerate(centres):
        kind: Kind = "outline"
        if partner[i] >= 0:
            kind = "found"
        elif of_true[i].sum() < _SOME:
            kind = "pale missed" if pale[i] else "missed"
        elif (held[of_true[i] >= _MOST] > 1).any():
            kind = "merged"
        elif ((of_found[i] >= _MOST) & (of_true[i] >= 0.1)).sum() > 1:
            kind = "split"
        judged.append(Judged(kind, y, x))
    extra = np.flatnonzero(of_found.sum(axis=0) < _SOME) + 1
    judged += [Judged("nothing there", y, x) for y, x in ndi.center_of_mass(predicted > 0, predicted, extra)]
    return judged


def _numbered(labels: NDArray[Any]) -> tuple[NDArray[np.int64], int]:
    """Return labels numbered from 1, and their number."""
    ids, flat = np.unique(labels, return_inverse=True)
    flat = flat.reshape(labels.shape) + (0 if ids[0] == 0 else 1)
    return flat.astype(np.int64), int(flat.max())


def _pale(truth: NDArray[np.int64], count: int, image: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which objects differ less than usual from what lies around them."""
    contrasts = []
    for i, place in enumerate(ndi.find_objects(truth, count), 1):
        around = tuple(slice(max(0, part.start - _RING), part.stop + _RING) for part in place)
        near, values = truth[around], image[around].astype(np.float64)
        ring = (near == 0) & ndi.binary_dilation(near == i, iterations=_RING)
        contrasts.append(abs(values[near == i].mean() - values[ring].mean()) if ring.any() else np.nan)
    usual = np.nanmedian(contrasts) if np.isfinite(contrasts).any() else 0.0
    return np.nan_to_num(np.asarray(contrasts, np.float64), nan=np.inf) < _PALE * usual
