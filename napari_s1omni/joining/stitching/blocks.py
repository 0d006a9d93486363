"""The labels of one block: renumbered, with the slabs that its neighbours compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.joining.stitching.contingency import distinct_labels
from napari_s1omni.joining.stitching.geometry import Box, Offset, slabs, window


@dataclass(frozen=True, slots=True)
class BlockLabels:
    """The labels of one block, and of the voxels that it shares with its neighbours."""

    core: NDArray[np.uint32]
    """Labels of the block itself, ids 1..`count`."""
    count: int
    """Number of objects that touch the block."""
    slabs: dict[Offset, NDArray[np.uint32]]
    """Labels over the voxels shared with each neighbour. Ids above `count` are objects that lie only in
    the halo of the block."""
    areas: NDArray[np.int64]
    """Voxels of each object inside the block, ids 1..`count`."""
    border: NDArray[np.uint32]
    """Ids of 1..`count`, ascending, that touch the border of the layer along one of its last two axes."""


def block_labels(labels: NDArray[Any], block: Box, halo: tuple[int, ...], shape: tuple[int, ...]) -> BlockLabels:
    """Renumber the objects that touch the block without gaps, and cut the slabs for its neighbours.

    Parameters
    ----------
    labels : ndarray of int
        Labels over the block's window, 0 is background.
    block : tuple of slice
        Box that the block writes, in pixels of the layer.
    halo : tuple of int
        Halo in px per axis.
    shape : tuple of int
        Size of the layer in px per axis.

    Returns
    -------
    BlockLabels
        The order of the ids is kept.

    Raises
    ------
    ValueError
        If `labels` does not have the shape of the window, or holds a negative id.
    """
    seen = window(block, halo, shape)
    expected = tuple(side.stop - side.start for side in seen)
    if labels.shape != expected:
        raise ValueError(f"labels of shape {labels.shape} for a window of shape {expected}")
    names, index = distinct_labels(labels)
    here = _within(block, seen)
    areas = np.bincount(index[here].ravel(), minlength=len(names))
    real = names > 0
    kept = real & (areas > 0)
    count = int(kept.sum())
    ids = np.zeros(len(names), np.uint32)
    ids[kept] = np.arange(1, count + 1, dtype=np.uint32)
    ids[real & ~kept] = np.arange(count + 1, int(real.sum()) + 1, dtype=np.uint32)
    compact = ids[index]
    cut = {offset: compact[_within(box, seen)].copy() for offset, box in slabs(block, halo, shape).items()}
    border = _at_border(compact, seen, shape)
    return BlockLabels(
        compact[here].copy(), count, cut, areas[kept].astype(np.int64), border[(border > 0) & (border <= count)]
    )


def _at_border(labels: NDArray[np.uint32], seen: Box, shape: tuple[int, ...]) -> NDArray[np.uint32]:
    """Return labels of a window at the layer's first or last pixel along one of the last two axes."""
    found = [np.zeros(0, np.uint32)]
    for axis in range(max(0, len(shape) - 2), len(shape)):
        if seen[axis].start == 0:
            found.append(np.unique(labels.take(0, axis)))
        if seen[axis].stop == shape[axis]:
            found.append(np.unique(labels.take(-1, axis)))
    return np.unique(np.concatenate(found))


def _within(inner: Box, outer: Box) -> Box:
    """Return `inner` relative to the start of `outer`."""
    return tuple(slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True))
