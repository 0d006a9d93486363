"""NullSink: discards every block, to try out very large runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tiling import ShardIndex
from napari_s1omni.storage.sinks.sink import check_block


class NullSink:
    """A :class:`~napari_s1omni.storage.sinks.sink.Sink` that discards everything.

    Parameters
    ----------
    target : LayerSpec
    block : tuple of int
        Size of a block in pixels of the target, per axis.
    """

    def __init__(self, target: LayerSpec, block: tuple[int, ...]) -> None:
        self.target = target
        self.block = block
        self.levels: tuple[Any, ...] = ()

    def write_block(self, origin: tuple[int, ...], pixels: NDArray[Any]) -> str:
        """Check a block and discard it."""
        check_block(origin, pixels, shape=self.target.shape, block=self.block, dtype=self.target.dtype, name="nothing")
        return ""

    def read(self, box: tuple[slice, ...], level: int = 0) -> NDArray[Any]:
        """Return zeros."""
        return np.zeros([part.stop - part.start for part in box], self.target.dtype)

    def digest(self, index: ShardIndex) -> str:
        """Return an empty digest."""
        return ""

    def complete_pyramid(self, digests: Mapping[ShardIndex, str] | None = None) -> int:
        """Do nothing."""
        return 0
