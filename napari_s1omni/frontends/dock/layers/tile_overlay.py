"""Overlay: the lattice of a run's tiles over its result, coloured by what is known of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from napari_s1omni.frontends.dock.viewer_link import MARK, ViewerLink
from napari_s1omni.frontends.session.run import Run
from napari_s1omni.frontends.views.tile_states import Quantity, TileInfo

NAME = "tiles"


class TileOverlay:
    """One small picture, a few px per tile, stretched over the result.

    Parameters
    ----------
    link : ViewerLink
    ask : callable
        Does something away from the thread of the widgets.
    """

    def __init__(self, link: ViewerLink, ask: Callable[[Callable[[], Any]], None]) -> None:
        self._link = link
        self._ask = ask
        self.layer: Any = None
        self.run: Run | None = None
        self._result: Any = None
        self._by: Quantity = "state"

    def show(self, run: Run, result: Any, by: Quantity) -> None:
        """Show the tiles of a run over its layer."""
        self.clear()
        self.run, self._result, self._by = run, result, by
        self._draw(lambda picture: self._add(run, picture))

    def refresh(self, by: Quantity | None = None) -> None:
        """Show what is known now."""
        self._by = by or self._by
        if self.visible:
            self._draw(self._renew)

    def _draw(self, then: Callable[[Any], None]) -> None:
        """Colour the lattice elsewhere, for it may be large, and hand the picture on."""
        run, by, plane = self.run, self._by, self.plane()
        if run is None:
            return

        def work() -> None:
            picture = run.tiles.picture(by, *plane)
            self._link.controller.deliver(lambda: then(picture) if self.run is run and by == self._by else None)

        self._ask(work)

    def _renew(self, picture: Any) -> None:
        if self.visible:
            self.layer.data = picture

    def _add(self, run: Run, picture: Any) -> None:
        result = self._result
        if self.visible:
            self._renew(picture)
            return
        if result not in self._link.viewer.layers:
            return
        self.layer = self._link.add(
            picture,
            "image",
            rgb=True,
            name=f"{NAME} · {result.name}",
            metadata={MARK: {NAME: str(run.path)}},
            interpolation2d="nearest",
            blending="translucent",
            **self._place(picture.shape),
        )

    @property
    def visible(self) -> bool:
        """Whether its layer is in the viewer."""
        return self.layer is not None and self.layer in self._link.viewer.layers

    def clear(self) -> None:
        """Take it away."""
        self._link.remove(self.layer)
        self.layer = self.run = None

    def tile_at(self, world: Any) -> TileInfo | None:
        """Tell about the tile at a point of the world."""
        if self.run is None or self._result is None or self._result not in self._link.viewer.layers:
            return None
        show, grid = self.run.levels.show, self.run.plan.grid
        at = dict(zip(show.axes, self._result.world_to_data(np.asarray(world)[-self._result.ndim :]), strict=False))
        y = at["y"] / grid.factor[0] + grid.y[0]
        x = at["x"] / grid.factor[1] + grid.x[0]
        return self.run.tiles.at(y, x, *self.plane())

    def plane(self) -> tuple[int, int, int]:
        """Plane and time point of the source that the viewer shows, and the channel group."""
        if self.run is None or self._result is None:
            return 0, 0, 0
        show, grid = self.run.levels.show, self.run.plan.grid
        point = self._result.world_to_data(np.array(self._link.viewer.dims.point, float)[-self._result.ndim :])
        at = dict(zip(show.axes, point, strict=False))
        z = grid.z[0] + round(at.get("z", 0))
        t = grid.t[0] + round(at.get("t", 0))
        target, group = self.run.plan.target, 0
        if grid.groups > 1:
            group = round(at.get("c", 0)) // (target.size("c") // grid.groups)
        z, t = min(max(z, grid.z[0]), grid.z[1] - 1), min(max(t, grid.t[0]), grid.t[1] - 1)
        return z, t, min(max(group, 0), grid.groups - 1)

    def _place(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Where the picture lies: its first px begins where the first px of the result begins."""
        result, run = self._result, self.run
        if run is None:
            return {}
        grid = run.plan.grid
        flat = [run.levels.show.axes.index(a) for a in "yx"]
        cells = run.tiles.cells
        stretch = np.array([grid.step * f * c / n for f, c, n in zip(grid.factor, cells, shape[:2], strict=True)])
        scale = np.array(result.scale)[flat]
        linear = np.array(result.affine.linear_matrix)[np.ix_(flat, flat)] @ np.array(result.rotate)[np.ix_(flat, flat)]
        offset = np.array(result.translate)[flat]
        # Centres: px 0 of the picture lies half of its size beyond the corner of px 0 of the result.
        shift = (stretch - 1) / 2 * scale
        rotate = np.array(result.rotate)[np.ix_(flat, flat)]
        return {
            "scale": scale * stretch,
            "translate": offset + rotate @ shift if linear.size else offset,
            "rotate": rotate,
            "units": [result.units[i] for i in flat],
            "axis_labels": [result.axis_labels[i] for i in flat],
        }
