"""The tile lattice of a run over its result, coloured by state or quality."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from napari_s1omni.frontends.dock.view_geometry import current_point
from napari_s1omni.frontends.dock.viewer_link import ViewerLink
from napari_s1omni.frontends.napari_layers.layer_geometry import shear_vector
from napari_s1omni.frontends.napari_layers.layer_transforms import stretched_transform
from napari_s1omni.frontends.napari_layers.result_layers import RESULT_KEY
from napari_s1omni.frontends.session.background import BackgroundQueue
from napari_s1omni.frontends.session.run import Run
from napari_s1omni.frontends.views.tile_colours import Quantity
from napari_s1omni.frontends.views.tile_states import TileInfo

NAME = "tiles"


class TileOverlay:
    """A small image layer, a few pixels per tile, scaled to cover the result.

    Parameters
    ----------
    link : ViewerLink
    background : BackgroundQueue
    """

    def __init__(self, link: ViewerLink, background: BackgroundQueue) -> None:
        self._link = link
        self._background = background
        self.layer: Any = None
        self.run: Run | None = None
        self._result: Any = None
        self._by: Quantity = "state"

    def show(self, run: Run, result: Any, by: Quantity) -> None:
        """Show the tiles of a run over its layer."""
        self.clear()
        self.run, self._result, self._by = run, result, by
        self._draw(lambda image: self._add_layer(run, image))

    def refresh(self, by: Quantity | None = None) -> None:
        """Update the colours, perhaps by another quantity."""
        self._by = by or self._by
        if self.visible:
            self._draw(self._update)

    def _draw(self, then: Callable[[Any], None]) -> None:
        """Colour the lattice, which may be large, in the background."""
        run, by, plane = self.run, self._by, self.plane()
        if run is None:
            return

        def done(image: Any) -> None:
            if self.run is run and by == self._by:
                then(image)

        self._background.submit(lambda: run.tiles.colour_image(by, *plane), done)

    def _update(self, image: Any) -> None:
        if self.visible:
            self.layer.data = image

    def _add_layer(self, run: Run, image: Any) -> None:
        result = self._result
        if self.visible:
            self._update(image)
            return
        if result not in self._link.viewer.layers:
            return
        self.layer = self._link.add(
            image,
            "image",
            rgb=True,
            name=f"{NAME} · {result.name}",
            metadata={RESULT_KEY: {NAME: str(run.path)}},
            interpolation2d="nearest",
            blending="translucent",
            **self._transform(image.shape),
        )

    @property
    def visible(self) -> bool:
        """Whether its layer is in the viewer."""
        return self.layer is not None and self.layer in self._link.viewer.layers

    def clear(self) -> None:
        """Remove the overlay."""
        self._link.remove(self.layer)
        self.layer = self.run = None

    def tile_at(self, world: Any) -> TileInfo | None:
        """Return the tile at a point in world coordinates."""
        if self.run is None or self._result is None or self._result not in self._link.viewer.layers:
            return None
        axes, grid = self.run.pyramid.display.axes, self.run.plan.grid
        at = dict(zip(axes, self._result.world_to_data(np.asarray(world)[-self._result.ndim :]), strict=False))
        y = at["y"] / grid.factor[0] + grid.y[0]
        x = at["x"] / grid.factor[1] + grid.x[0]
        return self.run.tiles.at(y, x, *self.plane())

    def plane(self) -> tuple[int, int, int]:
        """Return the displayed plane and time point of the source, and the channel group."""
        if self.run is None or self._result is None:
            return 0, 0, 0
        axes, grid = self.run.pyramid.display.axes, self.run.plan.grid
        at = dict(zip(axes, current_point(self._link.viewer, self._result), strict=False))
        z = grid.z[0] + round(at.get("z", 0))
        t = grid.t[0] + round(at.get("t", 0))
        target, group = self.run.plan.target, 0
        if grid.groups > 1:
            group = round(at.get("c", 0)) // (target.size("c") // grid.groups)
        z, t = min(max(z, grid.z[0]), grid.z[1] - 1), min(max(t, grid.t[0]), grid.t[1] - 1)
        return z, t, min(max(group, 0), grid.groups - 1)

    def _transform(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return the layer transform that aligns the outer edges of the overlay and the result."""
        result, run = self._result, self.run
        if run is None:
            return {}
        grid = run.plan.grid
        flat = [run.pyramid.display.axes.index(a) for a in "yx"]
        cells = run.tiles.cells
        stretch = np.array([grid.step * f * c / n for f, c, n in zip(grid.factor, cells, shape[:2], strict=True)])
        factor = np.ones(result.ndim)
        factor[flat] = stretch
        # Cells begin at the lattice, at most a step before the result; translations are those of pixel centres.
        before = np.zeros(result.ndim)
        corner, start = run.tiles.corner, (grid.y[0], grid.x[0])
        before[flat] = [(s - c) * f for s, c, f in zip(start, corner, grid.factor, strict=True)]
        place = stretched_transform(result, flat, factor, (factor - 1) / 2 - before)
        return {
            **place,
            "shear": shear_vector(place["shear"]),
            "units": [result.units[i] for i in flat],
            "axis_labels": [result.axis_labels[i] for i in flat],
        }
