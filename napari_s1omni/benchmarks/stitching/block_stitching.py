"""Segment a layer block by block and stitch the labels, all in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.benchmarks.stitching.window_engines import Labels, WindowEngine
from napari_s1omni.joining.stitching import (
    BlockLabels,
    Box,
    MatchRule,
    Numbering,
    block_labels,
    match_labels,
    neighbour_pairs,
    number_objects,
    window,
)


@dataclass(frozen=True, slots=True)
class Stitched:
    """A whole layer, stitched from its blocks."""

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
    """Label the window of every block with `engine` and stitch the labels.

    Parameters
    ----------
    truth : ndarray of int
        True labels of the whole layer.
    engine : callable
        Labels one window.
    block, halo : tuple of int
        Size of a block and of its halo, in pixels per axis.
    order : callable
        Permutes blocks and pairs of neighbours; the result must not depend on their order.
    rule : MatchRule, optional
        Thresholds for joining labels.
    """
    boxes = block_boxes(truth.shape, block)
    places = list(boxes)
    settled: dict[int, BlockLabels] = {}
    for position in order(list(range(len(places)))):
        box = boxes[places[position]]
        settled[position] = block_labels(engine(truth[window(box, halo, truth.shape)]), box, halo, truth.shape)
    counts = [settled[position].count for position in range(len(places))]
    before = np.concatenate([[0], np.cumsum(counts)])
    neighbours = list(neighbour_pairs(tuple(i + 1 for i in places[-1]), halo))
    joins, doubts = [], [np.zeros((0, 2), np.int64)]
    for k in order(list(range(len(neighbours)))):
        i, j, offset = neighbours[k]
        back = tuple(-o for o in offset)
        across = tuple(axis for axis, step in enumerate(offset) if step)
        found = match_labels(settled[i].slabs[offset], settled[j].slabs[back], counts[i], counts[j], rule, across)
        joins.append((found.joins["a"] + before[i] - 1, found.joins["b"] + before[j] - 1))
        doubts.append(np.stack([found.uncertain["a"] + before[i] - 1, found.uncertain["b"] + before[j] - 1], axis=1))
    numbering = number_objects(counts, joins)
    labels = np.zeros(truth.shape, np.int64)
    for position, index in enumerate(places):
        labels[boxes[index]] = numbering.lookup(position)[settled[position].core]
    return Stitched(labels, numbering, numbering.final_ids(np.concatenate(doubts)))


def block_boxes(shape: tuple[int, ...], block: tuple[int, ...]) -> dict[tuple[int, ...], Box]:
    """Return the box of each block by its grid index, in lexicographic order."""
    counts = [range(-(-size // edge)) for size, edge in zip(shape, block, strict=True)]
    return {
        index: tuple(
            slice(i * edge, min((i + 1) * edge, size)) for i, edge, size in zip(index, block, shape, strict=True)
        )
        for index in itertools.product(*counts)
    }
