"""The page "Why": the tiles of a run by state or quality, and the thought behind each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from psygnal import Signal
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

from napari_s1omni.core.paths import is_url
from napari_s1omni.core.tiling import TilePlace
from napari_s1omni.engine.protocol import Thought
from napari_s1omni.execution.pipeline.thought_keys import tile_of_key
from napari_s1omni.frontends.dock.layers.result_layers import ResultLayers
from napari_s1omni.frontends.dock.layers.tile_overlay import TileOverlay
from napari_s1omni.frontends.dock.pages.tile_redo import TileRedo
from napari_s1omni.frontends.dock.view_geometry import move_view
from napari_s1omni.frontends.dock.viewer_link import ViewerLink
from napari_s1omni.frontends.dock.widgets.parts import row
from napari_s1omni.frontends.dock.widgets.thought_name import thought_name
from napari_s1omni.frontends.dock.widgets.thought_search import ThoughtSearch
from napari_s1omni.frontends.dock.widgets.tile_legend import TileLegend
from napari_s1omni.frontends.dock.widgets.trace_view import TraceView
from napari_s1omni.frontends.napari_layers.result_layers import RESULT_KEY
from napari_s1omni.frontends.session.background import BackgroundQueue
from napari_s1omni.frontends.session.preview.events import PreviewResult
from napari_s1omni.frontends.session.run import Run
from napari_s1omni.frontends.views.tile_colours import QUANTITIES
from napari_s1omni.frontends.views.tile_states import TileInfo

_HELP = "Hover over a tile to read its state; click it to read its thought."
_REDRAW = 800
"""Shortest time in milliseconds between two updates of the overlay."""


class WhyPage(QWidget):
    """Explains results tile by tile.

    Parameters
    ----------
    link : ViewerLink
    results : ResultLayers
    background : BackgroundQueue
    """

    unknown_result = Signal(object)
    """The active layer, if it shows a result that no run of this session made; it should be added and chosen."""

    def __init__(self, link: ViewerLink, results: ResultLayers, background: BackgroundQueue) -> None:
        super().__init__()
        self._link, self._results, self._background = link, results, background
        self.overlay = TileOverlay(link, background)
        self.tile: TileInfo | None = None
        """The tile that was clicked."""
        self._runs: list[Run] = []
        self._followed: Run | None = None
        """The newest run that the page has shown; one that is chosen by hand stays until there is a newer one."""
        self.run_choice = QComboBox()
        self.run_choice.setToolTip("The run to explain")
        self.run_choice.activated.connect(lambda i: self.choose(self._runs[i]))
        self.colour = QComboBox()
        for key, label in QUANTITIES.items():
            self.colour.addItem(label, key)
        self.colour.setToolTip("The quantity that colours the tiles")
        self.colour.activated.connect(lambda _: self._on_colour())
        self.legend = TileLegend()
        self.hover = QLabel(_HELP)
        self.hover.setWordWrap(True)
        self.search = ThoughtSearch()
        self.search.search_requested.connect(self._search)
        self.search.key_chosen.connect(self._open_thought)
        self.trace = TraceView()
        self.redo = TileRedo(link.controller, background)
        self.redo.result_changed.connect(self._on_result_changed)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.setSpacing(5)
        column.addWidget(self.run_choice)
        column.addWidget(row(QLabel("Colour by"), self.colour, stretch=1))
        for widget in (self.legend, self.hover, self.search):
            column.addWidget(widget)
        column.addWidget(self.trace, 1)
        column.addWidget(self.redo)
        self._redraw_timer = QTimer(self)
        self._redraw_timer.setSingleShot(True)
        self._redraw_timer.setInterval(_REDRAW)
        self._redraw_timer.timeout.connect(self._redraw)
        link.viewer.mouse_move_callbacks.append(self._on_hover)
        link.viewer.mouse_drag_callbacks.append(self._on_click)
        link.viewer.dims.events.current_step.connect(self._on_step)
        link.viewer.layers.selection.events.active.connect(self._on_active_layer)

    def shut(self) -> None:
        """Stop listening to the viewer and the runs."""
        self._redraw_timer.stop()
        self._link.viewer.mouse_move_callbacks.remove(self._on_hover)
        self._link.viewer.mouse_drag_callbacks.remove(self._on_click)
        self._link.viewer.dims.events.current_step.disconnect(self._on_step)
        self._link.viewer.layers.selection.events.active.disconnect(self._on_active_layer)
        for run in self._runs:
            run.changed.disconnect(self._on_run_changed)
            run.ended.disconnect(self._on_run_ended)

    def add(self, run: Run) -> None:
        """Add a run to choose from."""
        self._runs.append(run)
        self.run_choice.addItem(run.title)
        run.changed.connect(self._on_run_changed)
        run.ended.connect(self._on_run_ended)

    def forget(self, path: Path, keep: Run | None = None) -> None:
        """Take off the tiles of a result that is gone, and offer its runs no more, but for one that replaced it."""
        gone = [one for one in self._runs if one.path == path and one is not keep]
        if self.overlay.run in gone:
            self.overlay.clear()
        for run in gone:
            self.run_choice.removeItem(self._runs.index(run))
            self._runs.remove(run)
            run.changed.disconnect(self._on_run_changed)
            run.ended.disconnect(self._on_run_ended)

    def choose(self, run: Run) -> None:
        """Show the tiles of a run."""
        if run is self._newest_run():
            self._followed = run
        self.hover.setText(_HELP)
        self.run_choice.setCurrentIndex(self._runs.index(run))
        if self._results.layer_of(run) is None:
            self._results.add(run, None)
        self.overlay.show(run, self._results.layer_of(run), self.colour.currentData())
        self.legend.show_legend(run, self.colour.currentData())
        self.redo.choose_run(run)

    def open(self) -> None:
        """Show the tiles of the active result, else of the newest run of the chosen layer, as the page opens."""
        run = self._newest_run()
        if self._is_unknown(active := self._link.viewer.layers.selection.active):
            self.unknown_result.emit(active)
        elif run is None:
            if self._link.layer is not None:
                name = self._link.layer.name
                self.hover.setText(f"No result of '{name}' is open. Run the job, or choose a run above.")
        elif run is not self._followed or not self.overlay.visible:
            self._followed = run
            self.choose(run)
        else:
            self.overlay.layer.visible = True

    def leave(self) -> None:
        """Hide the colours of the tiles, which would cover the result on other pages."""
        if self.overlay.visible:
            self.overlay.layer.visible = False

    def _is_unknown(self, layer: Any) -> bool:
        """Whether a layer shows a result on this machine that no run of this session made."""
        output = None if layer is None else layer.metadata.get(RESULT_KEY, {}).get("output")
        if not output or is_url(str(output)):
            return False
        return all(str(run.path) != output for run in self._runs)

    def _on_active_layer(self, event: Any = None) -> None:
        """Follow the user to another result."""
        active = event.value
        if active is None or not self.isVisible():
            return
        run = next((run for run in reversed(self._runs) if self._results.layer_of(run) == active), None)
        if run is not None and run is not self.overlay.run:
            self._followed = run
            self.choose(run)
        elif self._is_unknown(active):
            self.unknown_result.emit(active)

    def _newest_run(self) -> Run | None:
        """Return the newest run whose result is in the viewer: that of the active layer, or of the chosen source."""
        shown = [run for run in reversed(self._runs) if self._results.layer_of(run) is not None]
        active, source = self._link.viewer.layers.selection.active, self._link.layer
        own = [run for run in shown if self._results.layer_of(run) == active]
        # A run of an earlier session does not know the name of its source.
        of_source = [run for run in shown if source is None or run.layer in (source.name, "")]
        return next(iter(own or of_source), None)

    def show_preview(self, preview: PreviewResult) -> None:
        """Show the thought of a tile that was tried again."""
        if preview.thoughts:
            key, thought = next(iter(preview.thoughts.items()))
            changes = ", ".join(f"{name} {value}" for name, value in self.redo.tried.items())
            self.trace.show_thought(key, thought, f"Tried again: {thought_name(key)}", changes)
            self.redo.enable_accept()

    def open_tile(self, tile: TileInfo) -> None:
        """Show the thought of a tile."""
        run = self.overlay.run
        if run is None:
            return
        self.tile = tile
        self.hover.setText(tile.summary())
        self.redo.choose_tile(run, tile)

        def read() -> tuple[str, Thought, str] | None:
            found = run.thoughts.of_tile(tile.place)
            return (*found, run.thoughts.parameters(found[0])) if found else None

        self._background.submit(read, lambda found: self._show_tile(tile, found))

    def _show_tile(self, tile: TileInfo, found: tuple[str, Thought, str] | None) -> None:
        if found is None:
            reason = "Not processed yet." if tile.state == "waiting" else "It has no thought."
            self.trace.setHtml(f"<b>Tile {tile.row}/{tile.col}</b><p>{reason}</p>")
            return
        key, thought, parameters = found
        heading = f"Tile {tile.row}/{tile.col}: thought for {thought_name(key)}"
        self.trace.show_thought(key, thought, heading, parameters)

    def _chosen_run(self) -> Run | None:
        """Return the run of the overlay, else the one in the combo box."""
        run = self.overlay.run
        if run is None and self._runs:
            run = self._runs[self.run_choice.currentIndex()]
        return run

    def _search(self, text: str) -> None:
        run = self._chosen_run()
        if run is not None:
            self._background.submit(lambda: run.thoughts.search(text), self.search.show_hits)

    def _open_thought(self, key: str) -> None:
        """Show a thought, and its tile if it belongs to one."""
        run = self._chosen_run()
        if run is None:
            return
        if run is not self.overlay.run:
            self.choose(run)
        place = tile_of_key(key)
        if place is not None:
            t, z, group, row_at, col_at = place
            self._move_to(run, place)
            self.open_tile(run.tiles.info(row_at, col_at, z, t, group))
        heading = f"Thought for {thought_name(key)}"
        self._background.submit(
            lambda: (run.thoughts.read()[key], run.thoughts.parameters(key)),
            lambda found: self.trace.show_thought(key, found[0], heading, found[1]),
        )

    def _move_to(self, run: Run, place: TilePlace) -> None:
        """Bring a tile into view: its plane, time point and channel."""
        layer, grid, axes = self._results.layer_of(run), run.plan.grid, run.pyramid.display.axes
        if layer is None:
            return
        t, z, group, row_at, col_at = place
        at = {
            "t": t - grid.t[0],
            "c": group * run.plan.target.size("c") // grid.groups,
            "z": z - grid.z[0],
            "y": (row_at * grid.step + grid.step / 2 - grid.y[0]) * grid.factor[0],
            "x": (col_at * grid.step + grid.step / 2 - grid.x[0]) * grid.factor[1],
        }
        move_view(self._link.viewer, layer, [at[axis] for axis in axes[: layer.ndim]])

    def _on_run_changed(self, run: Run) -> None:
        if run is self.overlay.run:
            self._redraw_soon()

    def _on_run_ended(self, run: Run) -> None:
        if run is self.overlay.run:
            self._on_result_changed(run)

    def _on_result_changed(self, run: Run) -> None:
        layer = self._results.layer_of(run)
        if layer is not None:
            layer.refresh(extent=False)
        if run is self.overlay.run:
            self.redo.choose_run(run)
            if self.tile is not None:
                self.open_tile(self.tile)

    def _on_step(self, event: Any = None) -> None:
        if self.overlay.visible:
            self._redraw_soon()

    def _on_colour(self) -> None:
        self.overlay.refresh(self.colour.currentData())
        self._redraw_legend()

    def _redraw_soon(self) -> None:
        if not self._redraw_timer.isActive():
            self._redraw_timer.start()

    def _redraw(self) -> None:
        self.overlay.refresh()
        self._redraw_legend()

    def _redraw_legend(self) -> None:
        if self.overlay.run is not None:
            self.legend.show_legend(self.overlay.run, self.colour.currentData())

    def _on_hover(self, viewer: Any, event: Any) -> None:
        if self.overlay.visible and (tile := self.overlay.tile_at(event.position)):
            self.hover.setText(tile.summary())

    def _on_click(self, viewer: Any, event: Any) -> Any:
        if not self.overlay.visible or not self.isVisible():
            return
        start = event.position
        yield
        while event.type == "mouse_move":
            yield
        moved = sum(abs(a - b) for a, b in zip(start, event.position, strict=False))
        tile = self.overlay.tile_at(event.position)
        if tile is not None and moved == 0:
            self.open_tile(tile)
