"""Commit: where in the result a block's px go, and which of its px they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Block
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.sinks.sink import BlockIndex

Index5 = tuple[int, int, int, int, int]


def target_index(plan: Plan, index: Index5) -> BlockIndex:
    """Reduce a block's position (t, group, z, y, x) to the axes that the target has."""
    return tuple(i for axis, i in zip("tczyx", index, strict=True) if axis in plan.target.axes)


def grid_index(plan: Plan, index: BlockIndex) -> Index5:
    """Inverse of :func:`target_index`."""
    found = dict(zip(plan.target.axes, index, strict=True))
    t, group, z, y, x = (found.get(axis, 0) for axis in "tczyx")
    return t, group, z, y, x


def block_shape(plan: Plan) -> tuple[int, ...]:
    """Size of a block in target px, along the target's axes."""
    fy, fx = plan.grid.factor
    sizes = {
        "t": 1,
        "c": plan.target.size("c") // plan.grid.groups,
        "z": plan.grid.depth,
        "y": plan.grid.block_size * fy,
        "x": plan.grid.block_size * fx,
    }
    return tuple(sizes[axis] for axis in plan.target.axes)


def field_shape(plan: Plan, block: Block) -> tuple[int, int, int]:
    """Size (D, H, W) of a block's field box, its halo included, in target px."""
    fy, fx = plan.grid.factor
    z, y, x = (span[1] - span[0] for span in (block.field_z, block.field_y, block.field_x))
    return z, y * fy, x * fx


def cells_shape(plan: Plan, block: Block) -> tuple[int, int, int]:
    """Planes, rows and columns of the cells of the lattice that a block writes."""
    z, y, x = (span[1] - span[0] for span in (block.z, block.y, block.x))
    return z, -(-y // plan.grid.step), -(-x // plan.grid.step)


def origin(plan: Plan, block: Block) -> tuple[int, ...]:
    """First px of a block in the target, along the target's axes."""
    return tuple(i * n for i, n in zip(target_index(plan, block.index), block_shape(plan), strict=True))


def core(plan: Plan, block: Block, pixels: NDArray[Any]) -> NDArray[Any]:
    """Cut a block's own px (C, D, H, W) out of those of its field box."""
    fy, fx = plan.grid.factor
    z, y, x = block.z[0] - block.field_z[0], block.y[0] - block.field_y[0], block.x[0] - block.field_x[0]
    depth, height, width = (b[1] - b[0] for b in (block.z, block.y, block.x))
    return pixels[:, z : z + depth, y * fy : (y + height) * fy, x * fx : (x + width) * fx]


def to_target_axes(plan: Plan, pixels: NDArray[Any]) -> NDArray[Any]:
    """Bring (C, D, H, W) to the target's axes, for one time point."""
    full = pixels[None]
    keep = tuple(i for i, axis in enumerate("tczyx") if axis not in plan.target.axes)
    return np.ascontiguousarray(full.squeeze(keep))
