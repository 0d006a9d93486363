"""Metrics that compare a result with the truth. Arrays in, floats out.

Label metrics take integer arrays of any dimension where 0 is background. They use
a sparse table of overlaps, so 200,000 objects take seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

from napari_s1omni.errors import SourceError

IOU_THRESHOLDS = tuple(t / 100 for t in range(50, 100, 5))
"""0.50 to 0.95 in steps of 0.05."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Objects found and missed at one IoU threshold; the counts of several images can be added (pooled)."""

    true_positives: int = 0
    """Matched pairs of a true and a predicted object."""
    false_positives: int = 0
    """Predicted objects without a match."""
    false_negatives: int = 0
    """True objects without a match."""

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )

    @property
    def average_precision(self) -> float:
        """TP / (TP + FP + FN), as in the 2018 Data Science Bowl; 1 if there are no objects in either image."""
        total = self.true_positives + self.false_positives + self.false_negatives
        return self.true_positives / total if total else 1.0


def match(truth: NDArray[Any], predicted: NDArray[Any], thresholds: Sequence[float] = (0.5,)) -> tuple[Counts, ...]:
    """Match objects one to one: as many pairs as possible with an IoU of at least each threshold.

    Parameters
    ----------
    truth, predicted : integer arrays of one shape
    thresholds : sequence of float
        Intersection over union, 0 < t <= 1.

    Returns
    -------
    tuple of Counts
        One for each threshold.

    Raises
    ------
    SourceError
        If the shapes differ or the arrays are not integer.
    """
    rows, cols, shared, n_true, n_found, area_true, area_found = _overlaps(truth, predicted)
    iou = shared / (area_true[rows] + area_found[cols] - shared)
    counts = []
    for threshold in thresholds:
        # The tolerance makes an IoU of exactly 1/2 count as "at least 1/2" despite rounding.
        good = iou >= threshold - 1e-12
        graph = sparse.csr_matrix((np.ones(int(good.sum()), np.int8), (rows[good], cols[good])), (n_true, n_found))
        pairs = 0 if graph.nnz == 0 else int((maximum_bipartite_matching(graph, perm_type="column") >= 0).sum())
        counts.append(Counts(pairs, n_found - pairs, n_true - pairs))
    return tuple(counts)


def average_precision(
    pairs: Iterable[tuple[NDArray[Any], NDArray[Any]]], thresholds: Sequence[float] = IOU_THRESHOLDS
) -> dict[float, float]:
    """Return the instance AP at each IoU threshold, pooled over (truth, predicted) pairs of several images."""
    pooled = [Counts()] * len(thresholds)
    for truth, predicted in pairs:
        pooled = [a + b for a, b in zip(pooled, match(truth, predicted, thresholds), strict=True)]
    return {t: c.average_precision for t, c in zip(thresholds, pooled, strict=True)}


def dice(truth: NDArray[Any], predicted: NDArray[Any]) -> float:
    """2 |A and B| / (|A| + |B|) of all non-zero pixels; 1 if both are empty."""
    a, b = _masks(truth, predicted)
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


def iou(truth: NDArray[Any], predicted: NDArray[Any]) -> float:
    """|A and B| / |A or B| of all non-zero pixels (Jaccard); 1 if both are empty."""
    a, b = _masks(truth, predicted)
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


def variation_of_information(truth: NDArray[Any], predicted: NDArray[Any]) -> tuple[float, float]:
    """Return the split and merge parts of the variation of information (Meilă, 2007), in bits.

    Only pixels inside true objects count, as in connectomics.

    Returns
    -------
    tuple of float
        H(predicted | truth), how far true objects are split, and
        H(truth | predicted), how far they are merged; 0 is perfect.
    """
    _same_shape(truth, predicted)
    inside = truth != 0
    n = int(inside.sum())
    if n == 0:
        return 0.0, 0.0
    a, b = (np.unique(x[inside], return_inverse=True)[1].ravel() for x in (truth, predicted))
    pairs = np.unique(a.astype(np.int64) * (int(b.max()) + 1) + b, return_counts=True)[1]
    joint, of_truth, of_found = (_entropy(c / n) for c in (pairs, np.bincount(a), np.bincount(b)))
    return max(joint - of_truth, 0.0), max(joint - of_found, 0.0)


def psnr(truth: NDArray[Any], predicted: NDArray[Any], data_range: float) -> float:
    """Return the peak signal-to-noise ratio in dB; infinite if the images are equal.

    Parameters
    ----------
    truth, predicted : arrays of one shape
    data_range : float
        Largest minus smallest possible value, such as 255. There is no default,
        because the result depends on it.
    """
    _same_shape(truth, predicted)
    error = float(np.mean((truth.astype(np.float64) - predicted.astype(np.float64)) ** 2))
    return math.inf if error == 0 else 10 * math.log10(data_range**2 / error)


def ssim(truth: NDArray[Any], predicted: NDArray[Any], data_range: float) -> float:
    """Return the structural similarity with a Gaussian window of sigma 1.5 pixels (Wang et al., 2004).

    For (C, H, W), it is the mean over channels of the two-dimensional one.
    """
    from skimage.metrics import structural_similarity

    _same_shape(truth, predicted)
    if min(truth.shape[-2:]) < 11:
        raise SourceError(
            f"an image of {truth.shape[-2]} x {truth.shape[-1]} px", "SSIM needs at least 11 x 11 px", "compare PSNR"
        )
    return float(
        structural_similarity(
            truth.astype(np.float64),
            predicted.astype(np.float64),
            data_range=data_range,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            channel_axis=0 if truth.ndim == 3 else None,
        )
    )


def pearson(truth: NDArray[Any], predicted: NDArray[Any]) -> float:
    """Return the correlation coefficient over all pixels; 0 if one of the two is constant."""
    _same_shape(truth, predicted)
    a, b = (x.astype(np.float64).ravel() - x.mean(dtype=np.float64) for x in (truth, predicted))
    length = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / length if length else 0.0


def _overlaps(truth: NDArray[Any], predicted: NDArray[Any]) -> tuple[Any, ...]:
    """Return rows, columns and pixels of the sparse table of overlaps, numbers of objects, and areas."""
    _same_shape(truth, predicted)
    for name, array in (("truth", truth), ("prediction", predicted)):
        if array.dtype.kind not in "iub":
            raise SourceError(f"the {name} is {array.dtype}", "integer labels", "cast it", dtype=str(array.dtype))
    (a, area_a), (b, area_b) = _dense(truth), _dense(predicted)
    both = (a > 0) & (b > 0)
    ones = np.ones(int(both.sum()), np.int64)
    table = sparse.coo_matrix((ones, (a[both] - 1, b[both] - 1)), (len(area_a), len(area_b))).tocsr().tocoo()
    return table.row, table.col, table.data, len(area_a), len(area_b), area_a, area_b


def _dense(labels: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the labels renumbered 1 to n, flat, and the area of each."""
    flat = labels.ravel()
    if flat.size and int(flat.min()) >= 0 and int(flat.max()) <= 4 * flat.size:
        area = np.bincount(flat)
    else:
        ids, flat = np.unique(np.append(flat, np.zeros(1, flat.dtype)), return_inverse=True)
        # Background must stay 0 even if negative ids sort below it.
        zero = int(flat[-1])
        flat = np.where(flat == zero, 0, flat + (flat < zero))[:-1]
        area = np.bincount(flat, minlength=len(ids))
    present = area > 0
    present[:1] = False
    return np.cumsum(present)[flat] * (flat > 0), area[present]


def _masks(truth: NDArray[Any], predicted: NDArray[Any]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    _same_shape(truth, predicted)
    return truth != 0, predicted != 0


def _same_shape(truth: NDArray[Any], predicted: NDArray[Any]) -> None:
    if truth.shape != predicted.shape:
        raise SourceError(
            f"the truth has shape {truth.shape}, the result {predicted.shape}",
            "two arrays of one shape",
            "compare the same field at the same resolution",
        )


def _entropy(share: NDArray[np.float64]) -> float:
    return float(-(share * np.log2(share)).sum())
