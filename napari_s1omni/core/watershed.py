"""Watershed of a height map from its h-maxima."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi


def watershed_from_h_maxima(
    height: NDArray[Any], mask: NDArray[np.bool_], h: float, share: float = 0.0
) -> NDArray[np.int32]:
    """Split `mask` into the regions of the maxima of `height` that rise at least `h` above their saddles.

    A watershed from every regional maximum, then regions merged over their
    saddles, highest saddle first, while the lower of both maxima rises less
    than `h` above it (dynamics of contours: Najman and Schmitt, "Geodesic
    saliency of watershed contours", 1996). The result is that of a watershed
    from the h-maxima, at a fraction of the cost.

    Parameters
    ----------
    height : float (H, W)
    mask : bool (H, W)
        Pixels to split.
    h : float
        Least rise of a maximum over the saddle to a higher one, in units of `height`.
    share : float
        A region smaller than this share of a touching region's area is merged into the one over the highest saddle.

    Returns
    -------
    int32 (H, W)
        0 outside of `mask`, 1 to n in raster order of the first maxima of the regions.
    """
    from skimage.segmentation import watershed

    maxima, n = ndi.label(mask & (height == ndi.maximum_filter(height, 3)), np.ones((3, 3)))
    if n == 0:
        return np.zeros(mask.shape, np.int32)
    regions = watershed(-height, maxima, mask=mask)
    regions = np.asarray(_merge_over_saddles(regions, height, n, h)[regions], np.int32)
    return _merge_fragments(regions, height, share) if share else regions


def _merge_over_saddles(regions: NDArray[Any], height: NDArray[Any], n: int, h: float) -> NDArray[np.int64]:
    """Return the number of each region after merging."""
    pairs, saddles = _saddles(regions, height, n)
    top = np.asarray(ndi.maximum(height, regions, np.arange(n + 1)), np.float64).tolist()
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


def _merge_fragments(regions: NDArray[np.int32], height: NDArray[Any], share: float) -> NDArray[np.int32]:
    """Merge every region of less than `share` of a touching one's area into the one over the highest saddle."""
    n = int(regions.max(initial=0))
    pairs, saddles = _saddles(regions, height, n)
    area = np.bincount(regions.ravel(), minlength=n + 1)
    goes_to = np.arange(n + 1)
    # Lowest saddle first, so that the highest one is written last and decides.
    for k in np.argsort(saddles, kind="stable").tolist():
        small, large = sorted(pairs[k].tolist(), key=lambda i: (area[i], i))
        if area[small] < share * area[large]:
            goes_to[small] = large
    while not (goes_to[goes_to] == goes_to).all():
        goes_to = goes_to[goes_to]
    return np.asarray(np.unique(goes_to, return_inverse=True)[1].ravel()[regions], np.int32)


def _saddles(regions: NDArray[Any], height: NDArray[Any], n: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return touching pairs of regions (m, 2) and the height of the saddle between them (m,)."""
    keys, levels = [], []
    for a, b, low, high in (
        (regions[:-1], regions[1:], height[:-1], height[1:]),
        (regions[:, :-1], regions[:, 1:], height[:, :-1], height[:, 1:]),
    ):
        at = (a != b) & (a > 0) & (b > 0)
        first, second = a[at].astype(np.int64), b[at].astype(np.int64)
        keys.append(np.minimum(first, second) * (n + 1) + np.maximum(first, second))
        levels.append(np.minimum(low[at], high[at]).astype(np.float64))
    key, level = np.concatenate(keys), np.concatenate(levels)
    order = np.lexsort((-level, key))
    found, first_of = np.unique(key[order], return_index=True)
    return np.stack(np.divmod(found, n + 1), axis=1), level[order][first_of]
