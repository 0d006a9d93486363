"""Instance segmentation of one plane: from fields to labels by threshold, seeds and watershed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.core.watershed import watershed_from_h_maxima
from napari_s1omni.engine.description import Division
from napari_s1omni.operations.operation import Edges
from napari_s1omni.operations.overlay import normalised_depth

FRAGMENT = 0.15
"""A part smaller than this share of a touching object's area is merged into that object."""

_FLOOR = 0.1
"""Added to the normalised depth before its logarithm, so that the rim of an object has no maxima."""

_CROSS = ndi.generate_binary_structure(2, 1)

_SMOOTH = 0.7
"""Sigma in px of the Gaussian filter on the depth."""


@dataclass(frozen=True, slots=True)
class InstanceRules:
    """Thresholds of :func:`label_plane`."""

    min_size: int
    """Smallest object, px."""
    max_size: int | None
    """Largest object, px, or None."""
    fill_holes: bool
    drop_border: bool
    small_hole: int
    """Largest hole that is filled before touching objects are split, px."""
    largest_hole: int
    """Largest hole inside a single object that is filled, px."""
    fragment: float = FRAGMENT
    """Share of a touching object's area below which a part is merged into that object."""


def label_plane(
    fields: NDArray[np.float32], rules: InstanceRules, edges: Edges, division: Division
) -> NDArray[np.uint32]:
    """Number the objects of one plane.

    Foreground above 0.5 is split at the saddles of a depth map: the logarithm of
    the engine's distance field mixed with the distance transform of the foreground
    (:func:`napari_s1omni.core.watershed.watershed_from_h_maxima`). Small fragments
    are merged into the object they touch.

    Parameters
    ----------
    fields : float32 (3, H, W)
        Foreground, interior and distance.
    rules : InstanceRules
    edges : 4 bool
        Which sides are the layer's own border, for ``drop_border``.
    division : Division
        The engine's.

    Returns
    -------
    uint32 (H, W), 1 to n
    """
    mask = fields[0] >= 0.5
    if not mask.any():
        return np.zeros(mask.shape, np.uint32)
    if rules.fill_holes:
        mask = fill_small_holes(mask, rules.small_hole)
    depth = division.distance * np.clip(fields[2], 0, 1) + (1 - division.distance) * normalised_depth(mask)
    labels = watershed_from_h_maxima(
        np.log(ndi.gaussian_filter(depth, _SMOOTH) + _FLOOR), mask, division.rise, rules.fragment
    )
    if rules.fill_holes:
        labels = _fill_inside(labels, rules.largest_hole)
    return _drop_objects(labels, fields[0], rules, edges, division.least)


def fill_small_holes(mask: NDArray[np.bool_], largest: int) -> NDArray[np.bool_]:
    """Fill holes of at most `largest` px that do not reach the side of the array."""
    holes, small = _small_holes(~mask, largest)
    return np.asarray(mask | small[holes])


def _small_holes(background: NDArray[np.bool_], largest: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Number the holes (0 is foreground), and mark those of at most `largest` px that reach no side of the array."""
    holes, n = ndi.label(background)
    small = np.bincount(holes.ravel(), minlength=n + 1) <= largest
    small[0] = False
    for side in (holes[0], holes[-1], holes[:, 0], holes[:, -1]):
        small[side] = False
    return holes, small


def _fill_inside(labels: NDArray[np.int32], largest: int) -> NDArray[np.int32]:
    """Fill holes of at most `largest` px that only one object surrounds."""
    holes, small = _small_holes(labels == 0, largest)
    if not small.any():
        return labels
    numbers = np.arange(len(small))
    # A dilation of the labels, and of their negatives, brings the labels at the rim of a hole into it.
    most = np.asarray(ndi.maximum(ndi.maximum_filter(labels, footprint=_CROSS), holes, numbers), np.int64)
    padded = np.where(labels == 0, np.iinfo(np.int32).max, labels)
    least = np.asarray(ndi.minimum(ndi.minimum_filter(padded, footprint=_CROSS), holes, numbers), np.int64)
    owner = np.where(small & (most == least), most, 0)
    return np.asarray(np.where(holes > 0, owner[holes], labels), np.int32)


def _drop_objects(
    labels: NDArray[Any], foreground: NDArray[np.float32], rules: InstanceRules, edges: Edges, least: float
) -> NDArray[np.uint32]:
    area = np.bincount(labels.ravel())
    keep = area >= rules.min_size
    if least:
        keep &= np.bincount(labels.ravel(), foreground.ravel()) >= least * area
    if rules.max_size is not None:
        keep &= area <= rules.max_size
    if rules.drop_border:
        sides = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
        for own, side in zip(edges, sides, strict=True):
            if own:
                keep[side] = False
    keep[0] = False
    numbers = np.where(keep, np.cumsum(keep), 0).astype(np.uint32)
    return np.asarray(numbers[labels])
