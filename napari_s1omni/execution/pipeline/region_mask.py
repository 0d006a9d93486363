"""The part of a block that lies in a polygon or mask region.

Tiles are generated where they touch the region or, for objects, its halo: an object at the region's edge is seen whole,
as in a run of the whole layer. Pixels outside of the region are 0.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tiling import Block, TileGrid, TilePlace
from napari_s1omni.planning.cost import RegionTiles
from napari_s1omni.planning.job import Shape
from napari_s1omni.planning.plan import Plan
from napari_s1omni.planning.tile_sharing import TileSharing
from napari_s1omni.storage.regions.region import Region, open_region

_COUNTED = 2**27
"""Pixels of a region in which all tiles are counted for the forecast; it takes about a second."""


@dataclass(frozen=True, slots=True)
class RegionMask:
    """The region of a plan as masks over planes and blocks."""

    factor: tuple[int, int]
    """Target px per source px, along y and x."""
    region: Region | None
    """None for box regions, which blocks follow anyway."""

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """Open the region of a plan's job, in any process that can read its file.

        Raises
        ------
        SourceError, PlanError
            If it cannot be opened any more.
        """
        shape = plan.job.region
        region = _open_once(shape, plan.source, plan.region_digest) if isinstance(shape, Shape) else None
        return cls(plan.grid.factor, region)

    def excludes(self, block: Block) -> bool:
        """Whether a block writes no pixel of the region, so that nothing has to be generated for it."""
        return self.region is not None and self.region.where(block.t, block.z, block.y, block.x) == "outside"

    def tiles(self, grid: TileGrid, block: Block, z: int) -> NDArray[np.bool_] | None:
        """Return which tiles of a plane of a block are generated: bool (rows, columns); None if all of them are."""
        if self.region is None:
            return None
        y, x = grid.read_box(block)
        margin, (height, width) = grid.halo, grid.extent
        top, left = max(0, y[0] - margin), max(0, x[0] - margin)
        seen = (top, min(height, y[1] + margin)), (left, min(width, x[1] + margin))
        mask = self.region.mask(block.t, (z, z + 1), *seen)[0]
        rows, cols = grid.tile_rows(block.field_y), grid.tile_cols(block.field_x)
        found = np.zeros((len(rows), len(cols)), bool)
        for i, row in enumerate(rows):
            first, last = grid.tile(row, 0).y
            strip = mask[max(0, first - margin - top) : last + margin - top].any(axis=0)
            for j, col in enumerate(cols):
                first, last = grid.tile(0, col).x
                found[i, j] = strip[max(0, first - margin - left) : last + margin - left].any()
        return None if found.all() else found

    def field(self, block: Block) -> NDArray[np.bool_] | None:
        """Return which pixels of a block's field box lie inside: bool (D, H, W) in target px; None if all do."""
        if self.region is None:
            return None
        mask = self.region.mask(block.t, block.field_z, block.field_y, block.field_x)
        if mask.all():
            return None
        fy, fx = self.factor
        return mask.repeat(fy, axis=1).repeat(fx, axis=2)


def count_tiles(plan: Plan) -> RegionTiles | None:
    """Count the tiles that a run of a polygon or mask region generates, as it will count them; None for a box.

    Of a very large region, some blocks are counted for all.
    """
    region, grid = RegionMask.of(plan), plan.grid
    if region.region is None:
        return None
    sharing = TileSharing(grid, region.excludes)
    run = read = 0
    blocks = len(grid) // grid.groups
    px = (grid.block_size + 2 * grid.halo) ** 2 * (grid.depth + 2 * grid.halo_z)
    counted = range(0, blocks, math.ceil(blocks * px / max(_COUNTED, px)))
    one_group = dataclasses.replace(grid, groups=1)
    for number in counted:
        block = grid.block(one_group.unravel(number))
        if region.excludes(block):
            continue
        (top, bottom), (left, right) = grid.read_box(block)
        rows, cols = grid.tile_rows(block.field_y), grid.tile_cols(block.field_x)
        for z in range(*block.field_z):
            found = region.tiles(grid, block, z)
            places = np.argwhere(np.ones((len(rows), len(cols)), bool) if found is None else found).tolist()
            read += (bottom - top) * (right - left) if places else 0
            # Each tile counts for one of its blocks.
            cells = (TilePlace(block.t, z, block.group, rows[i], cols[j]) for i, j in places)
            run += sum(sharing.owner(place) == block.index for place in cells)
    share = grid.groups * blocks / len(counted)
    return RegionTiles(round(run * share), round(read * share))


@functools.lru_cache(maxsize=4)
def _open_once(shape: Shape, source: LayerSpec, digest: str) -> Region:
    """Open a region once per process and not once per lease: finding the bounds of a mask takes time."""
    return open_region(shape, source)
