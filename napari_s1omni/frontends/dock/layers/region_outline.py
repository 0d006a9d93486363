"""The outline of the region of the edited job, drawn on the canvas."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_s1omni.frontends.dock.viewer_link import ViewerLink
from napari_s1omni.frontends.napari_layers.layer_geometry import shear_vector
from napari_s1omni.frontends.napari_layers.layer_transforms import stretched_transform
from napari_s1omni.frontends.napari_layers.result_layers import RESULT_KEY
from napari_s1omni.planning.job import Box
from napari_s1omni.planning.plan import Plan

NAME = "region"
_COLOUR = "#ffcc00"
_WIDTH = 1.5
"""Least width of the line, in pixels of the image; of large regions, a two-hundredth of the shorter side."""


class RegionOutline:
    """A box around the pixels that a run will write; a drawn polygon is its own outline.

    Parameters
    ----------
    link : ViewerLink
    """

    def __init__(self, link: ViewerLink) -> None:
        self._link = link
        self.layer: Any = None
        """The layer of the outline; None where the whole layer is the region."""
        self._shown: tuple[Any, ...] = ()

    def show(self, plan: Plan | None) -> None:
        """Show the region of a plan; of None, or of a plan of the whole layer, nothing."""
        source = self._link.controller.source
        if plan is None or source is None or self._link.layer is None or not isinstance(plan.job.region, Box):
            self.clear()
            return
        grid = plan.grid
        wanted = (self._link.layer, grid.y, grid.x)
        if wanted == self._shown and self.layer in self._link.viewer.layers:
            return
        self.clear()
        if (grid.y, grid.x) == ((0, grid.extent[0]), (0, grid.extent[1])):
            return
        (top, bottom), (left, right) = grid.y, grid.x
        # Pixels begin half a pixel before their centre.
        corners = np.array([[top, left], [top, right], [bottom, right], [bottom, left]]) - 0.5
        flat = [source.axes.index(a) for a in "yx"]
        ndim = self._link.layer.ndim
        place = stretched_transform(self._link.layer, flat, np.ones(ndim), np.zeros(ndim))
        # Lines, not a shape: a shape could be moved, and would be one of those that the user drew.
        sides = np.stack([corners, np.roll(corners, -1, axis=0) - corners], axis=1)
        self.layer = self._link.add(
            sides,
            "vectors",
            vector_style="line",
            name=NAME,
            edge_color=_COLOUR,
            edge_width=max(_WIDTH, min(bottom - top, right - left) / 200),
            metadata={RESULT_KEY: {NAME: True}},
            units=[self._link.layer.units[i] for i in flat],
            axis_labels=[self._link.layer.axis_labels[i] for i in flat],
            **{**place, "shear": shear_vector(place["shear"])},
        )
        self._shown = wanted

    def clear(self) -> None:
        """Remove the outline."""
        self._link.remove(self.layer)
        self.layer, self._shown = None, ()
