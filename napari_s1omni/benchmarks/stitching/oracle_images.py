"""Oracles of stitching: images whose right answer is known, cut into blocks and put together again.

An *engine* here is a function of a window of the true labels: it sees the
window only, as a model would, and numbers what it finds there on its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_s1omni.joining.stitching import (
    Box,
    Contingency,
    MatchRule,
    Numbering,
    Settled,
    contingency,
    match,
    number,
    pairs,
    settle,
    window,
)

Labels = NDArray[Any]
WindowEngine = Callable[[Labels], Labels]
"""True labels over a window to that window's own labels."""


@dataclass(frozen=True, slots=True)
class Stitched:
    """A whole layer put together from its blocks."""

    labels: NDArray[np.int64]
    """Final labels."""
    numbering: Numbering
    doubts: NDArray[Any]
    """Uncertain pairs, both labels as final ids."""


def stitch(
    truth: Labels,
    engine: WindowEngine,
    block: tuple[int, ...],
    halo: tuple[int, ...],
    order: Callable[[list[int]], list[int]] = list,
    rule: MatchRule | None = None,
) -> Stitched:
    """Run `engine` on every block's window and stitch the answers, all in memory.

    Parameters
    ----------
    truth : ndarray of int
        True labels of the whole layer.
    engine : callable
        Labels a window.
    block, halo : tuple of int
        Size of a block, and its halo, in px per axis.
    order : callable
        In which order the blocks are computed and the neighbours compared; the result must not depend on it.
    rule : MatchRule, optional
        Thresholds for joining.
    """
    boxes = block_boxes(truth.shape, block)
    places = list(boxes)
    settled: dict[int, Settled] = {}
    for position in order(list(range(len(places)))):
        box = boxes[places[position]]
        settled[position] = settle(engine(truth[window(box, halo, truth.shape)]), box, halo, truth.shape)
    counts = [settled[position].count for position in range(len(places))]
    before = np.concatenate([[0], np.cumsum(counts)])
    neighbours = list(pairs(tuple(i + 1 for i in places[-1]), halo))
    joins, doubts = [], [np.zeros((0, 2), np.int64)]
    for k in order(list(range(len(neighbours)))):
        i, j, offset = neighbours[k]
        back = tuple(-o for o in offset)
        across = tuple(axis for axis, step in enumerate(offset) if step)
        found = match(settled[i].slabs[offset], settled[j].slabs[back], counts[i], counts[j], rule, across)
        joins.append((found.joins["a"] + before[i] - 1, found.joins["b"] + before[j] - 1))
        doubts.append(np.stack([found.doubts["a"] + before[i] - 1, found.doubts["b"] + before[j] - 1], axis=1))
    numbering = number(counts, joins)
    labels = np.zeros(truth.shape, np.int64)
    for position, index in enumerate(places):
        labels[boxes[index]] = numbering.lookup(position)[settled[position].core]
    return Stitched(labels, numbering, numbering.of(np.concatenate(doubts)))


def block_boxes(shape: tuple[int, ...], block: tuple[int, ...]) -> dict[tuple[int, ...], Box]:
    """Box of each block by its index in the grid, in lexicographic order."""
    counts = [range(-(-size // edge)) for size, edge in zip(shape, block, strict=True)]
    return {
        index: tuple(
            slice(i * edge, min((i + 1) * edge, size)) for i, edge, size in zip(index, block, shape, strict=True)
        )
        for index in itertools.product(*counts)
    }


def components(connectivity: int) -> WindowEngine:
    """Connected components of whatever is not background: 1 joins by faces, the number of axes by corners too."""

    def engine(labels: Labels) -> Labels:
        found, _ = ndimage.label(labels > 0, ndimage.generate_binary_structure(labels.ndim, connectivity))
        return np.asarray(found)

    return engine


def known_ids(seed: int = 0) -> WindowEngine:
    """The true objects, under ids drawn at random for every window."""
    stream = itertools.count()

    def engine(labels: Labels) -> Labels:
        names, index = np.unique(labels, return_inverse=True)
        ids = np.random.default_rng((seed, next(stream))).permutation(len(names)).astype(np.int64) + 1
        ids[names == 0] = 0
        return np.asarray(ids[index.reshape(labels.shape)])

    return engine


def jittered_ids(reach: float, seed: int = 0) -> WindowEngine:
    """The true objects with borders that waver by up to `reach` px, differently in every window."""
    stream = itertools.count()
    named = known_ids(seed)

    def engine(labels: Labels) -> Labels:
        rng = np.random.default_rng((seed, next(stream)))
        waves = [ndimage.gaussian_filter(rng.standard_normal(labels.shape), 4) for _ in labels.shape]
        moved = tuple(
            np.clip(np.rint(place + reach * wave / np.abs(wave).max()), 0, size - 1).astype(np.intp)
            for place, wave, size in zip(np.indices(labels.shape), waves, labels.shape, strict=True)
        )
        return named(labels[moved])

    return engine


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two labelings of the same voxels compare."""

    expected: int
    """Objects in the truth."""
    found: int
    """Objects in the result."""
    merges: int
    """Objects of the result that hold voxels of several true ones."""
    splits: int
    """True objects in several pieces."""
    missed: int
    """Voxels that are background in one of the two only."""
    information: float
    """Variation of information in bits, background being one more segment (Meila, "Comparing clusterings", 2003)."""

    @property
    def equal(self) -> bool:
        """Whether both are the same partition."""
        return self.merges == self.splits == self.missed == 0 and self.expected == self.found

    @classmethod
    def of(cls, truth: Labels, result: Labels) -> Agreement:
        """Compare two labelings of the same shape."""
        return cls.from_tables([contingency(truth + 1, result + 1)])

    @classmethod
    def from_tables(cls, tables: Iterable[Contingency]) -> Agreement:
        """Compare through contingency tables of parts of a layer; background counts as label 1, objects from 2."""
        rows = [(table.a, table.b, table.shared) for table in tables]
        a, b, shared = (np.concatenate(column) for column in zip(*rows, strict=True))
        # The same pair may meet in several parts.
        order = np.lexsort((b, a))
        a, b, shared = a[order], b[order], shared[order]
        first = np.flatnonzero(np.concatenate([[True], (np.diff(a) != 0) | (np.diff(b) != 0)]))
        a, b, shared = a[first], b[first], np.add.reduceat(shared, first)
        names_a, at_a = np.unique(a, return_inverse=True)
        names_b, at_b = np.unique(b, return_inverse=True)
        area_a, area_b = np.bincount(at_a, shared), np.bincount(at_b, shared)
        objects = (a > 1) & (b > 1)
        share = shared / shared.sum()
        information = -(share * (np.log2(shared / area_a[at_a]) + np.log2(shared / area_b[at_b]))).sum()
        return cls(
            expected=int((names_a > 1).sum()),
            found=int((names_b > 1).sum()),
            merges=int((np.bincount(at_b[objects], minlength=1) > 1).sum()),
            splits=int((np.bincount(at_a[objects], minlength=1) > 1).sum()),
            missed=int(shared[(a > 1) != (b > 1)].sum()),
            information=abs(float(information)),
        )


def serpent(shape: tuple[int, int], pitch: int, width: int = 1) -> NDArray[np.uint8]:
    """One band that winds through a plane: rows of `width` px every `pitch` px, joined at alternate ends."""
    out = np.zeros(shape, np.uint8)
    for row, top in enumerate(range(0, shape[0] - width + 1, pitch)):
        out[top : top + width] = 1
        if row:
            side = slice(-width, None) if row % 2 else slice(0, width)
            out[top - pitch : top, side] = 1
    return out


def rings(shape: tuple[int, int], pitch: int) -> NDArray[np.uint8]:
    """Concentric circles, `pitch` px apart and half as wide."""
    y, x = np.indices(shape)
    radius = np.hypot(y - shape[0] / 2, x - shape[1] / 2)
    return np.asarray((radius % pitch) < pitch / 2, np.uint8)


def voronoi(shape: tuple[int, ...], seeds: int, seed: int = 0) -> NDArray[np.int64]:
    """Cells without any gap: each voxel belongs to the nearest of random points; every cell is one piece."""
    points = np.random.default_rng(seed).uniform(0, shape, (seeds, len(shape)))
    grid = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in shape), indexing="ij"), axis=-1)
    nearest = cKDTree(points).query(grid)[1].reshape(shape)
    return split_into_connected(np.asarray(nearest, np.int64) + 1)


def split_into_connected(labels: Labels) -> NDArray[np.int64]:
    """Number anew so that every id hangs together by faces: what is apart gets an id of its own."""
    out = np.zeros(labels.shape, np.int64)
    total = 0
    for name, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            parts, n = ndimage.label(labels[box] == name)
            out[box][parts > 0] = parts[parts > 0] + total
            total += n
    return out
