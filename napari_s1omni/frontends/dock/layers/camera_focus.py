"""Tells runs where the camera looks, so that they process that part first."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import QTimer

from napari_s1omni.frontends.dock.view_geometry import view_centre
from napari_s1omni.frontends.session.background import BackgroundQueue
from napari_s1omni.frontends.session.run import Run

_REST = 700
"""Milliseconds without camera movement before runs are told."""


class CameraFocus:
    """Sends the centre of the view to runs.

    Parameters
    ----------
    viewer : napari.Viewer
    shown : callable
        Returns the runs that work and have a layer in the viewer, with that layer.
    background : BackgroundQueue
    """

    def __init__(self, viewer: Any, shown: Callable[[], list[tuple[Run, Any]]], background: BackgroundQueue) -> None:
        self._viewer = viewer
        self._shown = shown
        self._background = background
        self._rest = QTimer()
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST)
        self._rest.timeout.connect(self._send)
        camera = viewer.scene.camera.events
        self._events = (camera.center, camera.zoom, viewer.dims.events.current_step)
        for event in self._events:
            event.connect(self._on_move)

    def close(self) -> None:
        """Stop listening to the camera."""
        self._rest.stop()
        for event in self._events:
            event.disconnect(self._on_move)

    def send_soon(self) -> None:
        """Tell the runs once the camera rests."""
        self._rest.start()

    def _on_move(self, event: Any = None) -> None:
        if self._shown():
            self.send_soon()

    def _send(self) -> None:
        for run, layer in self._shown():
            self._background.submit(partial(run.focus, self._source_point(run, layer)))

    def _source_point(self, run: Run, layer: Any) -> tuple[float, float, float, float]:
        """Return the centre of the view as (t, z, y, x) in source pixels."""
        at = dict(zip(run.pyramid.display.axes, view_centre(self._viewer, layer), strict=False))
        grid, (fy, fx) = run.plan.grid, run.plan.grid.factor
        first = {"t": grid.t[0], "z": grid.z[0], "y": grid.y[0], "x": grid.x[0]}
        factor = {"t": 1, "z": 1, "y": fy, "x": fx}
        t, z, y, x = (float(at.get(a, 0.0) / factor[a] + first[a]) for a in "tzyx")
        return t, z, y, x
