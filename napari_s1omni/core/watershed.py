"""Dividing a height map into its hills: a watershed whose shallow divisions are taken back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi


def watershed_from_h_maxima(
    height: NDArray[Any], mask: NDArray[np.bool_], h: float, share: float = 0.0
) -> NDArray[np.int32]:
    """Divide `mask` into the hills of `height` that stand at least `h` above their saddles.

    A watershed from every regional maximum, then hills joined over their
    saddles, highest saddle first, while the lower of the two summits rises less
    than `h` above it (dynamics of contours: Najman and Schmitt, "Geodesic
    saliency of watershed contours", 1996). The same as a watershed from the
    h-maxima, at a fraction of the cost.

    Parameters
    ----------
    height : float (H, W)
    mask : bool (H, W)
        Px to divide.
    h : float
        Least rise of a summit over the saddle to a higher one, in units of `height`.
    share : float
        A hill of less than this share of a touching hill's area is no hill of its own: it goes to the one over
        the highest saddle.

    Returns
    -------
    int32 (H, W)
        0 outside of `mask`, 1 to n in raster order of the hills' first summits.
    """
    from skimage.segmentation import watershed

    summits, n = ndi.label(mask & (height == ndi.maximum_filter(height, 3)), np.ones((3, 3)))
    if n == 0:
        return np.zeros(mask.shape, np.int32)
    hills = watershed(-height, summits, mask=mask)
    hills = np.asarray(_joined(hills, height, n, h)[hills], np.int32)
    return _without_splinters(hills, height, share) if share else hills


def _joined(hills: NDArray[Any], height: NDArray[Any], n: int, h: float) -> NDArray[np.int64]:
    """Return the number that each hill has after joining."""
    pairs, saddles = _saddles(hills, height, n)
    top = np.asarray(ndi.maximum(height, hills, np.arange(n + 1)), np.float64).tolist()
    parent = list(range(n + 1))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for k in np.argsort(-saddles, kind="stable").tolist():
        a, b = root(int(pairs[k, 0])), root(int(pairs[k, 1]))
        if a != b and min(top[a], top[b]) - saddles[k] < h:
            keep, drop = (a, b) if a < b else (b, a)
            parent[drop] = keep
            top[keep] = max(top[a], top[b])
    roots = np.array([root(i) for i in range(n + 1)])
    return np.unique(roots, return_inverse=True)[1].ravel()


def _without_splinters(hills: NDArray[np.int32], height: NDArray[Any], share: float) -> NDArray[np.int32]:
    """Give every hill of less than `share` of a touching one's area to the one of these over the highest saddle."""
    n = int(hills.max(initial=0))
    pairs, saddles = _saddles(hills, height, n)
    area = np.bincount(hills.ravel(), minlength=n + 1)
    goes_to = np.arange(n + 1)
    # Lowest saddle first, so that the highest is written last and stands.
    for k in np.argsort(saddles, kind="stable").tolist():
        small, large = sorted(pairs[k].tolist(), key=lambda i: (area[i], i))
        if area[small] < share * area[large]:
            goes_to[small] = large
    while not (goes_to[goes_to] == goes_to).all():
        goes_to = goes_to[goes_to]
    return np.asarray(np.unique(goes_to, return_inverse=True)[1].ravel()[hills], np.int32)


def _saddles(hills: NDArray[Any], height: NDArray[Any], n: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return touching pairs of hills (m, 2) and the height of the saddle between them (m,)."""
    keys, levels = [], []
    for a, b, low, high in (
        (hills[:-1], hills[1:], height[:-1], height[1:]),
        (hills[:, :-1], hills[:, 1:], height[:, :-1], height[:, 1:]),
    ):
        at = (a != b) & (a > 0) & (b > 0)
        first, second = a[at].astype(np.int64), b[at].astype(np.int64)
        keys.append(np.minimum(first, second) * (n + 1) + np.maximum(first, second))
        levels.append(np.minimum(low[at], high[at]).astype(np.float64))
    key, level = np.concatenate(keys), np.concatenate(levels)
    order = np.lexsort((-level, key))
    found, first_of = np.unique(key[order], return_index=True)
    return np.stack(np.divmod(found, n + 1), axis=1), level[order][first_of]
