"""Labels before they are joined across blocks: every block has ids of its own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.storage.logs.journal import BlockRecord


class ProvisionalLabels:
    """Block labels of a run, shifted so that no two blocks share an id.

    Parameters
    ----------
    scratch : ShardedArray
        Labels as the blocks wrote them, each counting from 1.
    block : sequence of int
        Shape of a block, along the axes of the target.
    """

    def __init__(self, scratch: Any, block: Sequence[int]) -> None:
        self._scratch = scratch
        self._block = tuple(block)
        self._offsets: dict[tuple[int, ...], int] = {}
        self._count = 0
        self._lock = threading.Lock()

    def add(self, record: BlockRecord) -> NDArray[Any]:
        """Read a finished block that has labels, and return them shifted."""
        with self._lock:
            if record.block not in self._offsets:
                self._offsets[record.block] = self._count
                self._count += record.labels or 0
            offset = self._offsets[record.block]
        return _shifted(self._scratch.read_block(record.block), offset)

    def read(self, box: Sequence[slice]) -> NDArray[Any]:
        """Read a box at full resolution; slices may have steps."""
        labels = np.asarray(self._scratch.array[tuple(box)])
        with self._lock:
            offsets = dict(self._offsets)
        blocks = [np.arange(b.start, b.stop, b.step or 1) // n for b, n in zip(box, self._block, strict=True)]
        out = np.zeros(labels.shape, labels.dtype)
        for index, offset in offsets.items():
            at = [np.flatnonzero(b == i) for b, i in zip(blocks, index, strict=True)]
            if all(len(a) for a in at):
                part = tuple(slice(a[0], a[-1] + 1) for a in at)
                out[part] = _shifted(labels[part], offset)
        return out


def _shifted(labels: NDArray[Any], offset: int) -> NDArray[Any]:
    return np.where(labels > 0, labels + np.uint32(offset), 0)
