"""Test images for stitching: masks and label images with known objects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_s1omni.benchmarks.stitching.ellipses import Ellipses
from napari_s1omni.benchmarks.stitching.window_engines import Labels


def random_mask(shape: tuple[int, ...], share: float, seed: int = 0) -> NDArray[np.uint8]:
    """Draw random voxels; near the percolation threshold, components wind through many blocks."""
    return np.asarray(np.random.default_rng(seed).random(shape) < share, np.uint8)


def neck(width: int) -> NDArray[np.uint8]:
    """Draw two squares on both sides of a face, joined by a neck of `width` pixels."""
    out = np.zeros((64, 64), np.uint8)
    out[20:40, 10:28], out[20:40, 36:54] = 1, 1
    out[30 : 30 + width, 28:36] = 1
    return out


def contact(width: int) -> NDArray[np.uint8]:
    """Draw a square that crosses a face by one pixel, over a width of `width` pixels."""
    out = np.zeros((64, 64), np.uint8)
    out[20:40, 12:32] = 1
    out[28 : 28 + width, 32] = 1
    return out


def corner_objects() -> NDArray[np.uint8]:
    """Draw objects in the corners of the array, where four blocks meet, and entirely inside a halo."""
    out = np.zeros((96, 96), np.uint8)
    for y in (0, 95):
        out[y, [0, 95]] = 1
    out[30:34, 30:34] = 1
    out[63, 63] = out[64, 64] = 1
    out[10:13, 33:36] = 1
    out[10:13, 26:30] = 1
    out[31:33, 10] = 1
    return out


def u_shape() -> NDArray[np.uint8]:
    """Draw two bars through three blocks each, joined in the last one: a single object, which no single face shows."""
    out = np.zeros((96, 96), np.uint8)
    out[4:92, 40:44] = out[4:92, 52:56] = 1
    out[88:92, 40:56] = 1
    return out


def mosaic(rows: int, columns: int) -> NDArray[np.int64]:
    """Draw touching squares of 2 x 2 pixels, the densest possible objects."""
    return np.kron(np.arange(1, rows * columns + 1).reshape(rows, columns), np.ones((2, 2), np.int64))


def ellipses(edge: int, count: int) -> NDArray[np.int32]:
    """Label a whole square plane of touching ellipses."""
    return Ellipses(edge, count).labels((slice(0, edge), slice(0, edge)))


def serpent(shape: tuple[int, int], pitch: int, width: int = 1) -> NDArray[np.uint8]:
    """Draw one winding band: rows of `width` pixels every `pitch` pixels, joined at alternate ends."""
    out = np.zeros(shape, np.uint8)
    for row, top in enumerate(range(0, shape[0] - width + 1, pitch)):
        out[top : top + width] = 1
        if row:
            side = slice(-width, None) if row % 2 else slice(0, width)
            out[top - pitch : top, side] = 1
    return out


def rings(shape: tuple[int, int], pitch: int) -> NDArray[np.uint8]:
    """Draw concentric rings, `pitch` pixels apart and half as wide."""
    y, x = np.indices(shape)
    radius = np.hypot(y - shape[0] / 2, x - shape[1] / 2)
    return np.asarray((radius % pitch) < pitch / 2, np.uint8)


def voronoi(shape: tuple[int, ...], seeds: int, seed: int = 0) -> NDArray[np.int64]:
    """Label Voronoi cells of random points without gaps; every label is one connected cell."""
    points = np.random.default_rng(seed).uniform(0, shape, (seeds, len(shape)))
    grid = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in shape), indexing="ij"), axis=-1)
    nearest = cKDTree(points).query(grid)[1].reshape(shape)
    return split_into_connected(np.asarray(nearest, np.int64) + 1)


def split_into_connected(labels: Labels) -> NDArray[np.int64]:
    """Relabel so that every label is connected by faces; separate parts get labels of their own."""
    out = np.zeros(labels.shape, np.int64)
    total = 0
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            parts, n = ndimage.label(labels[box] == label)
            out[box][parts > 0] = parts[parts > 0] + total
            total += n
    return out
