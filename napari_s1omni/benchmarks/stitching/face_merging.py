"""Merge labels by faces, as distributed Cellpose does, to compare stitching with it.

After ``cellpose/contrib/distributed_segmentation.py`` (Stringer and Pachitariu,
https://github.com/MouseLand/cellpose): halos are cut off, ids become unique by
prefixing the block's number in decimals, and labels that meet on the two voxel
planes at a face are joined. Before that, each label is shrunk by 1 pixel on both
planes to keep touching neighbours apart; whatever is still connected across the
planes becomes one object. The method is made for volumes, where a face is a plane.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.csgraph import connected_components

from napari_s1omni.benchmarks.stitching.agreement import Agreement
from napari_s1omni.benchmarks.stitching.block_stitching import block_boxes, stitch
from napari_s1omni.benchmarks.stitching.oracle_images import random_mask, voronoi
from napari_s1omni.benchmarks.stitching.oracles import Oracle
from napari_s1omni.benchmarks.stitching.window_engines import Labels, WindowEngine, components, jittered_ids, known_ids
from napari_s1omni.joining.stitching import window

_SHRINK = 1.0
"""Pixels that labels lose on each face, as in the original."""


def merge_by_faces(truth: Labels, engine: WindowEngine, block: tuple[int, ...], halo: tuple[int, ...]) -> Labels:
    """Label the window of every block with `engine` and merge the labels at faces, all in memory.

    Parameters
    ----------
    truth : ndarray of int, shape (D, H, W)
        True labels of the whole volume.
    engine : callable
        Labels one window.
    block, halo : tuple of int
        Size of a block and of its halo, in pixels per axis.

    Returns
    -------
    ndarray of int64, shape (D, H, W)
    """
    boxes = block_boxes(truth.shape, block)
    labels = np.zeros(truth.shape, np.uint32)
    for number, box in enumerate(boxes.values()):
        view = window(box, halo, truth.shape)
        core = tuple(slice(b.start - w.start, b.stop - w.start) for b, w in zip(box, view, strict=True))
        labels[box] = _prefixed(engine(truth[view])[core], number)
    pairs = [np.zeros((2, 0), np.int64)]
    for box in boxes.values():
        for axis in range(labels.ndim):
            if box[axis].stop < labels.shape[axis]:
                face = list(box)
                face[axis] = slice(box[axis].stop - 1, box[axis].stop + 1)
                pairs.append(_touching_pairs(labels[tuple(face)], axis))
    i, j = np.concatenate(pairs, axis=1)
    size = int(labels.max()) + 1
    groups = connected_components(sparse.coo_array((np.ones(len(i), bool), (i, j)), (size, size)), directed=False)[1]
    used = np.zeros(size, bool)
    used[np.unique(labels)] = True
    groups[~used] = groups[0]
    return np.asarray(np.unique(groups, return_inverse=True)[1][labels], np.int64)


def _prefixed(labels: Labels, number: int) -> NDArray[np.uint32]:
    """Prefix ids, padded to at least five decimals, with the block's number."""
    digits = np.maximum(5, np.ceil(np.log10(np.maximum(labels, 1) + 1))).astype(np.int64)
    return np.asarray(np.where(labels > 0, number * 10**digits + labels, 0), np.uint32)


def _touching_pairs(face: NDArray[np.uint32], axis: int) -> NDArray[np.int64]:
    """Return pairs of labels (2, n) that are connected across two neighbouring planes after shrinking."""
    planes = np.stack([_shrunk(plane) for plane in np.moveaxis(face, axis, 0)])
    parts, _ = ndimage.label(planes)
    both = np.unique(np.stack([parts.ravel(), planes.ravel().astype(np.int64)]), axis=1)
    part, label = both[:, both.all(axis=0)]
    same = np.flatnonzero(np.diff(part) == 0)
    return np.stack([label[same], label[same + 1]])


def _shrunk(plane: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Remove the pixels of each label near its border."""
    steep = np.linalg.norm(np.gradient(plane.astype(np.float64)), axis=0) > 0
    kept = np.where(steep, 0, plane)
    return np.where(ndimage.distance_transform_edt(kept) <= _SHRINK, 0, kept)


@dataclass(frozen=True, slots=True)
class MergeComparison:
    """One volume, stitched and merged by faces."""

    name: str
    blocks: int
    stitched: Agreement
    by_faces: Agreement
    stitched_s: float
    """Seconds for stitching, without the engine."""
    by_faces_s: float


def volumes() -> list[Oracle]:
    """Return volumes with a known segmentation, cut into at least eight blocks."""
    cut: dict[str, Any] = {"block": (32, 48, 48), "halo": (8, 8, 8)}
    cells, separate = (lambda: voronoi((64, 96, 96), 400)), (lambda: _separated(voronoi((64, 96, 96), 400)))
    return [
        Oracle("separate cells, 2 voxels between them", separate, known_ids, **cut),
        Oracle("touching cells", cells, known_ids, **cut),
        Oracle("touching cells, borders jittered by 2 voxels", cells, lambda: jittered_ids(2.0), **cut),
        Oracle("components, 26 neighbours", lambda: random_mask((64, 96, 96), 0.1), lambda: components(3), **cut),
        Oracle("4,000 touching cells", lambda: voronoi((96, 192, 192), 4000), known_ids, (48, 48, 48), (8, 8, 8)),
    ]


def compare(oracle: Oracle) -> MergeComparison:
    """Stitch a volume and merge it by faces, with the same labels from the engine."""
    layer = oracle.layer()
    # For a mask, the truth is its connected components; a label image is its own truth.
    truth = components(layer.ndim)(layer) if layer.dtype == np.uint8 else layer
    timed = _TimedEngine(oracle.engine())
    start = time.perf_counter()
    stitched = stitch(layer, timed, oracle.block, oracle.halo).labels
    middle, engine_s = time.perf_counter(), timed.seconds
    timed = _TimedEngine(oracle.engine())
    by_faces = merge_by_faces(layer, timed, oracle.block, oracle.halo)
    end = time.perf_counter()
    return MergeComparison(
        oracle.name,
        len(block_boxes(layer.shape, oracle.block)),
        Agreement.of(truth, stitched),
        Agreement.of(truth, by_faces),
        middle - start - engine_s,
        end - middle - timed.seconds,
    )


class _TimedEngine:
    """An engine that counts its seconds."""

    def __init__(self, engine: WindowEngine) -> None:
        self._engine = engine
        self.seconds = 0.0

    def __call__(self, labels: Labels) -> Labels:
        start = time.perf_counter()
        try:
            return self._engine(labels)
        finally:
            self.seconds += time.perf_counter() - start


def _separated(cells: Labels) -> Labels:
    """Remove one voxel on either side of every border."""
    low, high = ndimage.minimum_filter(cells, 3), ndimage.maximum_filter(cells, 3)
    return np.where(low == high, cells, 0)
