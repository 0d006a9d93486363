"""Sizes and places of one block: its field box, its part of the tile lattice, its pixels in the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Block, ShardIndex
from napari_s1omni.planning.plan import Plan


@dataclass(frozen=True, slots=True)
class BlockGeometry:
    """Where the pixels of a block lie, in its own arrays and in the target."""

    plan: Plan
    block: Block

    @property
    def index(self) -> ShardIndex:
        """Position of the block along the axes of the target."""
        return self.plan.shard_index(self.block.index)

    @property
    def origin(self) -> tuple[int, ...]:
        """First pixel of the block in the target, along the target's axes."""
        return tuple(i * n for i, n in zip(self.index, self.plan.block_shape, strict=True))

    @property
    def field_shape(self) -> tuple[int, int, int]:
        """Size (D, H, W) of the field box, including its halo, in target px."""
        fy, fx = self.plan.grid.factor
        block = self.block
        z, y, x = (span[1] - span[0] for span in (block.field_z, block.field_y, block.field_x))
        return z, y * fy, x * fx

    @property
    def lattice_shape(self) -> tuple[int, int, int]:
        """Planes, rows and columns of the block in its seam map, where each step has one value."""
        z, y, x = (span[1] - span[0] for span in (self.block.z, self.block.y, self.block.x))
        return z, -(-y // self.plan.grid.step), -(-x // self.plan.grid.step)

    def to_target(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Crop an array over the field box to the block, and bring it to the target's axes.

        Parameters
        ----------
        pixels : ndarray, (C, D, H, W)
            Over the field box, in target px.

        Returns
        -------
        ndarray
            C-contiguous, in the axes of the target; its size along t is 1.
        """
        fy, fx = self.plan.grid.factor
        block = self.block
        z, y, x = block.z[0] - block.field_z[0], block.y[0] - block.field_y[0], block.x[0] - block.field_x[0]
        depth, height, width = (span[1] - span[0] for span in (block.z, block.y, block.x))
        own = pixels[None, :, z : z + depth, y * fy : (y + height) * fy, x * fx : (x + width) * fx]
        missing = tuple(i for i, axis in enumerate("tczyx") if axis not in self.plan.target.axes)
        return np.ascontiguousarray(own.squeeze(missing))

    def map_to_target(self, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Bring a map (D, H, W) over the field box to the target's axes, the same in every channel of the group."""
        channels = self.plan.target.size("c") // self.plan.grid.groups
        return self.to_target(np.broadcast_to(values, (channels, *values.shape)))
