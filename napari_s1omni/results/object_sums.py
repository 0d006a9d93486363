"""Sums over the pixels of each object in one block. Sums of several blocks add up to those of the whole object."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Span
from napari_s1omni.results.measured_layers import MeasuredLayers
from napari_s1omni.results.perimeter import perimeter_map
from napari_s1omni.results.tables import Columns

_MARGIN = 2
"""Pixels around a block that the perimeter needs."""


def sum_block(
    layers: MeasuredLayers, box: dict[str, Span], axes: list[str], *, allow_empty: bool = False
) -> tuple[Columns, NDArray[np.bool_]] | None:
    """Sum up every object in one block.

    Parameters
    ----------
    layers : MeasuredLayers
    box : dict of axis to span
        The block, in pixels of the labels.
    axes : list of str
        Spatial axes of the labels, in order.
    allow_empty : bool
        Return a table without rows for a block without objects.

    Returns
    -------
    (sums, complete) or None
        One row per label, and which labels cannot reach into another block. None for a block without objects.
    """
    spec = layers.spec
    wide = {
        a: (max(0, s - _MARGIN), min(spec.size(a), e + _MARGIN)) if a in "yx" else (s, e) for a, (s, e) in box.items()
    }
    padded = np.asarray(layers.labels[tuple(slice(*wide[a]) for a in spec.axes)])
    padded = padded.reshape([wide[a][1] - wide[a][0] if a in wide else 1 for a in "zyx"])
    inner = tuple(slice(box[a][0] - wide[a][0], box[a][1] - wide[a][0]) if a in box else slice(None) for a in "zyx")
    labels = padded[inner]
    at = np.flatnonzero(labels)
    if not len(at) and not allow_empty:
        return None
    ids, index = _compact(labels.ravel()[at])
    n = len(ids)

    def total(weights: NDArray[Any] | None = None) -> NDArray[Any]:
        return np.bincount(index, weights, n)

    positions = dict(zip("zyx", np.unravel_index(at, labels.shape), strict=True))
    sums: Columns = {"label": ids.astype(np.int64), "num_pixels": total().astype(np.int64)}
    sums["t"] = np.full(n, box["t"][0] if "t" in box else 0)
    complete = np.ones(n, bool)
    border = np.zeros(n, bool)
    first_moments: Columns = {a: total(positions[a]) for a in axes}
    for a in axes:
        # Coordinates from the start of the block keep the squares small; the shift to those of the layer comes last.
        v = positions[a].astype(np.float64)
        sums[f"sum_{a}"] = first_moments[a] + box[a][0] * sums["num_pixels"]
        for b in axes[: axes.index(a) + 1]:
            second = total(v * positions[b])
            shift = box[a][0] * first_moments[b] + box[b][0] * first_moments[a]
            sums[f"sum_{b}{a}"] = second + shift + box[a][0] * box[b][0] * sums["num_pixels"]
        low, high = _extremes(positions[a], index, n)
        sums[f"min_{a}"], sums[f"max_{a}"] = low + box[a][0], high + box[a][0] + 1
        starts_inside = (low > 0) | (box[a][0] == 0)
        complete &= starts_inside & ((high < labels.shape["zyx".index(a)] - 1) | (box[a][1] == spec.size(a)))
        if spec.size(a) > 1:
            border |= (sums[f"min_{a}"] == 0) | (sums[f"max_{a}"] == spec.size(a))
    sums["touches_border"] = border
    if "z" not in box or spec.size("z") == 1:
        sums["sum_perimeter"] = total(perimeter_map(padded[0])[inner[1:]].ravel()[at])
    for channel, suffix in zip(layers.channels, layers.channel_suffixes, strict=True):
        values = layers.read_intensities(box, channel).ravel()[at].astype(np.float64)
        sums[f"sum_i{suffix}"], sums[f"sum_ii{suffix}"] = total(values), total(values * values)
        sums[f"min_i{suffix}"], sums[f"max_i{suffix}"] = _extremes(values, index, n)
    return sums, complete


def select_rows(sums: Columns, chosen: NDArray[np.bool_]) -> Columns:
    """Return the chosen rows of a table."""
    return {name: values[chosen] for name, values in sums.items()}


def merge_sums(parts: list[Columns]) -> Columns:
    """Add up the sums of labels that stand in several tables; one row per label."""
    sums = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(sums["label"], kind="stable")
    ids, starts = np.unique(sums["label"][order], return_index=True)
    if not len(ids):
        return sums
    merged: Columns = {"label": ids}
    for name, values in sums.items():
        if name != "label":
            merged[name] = _combine(name).reduceat(values[order], starts)
    return merged


def _combine(name: str) -> np.ufunc:
    """Return how the values of one label in a column become one."""
    if name == "touches_border":
        return np.logical_or
    if name.startswith("max_"):
        return np.maximum
    return np.minimum if name.startswith("min_") or name == "t" else np.add


def _compact(values: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct labels in order, and the index of each value among them."""
    if not len(values):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    low, high = int(values.min()), int(values.max())
    if high - low > 4 * len(values) + 1000:
        ids, index = np.unique(values, return_inverse=True)
        return ids.astype(np.int64), index
    shifted = (values - values.dtype.type(low)).astype(np.int64)
    present = np.bincount(shifted) > 0
    return np.flatnonzero(present) + low, (np.cumsum(present) - 1)[shifted]


def _extremes(values: NDArray[Any], index: NDArray[np.int64], n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the smallest and the largest value per label."""
    low = np.full(n, np.inf) if values.dtype.kind == "f" else np.full(n, np.iinfo(np.int64).max)
    high = -low
    np.minimum.at(low, index, values)
    np.maximum.at(high, index, values)
    return low, high
