"""Shapes of simulated objects: placement, outlines, textures and border distances."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from scipy.spatial import cKDTree

Rng = np.random.Generator


class Texture:
    """Smooth random maps, from which windows are cut; faster than filtering new noise for each one.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : int
        Edge of the windows in pixels.
    """

    def __init__(self, rng: Rng, size: int) -> None:
        self._size = size
        self._maps: dict[float, NDArray[np.float32]] = {}
        for sigma in (1.0, 2.0, 4.0, 8.0, 20.0, 50.0):
            drawn = ndi.gaussian_filter(rng.standard_normal((6, 3 * size, 3 * size)), (0, sigma, sigma), mode="wrap")
            self._maps[sigma] = (drawn / drawn.std()).astype(np.float32)

    def window(self, rng: Rng, sigma: float) -> NDArray[np.float32]:
        """Return a map (size, size) of about zero mean and unit variance, correlated over about `sigma` pixels."""
        key = min(self._maps, key=lambda s: abs(math.log(s / sigma)))
        maps = self._maps[key]
        y, x = rng.integers(0, maps.shape[1] - self._size, 2)
        cut = maps[rng.integers(len(maps)), y : y + self._size, x : x + self._size]
        return np.ascontiguousarray(np.rot90(cut, int(rng.integers(4))))


def scatter_centres(
    rng: Rng, size: int, count: int, diameter: float, gap: float, clustered: bool
) -> NDArray[np.float64]:
    """Draw up to `count` centres (n, 2) in pixels, no two closer than `gap` diameters.

    Clustered centres lie around a few points. Some centres lie just outside, so
    that objects are cut by the border of the scene.
    """
    margin = 0.4 * diameter
    wanted = count * 4 + 16
    if clustered:
        clusters = rng.uniform(0, size, (max(1, count // 12 + 1), 2))
        spread = diameter * math.sqrt(count) * 0.6 + 4
        points = clusters[rng.integers(len(clusters), size=wanted)] + rng.normal(0, spread, (wanted, 2))
    else:
        points = rng.uniform(-margin, size + margin, (wanted, 2))
    points = points[((points > -margin) & (points < size + margin)).all(axis=1)]
    tree = cKDTree(points)
    near = tree.query_ball_point(points, gap * diameter)
    free = np.ones(len(points), bool)
    kept: list[int] = []
    for i, others in enumerate(near):
        if free[i]:
            kept.append(i)
            free[others] = False
            if len(kept) == count:
                break
    return points[kept]


def draw_objects(
    rng: Rng, labels: NDArray[np.uint16], centres: NDArray[np.float64], diameter: float, spread: float, wobble: float
) -> None:
    """Draw one object per centre into `labels`, in place, with new ids; objects never overlap.

    Parameters
    ----------
    labels : uint16 (H, W)
    centres : (n, 2)
        y, x in pixels.
    diameter : float
        Median equivalent diameter in pixels.
    spread : float
        Standard deviation of the log diameter.
    wobble : float
        Relative amplitude of harmonics 2 to 5 of the outline; the second is elongation.
    """
    height, width = labels.shape
    last = int(labels.max())
    for cy, cx in centres:
        radius = 0.5 * diameter * math.exp(rng.normal(0, spread))
        amplitude = rng.normal(0, wobble, 4) / np.array([1.0, 2.0, 3.0, 4.0]) * np.array([2.0, 1.0, 1.0, 1.0])
        phase = rng.uniform(0, 2 * math.pi, 4)
        reach = math.ceil(radius * 1.8) + 1
        y0, y1 = max(0, int(cy) - reach), min(height, int(cy) + reach + 1)
        x0, x1 = max(0, int(cx) - reach), min(width, int(cx) + reach + 1)
        if y0 >= y1 or x0 >= x1:
            continue
        dy = np.arange(y0, y1)[:, None] - cy
        dx = np.arange(x0, x1)[None] - cx
        angle = np.arctan2(dy, dx)
        outline = np.ones_like(angle)
        for k in range(4):
            outline += amplitude[k] * np.cos((k + 2) * angle + phase[k])
        window = labels[y0:y1, x0:x1]
        inside = (np.hypot(dy, dx) <= radius * np.clip(outline, 0.45, 1.7)) & (window == 0)
        if inside.sum() >= 4:
            last += 1
            window[inside] = last


def grow_cells(rng: Rng, inner: NDArray[np.uint16], reach: float, texture: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Grow each object of `inner` within its Voronoi cell, by at most about `reach` pixels; ids stay."""
    distance, index = ndi.distance_transform_edt(inner == 0, return_indices=True)
    grown = inner[index[0], index[1]]
    limit = reach * (1 + 0.35 * texture)
    return np.where((inner > 0) | (distance <= limit), grown, 0).astype(np.uint16)


def border_distance(labels: NDArray[Any]) -> NDArray[np.float32]:
    """Return the distance of each pixel to the border of its object; touching objects have a border between them."""
    return np.asarray(ndi.distance_transform_edt(interior_mask(labels)), np.float32)


def relative_border_distance(labels: NDArray[Any]) -> NDArray[np.float32]:
    """Return the border distance relative to its maximum in the object, 0 to 1; objects extend beyond the array."""
    near = border_distance(np.pad(labels, 1, mode="edge"))[1:-1, 1:-1]
    largest = np.asarray(ndi.maximum(near, labels, np.arange(int(labels.max(initial=0)) + 1)), np.float32)
    return np.asarray(near / np.maximum(largest, 1)[labels], np.float32)


def interior_mask(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the pixels of objects, without those that touch another object."""
    inside = labels > 0
    for axis in (0, 1):
        differs = np.diff(labels.astype(np.int32), axis=axis) != 0
        both = differs & (np.take(labels, range(labels.shape[axis] - 1), axis) > 0)
        both &= np.take(labels, range(1, labels.shape[axis]), axis) > 0
        low = [slice(None)] * 2
        low[axis] = slice(0, -1)
        inside[tuple(low)] &= ~both
    return np.asarray(inside)


def drop_small_objects(labels: NDArray[np.uint16], smallest: int) -> NDArray[np.uint16]:
    """Remove objects of fewer than `smallest` pixels and renumber the rest 1 to n."""
    area = np.bincount(labels.ravel())
    keep = area >= smallest
    keep[0] = False
    return np.where(keep, np.cumsum(keep), 0).astype(np.uint16)[labels]
