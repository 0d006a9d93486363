"""The surroundings of a tile, for engines whose thought asks for a margin around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Span
from napari_s1omni.core.unknown_pixels import fill_unknown
from napari_s1omni.execution.pipeline.tile_input import TileInput
from napari_s1omni.planning.plan import Plan

ReadPlane = Callable[[int, int, int, Span, Span], NDArray[np.float32]]
"""(t, z, group, rows, columns) to float32 (3, h, w) in model range, NaN where it is unknown."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Reads tiles with a margin. Pixels outside the job's region are read too: a tile must not depend on the region."""

    plan: Plan
    read: ReadPlane

    def image(self, tile: TileInput, margin: int) -> NDArray[np.float32]:
        """Return a tile with `margin` source px on each side, float32 (3, tile_size + 2 margin, likewise).

        NaN beyond the source's own edge: only there does an object end because the image does.

        Raises
        ------
        SourceError
            If the source cannot be read, even after retries.
        """
        if not margin:
            return tile.image
        grid = self.plan.grid
        spans, pads = [], []
        for index, extent in zip(tile.tile.index, grid.extent, strict=True):
            first, last = index * grid.step - margin, index * grid.step + grid.tile_size + margin
            span = max(0, first), min(extent, last)
            spans.append(span)
            pads.append((span[0] - first, last - span[1]))
        image = fill_view(self.plan, self.read(tile.t, tile.z, tile.group, spans[0], spans[1]), tile.group)
        return np.pad(image, [(0, 0), *pads], constant_values=np.nan)


def fill_view(plan: Plan, view: NDArray[np.float32], group: int) -> NDArray[np.float32]:
    """Fill the pixels of a view of a channel group, float32 (3, h, w), that are NaN."""
    unknown = np.isnan(view)
    if not unknown.any():
        return view
    lost = np.full((len(plan.groups[group]), 1, 1), np.nan)
    ground = plan.to_model(lost, group)
    same = (unknown == unknown[:1]).all()
    return fill_unknown(np.where(unknown, ground, view), unknown[:1] if same else unknown)
