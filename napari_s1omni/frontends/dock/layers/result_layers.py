"""ResultLayers: a layer for each run, there from its first second and filling in while one looks."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer

from napari_s1omni.errors import S1OmniError
from napari_s1omni.frontends.dock.layers.live_layers import create
from napari_s1omni.frontends.dock.viewer_link import MARK, ViewerLink
from napari_s1omni.frontends.dock.widgets.progress import ProgressBars
from napari_s1omni.frontends.napari_layers.layers import Located, appearance, metadata, name_of, place, stored_place
from napari_s1omni.frontends.session.background import BackgroundQueue
from napari_s1omni.frontends.session.run import Run
from napari_s1omni.frontends.views.tile_cache import TileCache
from napari_s1omni.results.result import Result
from napari_s1omni.results.tables import Columns

_REFRESH = 0.5
"""Seconds between two refreshes of a layer at least."""
_ARRIVAL = 150
"""Milliseconds in which px that were fetched are gathered, so that they are shown together."""
_THUMBNAIL = 5.0
"""Seconds between two thumbnails at least."""
_MEASURED = 2**28
"""Bytes of a result up to which its objects are measured without being asked."""
_FOCUS = 700
"""Milliseconds that the camera must rest before a run is told where it looks."""


class ResultLayers:
    """Shows runs in the viewer.

    Parameters
    ----------
    link : ViewerLink
    """

    def __init__(self, link: ViewerLink) -> None:
        self._link = link
        self.layers: dict[Run, Any] = {}
        """Run -> its layer, while that is in the viewer."""
        self._places: dict[Run, dict[str, Any]] = {}
        """Run -> where its layer stands, for when its source layer is not the chosen one."""
        self.make_bars = ProgressBars
        self._bars: dict[Run, ProgressBars] = {}
        self._refreshed: dict[Run, float] = {}
        self._pictured: dict[Run, float] = {}
        self._arrived: set[Run] = set()
        self._gathering = QTimer()
        self._gathering.setSingleShot(True)
        self._gathering.setInterval(_ARRIVAL)
        self._gathering.timeout.connect(self._show_arrived)
        self._errands = BackgroundQueue("asking a run", link.controller.tell)
        self._rest = QTimer()
        self._rest.setSingleShot(True)
        self._rest.setInterval(_FOCUS)
        self._rest.timeout.connect(self._focus)
        camera, dims = link.viewer.scene.camera.events, link.viewer.dims.events
        self._watched = (camera.center, camera.zoom, dims.current_step)
        for event in self._watched:
            event.connect(self._moved)

    def close(self) -> None:
        """Take bars and listeners away; runs go on."""
        self._rest.stop()
        self._gathering.stop()
        for event in self._watched:
            event.disconnect(self._moved)
        for run in list(self._bars):
            self._end_bars(run)
        self._errands.close()
        for run in self.layers:
            if run.levels.resident is not None:
                run.levels.resident.close()

    def ask(self, work: Any) -> None:
        """Do what may wait for a disk away from the thread of the widgets."""
        self._errands.do(work)

    def foresee(self, run: Run) -> None:
        """Read where the result of a run that was found stands; from a thread that may wait for a disk."""
        self._places[run] = stored_place(run.plan, run.levels.show.axes, run.path)

    def add(self, run: Run, located: Located | None) -> None:
        """Show a run that has begun or waits."""
        levels = run.levels
        labels = run.plan.target.kind == "labels"
        options: dict[str, Any] = {"metadata": metadata(run.plan, run.path, levels), **appearance(run.plan)}
        if located is not None:
            self._places[run] = place(located, run.plan, levels.show)
            options["name"] = name_of(run.plan, located.view.name)
            source = self._link.layer
            if run.plan.job.operation.type == "super_resolution" and source is not None and not run.plan.target.rgb:
                options |= {"contrast_limits": source.contrast_limits, "colormap": source.colormap.name}
        else:
            options["name"] = name_of(run.plan, run.path.stem)
        options |= self._places.get(run) or stored_place(run.plan, levels.show.axes)
        data = levels.data
        options["multiscale"] = len(data) > 1
        layer = create(data if len(data) > 1 else data[0], "labels" if labels else "image", **options)
        if levels.resident is None:
            levels.resident = TileCache(levels, lambda: self._link.controller.deliver(lambda: self._note_arrival(run)))
        if labels:
            layer.opacity = 0.6
        self._link.insert(layer)
        self.layers[run] = layer
        run.changed.connect(self._changed)
        run.ended.connect(self._ended)
        self._rest.start()

    def layer_of(self, run: Run) -> Any:
        """Return the layer of a run, or None where it was removed."""
        layer = self.layers.get(run)
        return layer if layer is not None and layer in self._link.viewer.layers else None

    def _changed(self, run: Run) -> None:
        self._refresh(run)
        self._show_progress(run)

    def _ended(self, run: Run) -> None:
        self._end_bars(run)
        layer = self.layer_of(run)
        if layer is not None:
            layer.metadata[MARK]["state"] = run.status.state
        self._refresh(run, now=True)
        target = run.plan.target
        if target.kind == "labels" and run.status.state == "complete" and target.nbytes <= _MEASURED:
            self.ask(lambda: self._measure(run))

    def _measure(self, run: Run) -> None:
        """Measure the objects of a small result, as features of its layer; larger ones are measured on demand."""
        try:
            columns = Result.open(run.path).table()
        except (S1OmniError, OSError):
            # The table is an extra here; asked for, it says why it cannot be made.
            return
        self._link.controller.deliver(lambda: self._describe(run, columns))

    def _describe(self, run: Run, columns: Columns) -> None:
        layer = self.layer_of(run)
        if layer is not None:
            layer.features = features(columns)

    def _note_arrival(self, run: Run) -> None:
        self._arrived.add(run)
        if not self._gathering.isActive():
            self._gathering.start()

    def _show_arrived(self) -> None:
        """Show px that were fetched."""
        for run in self._arrived:
            layer = self.layer_of(run)
            if layer is not None and layer.visible:
                layer.refresh(extent=False, thumbnail=False, highlight=False)
        self._arrived.clear()

    def _refresh(self, run: Run, now: bool = False) -> None:
        layer, time_now = self.layer_of(run), time.monotonic()
        if layer is None or (not now and time_now - self._refreshed.get(run, 0) < _REFRESH):
            return
        self._refreshed[run] = time_now
        if layer.visible:
            pictured = now or time_now - self._pictured.get(run, 0) >= _THUMBNAIL
            if pictured:
                self._pictured[run] = time_now
            layer.refresh(extent=False, thumbnail=pictured, highlight=False)

    def _show_progress(self, run: Run) -> None:
        status = run.status
        if not status.alive or not status.tiles_total:
            return
        if run not in self._bars:
            self._bars[run] = self.make_bars(run.title, status)
        bars = self._bars[run]
        if bars.is_canceled:
            self.ask(run.cancel)
        bars.show(status)

    def _end_bars(self, run: Run) -> None:
        if run in self._bars:
            self._bars.pop(run).close()

    def _moved(self, event: Any = None) -> None:
        if any(run.alive for run in self.layers):
            self._rest.start()

    def _focus(self) -> None:
        for run, layer in self.layers.items():
            if run.alive and not run.queued and layer in self._link.viewer.layers:
                point = self._point(layer, run)
                self._errands.do(partial(run.focus, point))

    def _point(self, layer: Any, run: Run) -> tuple[float, float, float, float]:
        """Where the camera looks, in px of the run's source."""
        viewer = self._link.viewer
        world = np.array(viewer.dims.point, float)
        shown = list(viewer.dims.displayed)
        world[shown] = np.array(viewer.scene.camera.center, float)[-len(shown) :]
        at = dict(zip(run.levels.show.axes, layer.world_to_data(world[-layer.ndim :]), strict=False))
        grid, (fy, fx) = run.plan.grid, run.plan.grid.factor
        first = {"t": grid.t[0], "z": grid.z[0], "y": grid.y[0], "x": grid.x[0]}
        factor = {"t": 1, "z": 1, "y": fy, "x": fx}
        t, z, y, x = (float(at.get(a, 0.0) / factor[a] + first[a]) for a in "tzyx")
        return t, z, y, x


def features(columns: Columns) -> dict[str, Any]:
    """Name the columns of a table of objects as a labels layer wants them."""
    return {"index": columns["label"], **{name: values for name, values in columns.items() if name != "label"}}
