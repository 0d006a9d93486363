"""Memory of numbering, which is all that stitching holds of the whole layer at once.

Blocks and joins are made up: the numbers are those of a layer far larger than a disk.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.joining.stitching import number
from napari_s1omni.system.memory import own_peak


@dataclass(frozen=True, slots=True)
class Chain:
    """Joins of blocks in a row: the last objects of each with the first of the next. Made anew on each walk."""

    blocks: int
    objects: int
    """Of each block."""
    shared: int
    """Objects that each block shares with the next; at most half of `objects`."""

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        portion = max(1, (1 << 20) // self.shared)
        for first in range(0, self.blocks - 1, portion):
            start = np.arange(first, min(first + portion, self.blocks - 1), dtype=np.int64)[:, None] * self.objects
            ids = np.arange(self.shared, dtype=np.int64)[None]
            yield (start + self.objects - self.shared + ids).ravel(), (start + self.objects + ids).ravel()


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """What numbering took."""

    blocks: int
    objects_local: int
    """Objects of all blocks before joining."""
    objects: int
    """Objects after joining."""
    joined_labels: int
    """Labels that took part in a join: all that is held in memory."""
    seconds: float
    peak_bytes: int
    """Growth of the largest resident size of the process."""
    kept_bytes: int
    """Size of what stays in memory while blocks are written."""
    lookup_bytes: int
    """Size of the table of one block."""


def measure(blocks: int = 50_000, objects: int = 10_000, shared: int = 400) -> MemoryReport:
    """Number the objects of many blocks.

    Parameters
    ----------
    blocks, objects, shared
        Of a :class:`Chain`.
    """
    counts = np.full(blocks, objects, np.int64)
    before = own_peak()
    start = time.perf_counter()
    numbering = number(counts, Chain(blocks, objects, shared))
    seconds = time.perf_counter() - start
    return MemoryReport(
        blocks=blocks,
        objects_local=blocks * objects,
        objects=numbering.total,
        joined_labels=2 * len(numbering.joined),
        seconds=seconds,
        peak_bytes=own_peak() - before,
        kept_bytes=numbering.offsets.nbytes + numbering.joined.nbytes + numbering.final.nbytes,
        lookup_bytes=numbering.lookup(blocks - 1).nbytes,
    )
