"""Gathering px into objects: every px follows the way to the middle of its object that was drawn for it."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

_SMOOTH = 0.7
"""Sigma in px of the smoothing of the offsets, within the mask."""

_STRIDE = 5.0
"""Px of a step where the offset is 1. Nearer to a middle than where a step is half a px, all px are one heap."""

_STEPS = 8
"""Doublings of the way: 2 to their power steps are more than any way is long."""

_REACH = 2
"""Px on each side of a border at which offsets are compared: what is drawn there is less blurred than at the border."""

_EIGHT = np.ones((3, 3))


def gather(offsets: NDArray[np.float32], mask: NDArray[np.bool_], jump: float) -> NDArray[np.int32]:
    """Number the objects of a mask by the ways to their middles.

    Px whose ways end in one place are a heap. Where two heaps touch, their offsets jump from "back" to "forth" by up
    to 2 if they are two objects and by nothing if they are one that has two middles by chance. Heaps are joined, least
    jump first, while the mean jump along their common border, per its length, is below `jump` (agglomeration by mean
    boundary, as of Funke et al., "Large scale image segmentation with structured loss based deep learning for
    connectome reconstruction", 2019). Following a drawn field is from Stringer et al., "Cellpose", 2021.

    Parameters
    ----------
    offsets : float32 (2, H, W)
        Along y and x, -1 to 1, as of :data:`napari_s1omni.engine.protocol.OFFSETS`.
    mask : bool (H, W)
        Px of objects.
    jump : float
        Least mean jump between two objects, 0 to 2.

    Returns
    -------
    int32 (H, W)
        0 outside of `mask`, 1 to n in raster order.
    """
    weight = ndi.gaussian_filter(mask.astype(np.float32), _SMOOTH) + 1e-3
    smooth = np.stack([ndi.gaussian_filter(along * mask, _SMOOTH) / weight for along in offsets])
    heaps = _heaps(smooth, mask)
    goes_to = _joined(*_borders(heaps, smooth), int(heaps.max(initial=0)), jump)
    return np.asarray(goes_to[heaps], np.int32)


def _heaps(offsets: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Follow the ways: each px's next px, then the next of the next, and so on."""
    height, width = mask.shape
    y, x = np.nonzero(mask)
    to_y = np.clip(np.rint(y + _STRIDE * offsets[0, y, x]), 0, height - 1).astype(np.intp)
    to_x = np.clip(np.rint(x + _STRIDE * offsets[1, y, x]), 0, width - 1).astype(np.intp)
    start = y * width + x
    following = np.arange(mask.size)
    # A way that would leave the mask ends.
    following[start] = np.where(mask[to_y, to_x], to_y * width + to_x, start)
    for _ in range(_STEPS):
        following = following[following]
    ends = np.zeros(mask.size, bool)
    ends[following[start]] = True
    places, _ = ndi.label(ends.reshape(mask.shape), _EIGHT)
    heaps = np.zeros(mask.size, np.int32)
    heaps[start] = places.ravel()[following[start]]
    return heaps.reshape(mask.shape)


def _borders(heaps: NDArray[np.int32], offsets: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return touching pairs of heaps (m, 2), and the jumps' sum and the border's px along y and x (m, 3)."""
    n = int(heaps.max(initial=0))
    keys, jumps, axes = [], [], []
    for axis in (0, 1):
        length = heaps.shape[axis]
        first, second = np.take(heaps, range(length - 1), axis), np.take(heaps, range(1, length), axis)
        here = np.array(np.nonzero((first != second) & (first > 0) & (second > 0)))
        there = here.copy()
        there[axis] += 1
        a, b = heaps[tuple(here)], heaps[tuple(there)]
        inner, outer = (_away(heaps, at, axis, way) for at, way in ((here, -1), (there, 1)))
        keys.append(np.minimum(a, b).astype(np.int64) * (n + 1) + np.maximum(a, b))
        jumps.append(offsets[axis][tuple(outer)] - offsets[axis][tuple(inner)])
        axes.append(np.full(len(a), axis))
    key, which = np.unique(np.concatenate(keys), return_inverse=True)
    jump, along = np.concatenate(jumps), np.concatenate(axes)
    sums = [np.bincount(which, values, len(key)) for values in (jump, along == 0, along == 1)]
    return np.stack(np.divmod(key, n + 1), axis=1), np.stack(sums, axis=1)


def _away(heaps: NDArray[np.int32], at: NDArray[Any], axis: int, way: int) -> NDArray[Any]:
    """Go from px (2, k) up to :data:`_REACH` px along an axis, within the heap of each."""
    own = heaps[tuple(at)]
    for _ in range(_REACH):
        further = at.copy()
        further[axis] = np.clip(at[axis] + way, 0, heaps.shape[axis] - 1)
        at = np.where(heaps[tuple(further)] == own, further, at)
    return at


def _joined(pairs: NDArray[Any], sums: NDArray[np.float64], n: int, jump: float) -> NDArray[np.intp]:
    """Return the number that each of `n` heaps has after joining."""
    borders: dict[int, dict[int, NDArray[np.float64]]] = defaultdict(dict)
    queue = []
    for (a, b), border in zip(pairs.tolist(), sums, strict=True):
        borders[a][b] = borders[b][a] = border
        queue.append((_mean_jump(border), a, b))
    heapq.heapify(queue)
    goes_to = np.arange(n + 1)
    while queue and queue[0][0] < jump:
        level, a, b = heapq.heappop(queue)
        if b not in borders[a] or _mean_jump(borders[a][b]) != level:
            continue  # One of both was joined since.
        goes_to[b] = a
        for c, border in borders.pop(b).items():
            del borders[c][b]
            if c != a:
                both = border + borders[a].get(c, 0)
                borders[a][c] = borders[c][a] = both
                heapq.heappush(queue, (_mean_jump(both), min(a, c), max(a, c)))
    while not (goes_to[goes_to] == goes_to).all():
        goes_to = goes_to[goes_to]
    return np.unique(goes_to, return_inverse=True)[1].ravel()


def _mean_jump(border: NDArray[np.float64]) -> float:
    """Sum of the jumps over the length of a border with so many px along y and x."""
    return float(border[0] / np.hypot(border[1], border[2]))
