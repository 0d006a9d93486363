"""Restoring: a box of a result as it was before tiles were redone, in the numbers that its objects have now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.storage.result.corrections import Box, Correction, apply_correction
from napari_s1omni.storage.result.snapshots import snapshot_folder
from napari_s1omni.storage.result.store import ResultStore

_RING = 64
"""Px around a box along y and x in which objects that reach out of it are recognised."""


def restore(path: Path, box: Box) -> Correction | None:
    """Bring back a box from the generation before; it becomes a correction, which can be undone.

    Parameters
    ----------
    path : Path
        A complete result of which tiles were redone.
    box : tuple of slice
        In px of the result, along its axes.

    Returns
    -------
    Correction or None
        None where nothing differs.

    Raises
    ------
    StoreError
        If no earlier generation is kept, or the result is not complete.
    """
    store, earlier = ResultStore.open(path, "r+"), ResultStore.open(snapshot_folder(path))
    target = store.target
    wide = tuple(
        slice(max(0, b.start - _RING), min(n, b.stop + _RING)) if a in "yx" else b
        for a, b, n in zip(target.axes, box, target.shape, strict=True)
    )
    inner = tuple(slice(b.start - w.start, b.stop - w.start) for b, w in zip(box, wide, strict=True))
    now, then = store.read(wide), earlier.read(wide)
    if target.kind == "labels":
        top = int((store.attributes.get("summary") or {}).get("objects") or 0)
        then = renumbered(now, then, inner, max(top, int(now.max(initial=0))) + 1)
    return apply_correction(store, box, now[inner], then[inner])


def renumbered(now: NDArray[Any], then: NDArray[Any], inner: Box, first: int) -> NDArray[Any]:
    """Give earlier labels the numbers that the same objects have now around a box, and new ones to those inside of it.

    Parameters
    ----------
    now, then : integer array
        One region at two times.
    inner : tuple of slice
        The box within it.
    first : int
        First number that is free.
    """
    outside = np.ones(now.shape, bool)
    outside[inner] = False
    both = outside & (now > 0) & (then > 0)
    pairs, counts = np.unique(np.stack([then[both], now[both]]), axis=1, return_counts=True)
    same: dict[int, int] = {}
    for i in np.argsort(counts):
        # The pair that shares most px comes last and stays.
        same[int(pairs[0, i])] = int(pairs[1, i])
    out = np.zeros_like(then)
    for label in np.unique(then[inner]):
        if label == 0:
            continue
        number = same.get(int(label))
        if number is None:
            number, first = first, first + 1
        out[then == label] = number
    return out
