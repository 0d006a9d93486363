"""Memory for numbering objects, the only step of stitching that holds something of the whole layer.

Blocks and joins are synthetic, so the layer can be larger than any disk.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.joining.stitching import number_objects
from napari_s1omni.system.memory import own_peak


@dataclass(frozen=True, slots=True)
class ChainedJoins:
    """Joins along a row of blocks: the last objects of each with the first of the next; computed on each iteration."""

    blocks: int
    objects: int
    """Objects per block."""
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
    """Time and memory of numbering."""

    blocks: int
    objects_local: int
    """Objects of all blocks before joining."""
    objects: int
    """Objects after joining."""
    joined_labels: int
    """Labels that take part in a join; only these are held in memory."""
    seconds: float
    peak_bytes: int
    """Growth of the peak resident size of the process."""
    kept_bytes: int
    """Bytes that stay in memory while blocks are written."""
    lookup_bytes: int
    """Bytes of the lookup table of one block."""


def measure(blocks: int = 50_000, objects: int = 10_000, shared: int = 400) -> MemoryReport:
    """Number the objects of many blocks.

    Parameters
    ----------
    blocks, objects, shared : int
        See :class:`ChainedJoins`.
    """
    counts = np.full(blocks, objects, np.int64)
    before = own_peak()
    start = time.perf_counter()
    numbering = number_objects(counts, ChainedJoins(blocks, objects, shared))
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
