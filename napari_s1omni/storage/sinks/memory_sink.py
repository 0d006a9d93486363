"""MemorySink: keeps a result in memory, for previews and small images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tiling import ShardIndex
from napari_s1omni.storage.result.pyramid import Pyramid
from napari_s1omni.storage.result.shards import digest
from napari_s1omni.storage.sinks.sink import check_block


class MemorySink:
    """A :class:`~napari_s1omni.storage.sinks.sink.Sink` on numpy arrays.

    Parameters
    ----------
    target : LayerSpec
    block : tuple of int
        Size of a block in pixels of the target, per axis.
    """

    def __init__(self, target: LayerSpec, block: tuple[int, ...]) -> None:
        self.target = target
        self.block = block
        self.pyramid = Pyramid.of(target, block)
        self.levels: list[NDArray[Any]] = [np.zeros(level.shape, target.dtype) for level in self.pyramid.levels]
        self._inputs: dict[tuple[int, tuple[int, ...]], str] = {}

    def write_block(self, origin: tuple[int, ...], pixels: NDArray[Any]) -> str:
        """See :meth:`Sink.write_block`."""
        check_block(
            origin, pixels, shape=self.target.shape, block=self.block, dtype=self.target.dtype, name="the preview"
        )
        for level, at, part in self.pyramid.block_levels(origin, pixels):
            self._put(level, at, part)
        return digest(pixels)

    def read(self, box: tuple[slice, ...], level: int = 0) -> NDArray[Any]:
        """Return a copy of a box in pixels of a level; unwritten pixels are 0."""
        return self.levels[level][box].copy()

    def digest(self, index: ShardIndex) -> str:
        """See :meth:`Sink.digest`."""
        return digest(self.read(tuple(slice(i * b, i * b + b) for i, b in zip(index, self.block, strict=True))))

    def complete_pyramid(self, digests: Mapping[ShardIndex, str] | None = None) -> int:
        """See :meth:`Sink.complete_pyramid`."""
        made = 0
        for level, origin, inputs in self.pyramid.stale_shards(digests, lambda *shard: self._inputs.get(shard)):
            self._put(level, origin, self.pyramid.compute_shard(level, origin, self.read))
            if inputs is not None:
                self._inputs[level, origin] = inputs
            made += 1
        return made

    def _put(self, level: int, origin: tuple[int, ...], pixels: NDArray[Any]) -> None:
        box = tuple(slice(o, o + n) for o, n in zip(origin, pixels.shape, strict=True))
        self.levels[level][box] = pixels
