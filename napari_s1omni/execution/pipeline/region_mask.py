"""The part of a block that lies in a polygon or mask region. Nothing outside it is read or generated."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tiling import Block, Span
from napari_s1omni.planning.job import Shape
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.regions.region import Region, open_region


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

    def plane(self, block: Block, z: int, y: Span, x: Span) -> NDArray[np.bool_] | None:
        """Return which pixels of a plane lie inside: bool (h, w) in source px; None if all of them do."""
        if self.region is None:
            return None
        mask = self.region.mask(block.t, (z, z + 1), y, x)[0]
        return None if mask.all() else mask

    def field(self, block: Block) -> NDArray[np.bool_] | None:
        """Return which pixels of a block's field box lie inside: bool (D, H, W) in target px; None if all do."""
        if self.region is None:
            return None
        mask = self.region.mask(block.t, block.field_z, block.field_y, block.field_x)
        if mask.all():
            return None
        fy, fx = self.factor
        return mask.repeat(fy, axis=1).repeat(fx, axis=2)


@functools.lru_cache(maxsize=4)
def _open_once(shape: Shape, source: LayerSpec, digest: str) -> Region:
    """Open a region once per process and not once per lease: finding the bounds of a mask takes time."""
    return open_region(shape, source)
