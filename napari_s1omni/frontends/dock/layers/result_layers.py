"""A layer for each run, there from the start and filled in while the run works."""

from __future__ import annotations

import time
from typing import Any

from qtpy.QtCore import QTimer

from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.frontends.dock.layers.camera_focus import CameraFocus
from napari_s1omni.frontends.dock.layers.live_layers import create_layer
from napari_s1omni.frontends.dock.layers.shared_contrast import contrast_of, link_contrast, shares_contrast
from napari_s1omni.frontends.dock.viewer_link import ViewerLink
from napari_s1omni.frontends.dock.widgets.progress import ProgressBars
from napari_s1omni.frontends.napari_layers.layer_source import LayerSource
from napari_s1omni.frontends.napari_layers.layer_transforms import result_transform, stored_transform
from napari_s1omni.frontends.napari_layers.result_layers import (
    RESULT_KEY,
    appearance,
    label_features,
    layer_name,
    result_metadata,
)
from napari_s1omni.frontends.session.background import BackgroundQueue
from napari_s1omni.frontends.session.run import Run
from napari_s1omni.frontends.views.tile_cache import TileCache
from napari_s1omni.results.result import Result
from napari_s1omni.results.tables import Columns

_REFRESH = 0.5
"""Shortest time in seconds between two refreshes of a layer."""
_THUMBNAIL = 5.0
"""Shortest time in seconds between two thumbnails."""
_GATHER = 150
"""Milliseconds in which fetched pixels are gathered, to be shown together."""
_MEASURED = 2**28
"""Largest result in bytes whose objects are measured without being asked."""


class ResultLayers:
    """Shows runs in the viewer.

    Parameters
    ----------
    link : ViewerLink
    background : BackgroundQueue
    """

    def __init__(self, link: ViewerLink, background: BackgroundQueue) -> None:
        self._link = link
        self._background = background
        self.layers: dict[Run, Any] = {}
        """Run -> its layer, which may have been removed from the viewer."""
        self.make_bars = ProgressBars
        self._bars: dict[Run, ProgressBars] = {}
        self._transforms: dict[Run, dict[str, Any]] = {}
        self._refreshed: dict[Run, float] = {}
        self._thumbnails: dict[Run, float] = {}
        self._fetched: set[Run] = set()
        self._gathering = QTimer()
        self._gathering.setSingleShot(True)
        self._gathering.setInterval(_GATHER)
        self._gathering.timeout.connect(self._show_fetched)
        self._focus = CameraFocus(link.viewer, self._working_layers, background)

    def close(self) -> None:
        """Stop listening and remove the progress bars; runs continue."""
        self._gathering.stop()
        self._focus.close()
        for run in list(self._bars):
            self._close_bars(run)
        for run in self.layers:
            if run.pyramid.cache is not None:
                run.pyramid.cache.close()

    def read_transform(self, run: Run) -> None:
        """Read where the result of a run that was found lies; reads the disk."""
        self._transforms[run] = stored_transform(run.plan, run.pyramid.display.axes, run.path)

    def add(self, run: Run, source: LayerSource | None) -> None:
        """Add the layer of a run.

        Parameters
        ----------
        run : Run
        source : LayerSource or None
            The source of the run, if its layer is open.
        """
        plan, pyramid = run.plan, run.pyramid
        if source is not None:
            self._transforms[run] = result_transform(source, plan, pyramid.display)
        levels = pyramid.data
        options = {
            "name": layer_name(plan, run.path.stem if source is None else source.view.name),
            "metadata": result_metadata(plan, run.path, pyramid),
            "multiscale": len(levels) > 1,
            **appearance(plan),
            **(self._transforms.get(run) or stored_transform(plan, pyramid.display.axes)),
        }
        chosen = self._link.layer
        shared = source is not None and shares_contrast(plan, chosen)
        if shared:
            options |= contrast_of(chosen)
        if plan.target.kind == "labels":
            options["opacity"] = 0.6
        layer = create_layer(levels if len(levels) > 1 else levels[0], plan.target.kind, **options)
        if pyramid.cache is None:
            pyramid.cache = TileCache(pyramid, lambda: self._link.controller.deliver(lambda: self._on_fetched(run)))
        self._link.insert(layer)
        if shared:
            link_contrast(chosen, layer)
        self._follow(run, layer)
        self._focus.send_soon()

    def adopt(self, run: Run, layer: Any) -> None:
        """Take a layer that shows the result of a run already for that of the run."""
        run.pyramid = layer.metadata[RESULT_KEY]["pyramid"]
        self._follow(run, layer)

    def _follow(self, run: Run, layer: Any) -> None:
        self.layers[run] = layer
        run.changed.connect(self._on_run_changed)
        run.ended.connect(self._on_run_ended)

    def layer_of(self, run: Run) -> Any:
        """Return the layer of a run, or None if it is not in the viewer."""
        layer = self.layers.get(run)
        return layer if layer is not None and layer in self._link.viewer.layers else None

    def _working_layers(self) -> list[tuple[Run, Any]]:
        viewer = self._link.viewer
        return [(r, layer) for r, layer in self.layers.items() if r.alive and not r.queued and layer in viewer.layers]

    def _on_run_changed(self, run: Run) -> None:
        self._refresh(run)
        self._show_progress(run)

    def _on_run_ended(self, run: Run) -> None:
        self._close_bars(run)
        layer = self.layer_of(run)
        if layer is not None:
            layer.metadata[RESULT_KEY]["state"] = run.status.state
        self._refresh(run, now=True)
        target = run.plan.target
        if target.kind == "labels" and run.status.state is RunState.COMPLETE and target.nbytes <= _MEASURED:
            self._background.submit(lambda: self._measure(run), lambda columns: self._add_features(run, columns))

    def _measure(self, run: Run) -> Columns | None:
        """Measure the objects of a small result; larger ones are measured on demand."""
        try:
            return Result.open(run.path).table()
        except (S1OmniError, OSError):
            # The features are optional here; the table of measurements reports the error.
            return None

    def _add_features(self, run: Run, columns: Columns | None) -> None:
        layer = self.layer_of(run)
        if layer is not None and columns is not None:
            layer.features = label_features(columns)

    def _on_fetched(self, run: Run) -> None:
        self._fetched.add(run)
        if not self._gathering.isActive():
            self._gathering.start()

    def _show_fetched(self) -> None:
        for run in self._fetched:
            layer = self.layer_of(run)
            if layer is not None and layer.visible:
                layer.refresh(extent=False, thumbnail=False, highlight=False)
        self._fetched.clear()

    def _refresh(self, run: Run, now: bool = False) -> None:
        layer, seconds = self.layer_of(run), time.monotonic()
        if layer is None or (not now and seconds - self._refreshed.get(run, 0) < _REFRESH):
            return
        self._refreshed[run] = seconds
        if layer.visible:
            thumbnail = now or seconds - self._thumbnails.get(run, 0) >= _THUMBNAIL
            if thumbnail:
                self._thumbnails[run] = seconds
            layer.refresh(extent=False, thumbnail=thumbnail, highlight=False)

    def _show_progress(self, run: Run) -> None:
        status = run.status
        if not status.alive or not status.tiles_total:
            return
        if run not in self._bars:
            # napari draws the canvas while it makes a bar, which crashes vispy just after a layer was removed.
            if self.layer_of(run) is None:
                return
            self._bars[run] = self.make_bars(run.title, status)
        bars = self._bars[run]
        if bars.is_canceled:
            self._background.submit(run.cancel)
        bars.show(status)

    def _close_bars(self, run: Run) -> None:
        if run in self._bars:
            self._bars.pop(run).close()
