"""Restoring a box of a result from before its tiles were redone, with the labels that its objects have now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.storage.result.corrections import Box, Correction, apply_correction
from napari_s1omni.storage.result.snapshots import snapshot_folder
from napari_s1omni.storage.result.store import ResultStore

_MARGIN = 64
"""Pixels around a box along y and x that are compared to recognise objects that reach out of it."""


def restore(path: Path, box: Box) -> Correction | None:
    """Restore a box from the previous snapshot, as a correction that can be undone.

    Parameters
    ----------
    path : Path
        A complete result with redone tiles.
    box : tuple of slice
        In pixels of the result, along its axes.

    Returns
    -------
    Correction or None
        None if nothing differs.

    Raises
    ------
    StoreError
        If there is no previous snapshot, or the result is not complete.
    """
    store, earlier = ResultStore.open(path, "r+"), ResultStore.open(snapshot_folder(path))
    target = store.target
    wide = tuple(
        slice(max(0, b.start - _MARGIN), min(n, b.stop + _MARGIN)) if a in "yx" else b
        for a, b, n in zip(target.axes, box, target.shape, strict=True)
    )
    inner = tuple(slice(b.start - w.start, b.stop - w.start) for b, w in zip(box, wide, strict=True))
    now, then = store.read(wide), earlier.read(wide)
    if target.kind == "labels":
        highest = int((store.attributes.get("summary") or {}).get("objects") or 0)
        then = match_labels(now, then, inner, max(highest, int(now.max(initial=0))) + 1)
    return apply_correction(store, box, now[inner], then[inner])


def match_labels(now: NDArray[Any], then: NDArray[Any], inner: Box, first: int) -> NDArray[Any]:
    """Give earlier objects the labels that they have now around a box, and new labels to objects inside of it.

    Parameters
    ----------
    now, then : integer array
        Labels of one region at two times.
    inner : tuple of slice
        The box in the region.
    first : int
        First free label.

    Returns
    -------
    integer array
        `then` with its labels inside of the box changed.
    """
    outside = np.ones(now.shape, bool)
    outside[inner] = False
    both = outside & (now > 0) & (then > 0)
    pairs, counts = np.unique(np.stack([then[both], now[both]]), axis=1, return_counts=True)
    same: dict[int, int] = {}
    for i in np.argsort(counts):
        # The pair that shares the most pixels comes last and wins.
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
