"""WhyPage: tiles by state, what each was thought, and drawing one of them again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QComboBox, QLabel, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_s1omni.core.tiling import TilePlace
from napari_s1omni.engine.protocol import Thought
from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.pipeline.thought_keys import tile_of_key
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import describe_failure
from napari_s1omni.frontends.dock.layers.result_layers import ResultLayers
from napari_s1omni.frontends.dock.layers.tile_overlay import TileOverlay
from napari_s1omni.frontends.dock.notifications import show_error
from napari_s1omni.frontends.dock.viewer_link import ViewerLink
from napari_s1omni.frontends.dock.widgets.parts import button, row
from napari_s1omni.frontends.dock.widgets.preview_view import thought_name
from napari_s1omni.frontends.dock.widgets.trace_view import TraceView
from napari_s1omni.frontends.session.controller import Controller
from napari_s1omni.frontends.session.preview_client import Previewed
from napari_s1omni.frontends.session.run import Run
from napari_s1omni.frontends.views.tile_states import COLOURS, QUANTITIES, RANGES, TileInfo

_LATER = 800
"""Milliseconds between two pictures of a run at work."""


class WhyPage(QWidget):
    """The third page of the dock.

    Parameters
    ----------
    link : ViewerLink
    results : ResultLayers
    controller : Controller
    """

    def __init__(self, link: ViewerLink, results: ResultLayers, controller: Controller) -> None:
        super().__init__()
        self._link, self._results, self._controller = link, results, controller
        self.overlay = TileOverlay(link, results.ask)
        self.tile: TileInfo | None = None
        """The tile that was clicked."""
        self._runs: list[Run] = []
        self._seed = 0
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.setSpacing(5)
        self.which = QComboBox()
        self.which.setToolTip("The run to look into")
        self.which.activated.connect(lambda i: self.choose(self._runs[i]))
        self.colour = QComboBox()
        for key, words in QUANTITIES.items():
            self.colour.addItem(words, key)
        self.colour.setToolTip("What tiles are coloured by")
        self.colour.activated.connect(lambda _: self._recolour())
        column.addWidget(self.which)
        column.addWidget(row(QLabel("Colour by"), self.colour, stretch=1))
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setWordWrap(True)
        column.addWidget(self.legend)
        self.hover = QLabel("Move over the tiles to read their state; click one to read its thought.")
        self.hover.setWordWrap(True)
        column.addWidget(self.hover)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search in all thoughts")
        self.search.setClearButtonEnabled(True)
        self.search.returnPressed.connect(self._search)
        column.addWidget(self.search)
        self.hits = QListWidget()
        self.hits.setMaximumHeight(110)
        self.hits.setVisible(False)
        self.hits.itemActivated.connect(self._hit)
        self.hits.itemClicked.connect(self._hit)
        column.addWidget(self.hits)
        self.trace = TraceView()
        column.addWidget(self.trace, 1)
        self.wording = QLineEdit()
        self.wording.setPlaceholderText("Another wording for this tile")
        column.addWidget(self.wording)
        self.again_seed = button("Another seed", "Preview this tile with the next seed", self._another_seed)
        self.again_words = button("This wording", "Preview this tile with the wording above", self._another_wording)
        self.accept = button(
            "Accept", "Draw this tile so in the result; the result before is kept until the next one", self._accept
        )
        self.undo = button("Undo", "Return to the result before the last tile that was accepted", self._undo)
        self.for_all = button("Use for all", "Take what was changed over into the job", self._use)
        column.addWidget(row(self.again_seed, self.again_words))
        column.addWidget(row(self.accept, self.undo, self.for_all))
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_LATER)
        self._later.timeout.connect(self._redraw)
        self._tried: dict[str, Any] = {}
        self._request = 0
        for made in (self.again_seed, self.again_words, self.accept, self.undo, self.for_all):
            made.setEnabled(False)
        link.viewer.mouse_move_callbacks.append(self._hovered)
        link.viewer.mouse_drag_callbacks.append(self._clicked)
        link.viewer.dims.events.current_step.connect(self._stepped)

    def shut(self) -> None:
        """Let go of the viewer."""
        self._later.stop()
        self._link.viewer.mouse_move_callbacks.remove(self._hovered)
        self._link.viewer.mouse_drag_callbacks.remove(self._clicked)
        self._link.viewer.dims.events.current_step.disconnect(self._stepped)
        for run in self._runs:
            run.changed.disconnect(self._changed)
            run.ended.disconnect(self._ended)

    def add(self, run: Run) -> None:
        """Offer a run."""
        self._runs.append(run)
        self.which.addItem(run.title)
        run.changed.connect(self._changed)
        run.ended.connect(self._ended)

    def choose(self, run: Run) -> None:
        """Show the tiles of a run."""
        self.which.setCurrentIndex(self._runs.index(run))
        layer = self._results.layer_of(run)
        if layer is None:
            self._results.add(run, None)
            layer = self._results.layer_of(run)
        self.overlay.show(run, layer, self.colour.currentData())
        self._tell_legend()
        self._look_back(run)

    def owner_of(self, made: Previewed) -> Run | None:
        """Return the run of which a preview tries a tile again; None where it is no such preview."""
        return self.overlay.run if made.request == self._request else None

    def show_preview(self, made: Previewed) -> None:
        """Show the thought of a tile that was drawn again."""
        if made.thoughts:
            key, thought = next(iter(made.thoughts.items()))
            words = ", ".join(f"{name} {value}" for name, value in self._tried.items())
            self.trace.show_thought(key, thought, f"Tried again: {thought_name(key)}", words)
            self.accept.setEnabled(self._is_complete())
            self.for_all.setEnabled(True)

    def open_tile(self, tile: TileInfo) -> None:
        """Show the thought of a tile."""
        run = self.overlay.run
        if run is None:
            return
        self.tile = tile
        self._tried = {}
        self.hover.setText(tile.sentence())
        self._results.ask(lambda: self._fetch(run, tile))
        for made in (self.accept, self.for_all):
            made.setEnabled(False)
        for made in (self.again_seed, self.again_words):
            made.setEnabled(True)

    def _fetch(self, run: Run, tile: TileInfo) -> None:
        found = run.thought_of(tile.place)
        words = run.parameters_of(found[0]) if found else ""
        self._controller.deliver(lambda: self._show(tile, found, words))

    def _show(self, tile: TileInfo, found: tuple[str, Thought] | None, words: str) -> None:
        if found is None:
            waiting = "It was not drawn yet." if tile.state == "waiting" else "Nothing was thought about it."
            self.trace.setHtml(f"<b>tile {tile.row}/{tile.col}</b><p>{waiting}</p>")
            return
        key, thought = found
        self.trace.show_thought(key, thought, f"Tile {tile.row}/{tile.col}: thought of {thought_name(key)}", words)

    def _another_seed(self) -> None:
        run = self.overlay.run
        if run is not None:
            self._seed = (self._tried.get("seed") or run.plan.sampling.seed) + 1
            self._again(seed=self._seed)

    def _another_wording(self) -> None:
        words = self.wording.text().strip()
        if words:
            self._again(prompt=words)

    def _again(self, **changed: Any) -> None:
        """Draw the clicked tile again as its run would, as a preview through the real path."""
        run, tile = self.overlay.run, self.tile
        if run is None or tile is None:
            return
        grid = run.plan.grid
        t, z, *_ = tile.place
        y, x = tile.row * grid.step, tile.col * grid.step
        box = {
            "type": "box",
            "t": [t, t + 1],
            "z": [z, z + 1],
            "y": [y, min(y + grid.step, grid.extent[0])],
            "x": [x, min(x + grid.step, grid.extent[1])],
        }
        self._tried = {**self._tried, **changed}
        sampling = run.job.sampling.model_dump() | {k: v for k, v in self._tried.items() if k == "seed"}
        operation = run.job.operation.model_dump() | {k: v for k, v in self._tried.items() if k == "prompt"}
        changes = {"region": box, "sampling": sampling, "operation": operation}
        self.accept.setEnabled(False)
        # Drawn as the run draws, whatever the form says by now.
        job = run.job.replace(engine=run.plan.engine.name, output=None, into=None, **changes)

        def ask() -> None:
            self._request = self._controller.previewer.ask(job)

        self._controller.errands.do(ask)

    def _is_complete(self) -> bool:
        return self.overlay.run is not None and self.overlay.run.status.state is RunState.COMPLETE

    def _accept(self) -> None:
        """Draw the tile in the result as it was tried, by a process of its own."""
        run, tile, tried = self.overlay.run, self.tile, dict(self._tried)
        if run is None or tile is None:
            return
        t, z, *_ = tile.place
        python, options = self._controller.python, self._controller.options
        self.accept.setEnabled(False)
        # From now on it is at work, though its process is not there yet.
        run.status = run.status.replace(state=RunState.STARTING)
        self._ask(
            run,
            lambda: run.redo(
                f"{t}/{z}/{tile.row}/{tile.col}", tried.get("seed"), tried.get("prompt"), python=python, options=options
            ),
        )

    def _undo(self) -> None:
        """Return to the result before the last redo."""
        run = self.overlay.run
        if run is not None:
            self.undo.setEnabled(False)
            self._ask(run, run.drop)

    def _ask(self, run: Run, work: Callable[[], None]) -> None:
        """Do what waits for a disk elsewhere, then look at the run again."""

        def done() -> None:
            try:
                work()
            except (S1OmniError, OSError) as error:
                found = describe_failure(error)
                self._controller.deliver(lambda: show_error(found))
                run.watch()
            self._controller.deliver(lambda: self._redone(run))

        self._results.ask(done)

    def _redone(self, run: Run) -> None:
        layer = self._results.layer_of(run)
        if layer is not None:
            layer.refresh(extent=False)
        self._look_back(run)
        if run is self.overlay.run and self.tile is not None:
            self.open_tile(self.tile)

    def _look_back(self, run: Run) -> None:
        """Offer to undo where the result before is kept."""

        def work() -> None:
            there = run.has_previous
            self._controller.deliver(lambda: self.undo.setEnabled(there and self._is_complete()))

        self._results.ask(work)

    def _use(self) -> None:
        if "seed" in self._tried:
            self._controller.edit("sampling.seed", self._tried["seed"])
        if "prompt" in self._tried:
            self._controller.edit("operation.prompt", self._tried["prompt"])
        self._controller.document_changed.emit(self._controller.document)
        self.for_all.setEnabled(False)

    def _changed(self, run: Run) -> None:
        if run is self.overlay.run and not self._later.isActive():
            self._later.start()

    def _ended(self, run: Run) -> None:
        if run is self.overlay.run:
            self._redone(run)

    def _stepped(self, event: Any = None) -> None:
        if self.overlay.visible and not self._later.isActive():
            self._later.start()

    def _redraw(self) -> None:
        self.overlay.refresh()
        self._tell_legend()

    def _recolour(self) -> None:
        self.overlay.refresh(self.colour.currentData())
        self._tell_legend()

    def _tell_legend(self) -> None:
        run = self.overlay.run
        if run is None:
            return
        counts = run.tiles.counts()
        if self.colour.currentData() != "state":
            low, high = (f" ({end:g})" for end in ends) if (ends := RANGES.get(self.colour.currentData())) else ("", "")
            self.legend.setText(f"dark is little{low}, yellow is much{high}; grey is not known")
            return
        waiting = max(0, run.status.tiles_total - sum(counts.values()))
        entries = {**counts, **({"waiting": waiting} if waiting else {})}
        self.legend.setText(
            " &nbsp; ".join(
                f"<span style='color:rgb{COLOURS[k][:3]}'>■</span> {k} {n:,}" for k, n in entries.items() if n
            )
        )

    def _hovered(self, viewer: Any, event: Any) -> None:
        if self.overlay.visible and (tile := self.overlay.tile_at(event.position)):
            self.hover.setText(tile.sentence())

    def _clicked(self, viewer: Any, event: Any) -> Any:
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

    def _search(self) -> None:
        run, words = self.overlay.run, self.search.text()
        if run is None and self._runs:
            run = self._runs[self.which.currentIndex()]
        if run is not None:
            self._results.ask(lambda: self._look_for(run, words))

    def _look_for(self, run: Run, words: str) -> None:
        found = run.search(words)
        self._controller.deliver(lambda: self._show_hits(found))

    def _show_hits(self, found: list[tuple[str, str]]) -> None:
        self.hits.clear()
        for key, line in found:
            item = QListWidgetItem(f"{thought_name(key)}: {line}")
            item.setData(Qt.ItemDataRole.UserRole, key)
            self.hits.addItem(item)
        if not found:
            self.hits.addItem("No thought holds these words.")
        self.hits.setVisible(True)

    def _hit(self, item: QListWidgetItem) -> None:
        key, run = item.data(Qt.ItemDataRole.UserRole), self.overlay.run or self._runs[self.which.currentIndex()]
        if key is None:
            return
        if run is not self.overlay.run:
            self.choose(run)
        place = tile_of_key(key)
        if place is not None:
            t, z, group, row_at, col_at = place
            self._go(run, place)
            self.open_tile(run.tiles.info(row_at, col_at, z, t, group))
        self._results.ask(lambda: self._deliver_thought(run, key))

    def _deliver_thought(self, run: Run, key: str) -> None:
        thought, words = run.thoughts()[key], run.parameters_of(key)
        heading = f"Thought of {thought_name(key)}"
        self._controller.deliver(lambda: self.trace.show_thought(key, thought, heading, words))

    def _go(self, run: Run, place: TilePlace) -> None:
        """Bring a tile into view: its plane, its time point, its channel."""
        layer, grid, axes = self._results.layer_of(run), run.plan.grid, run.levels.show.axes
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
        world = layer.data_to_world([at[axis] for axis in axes[: layer.ndim]])
        dims = self._link.viewer.dims
        for axis, value in enumerate(world, dims.ndim - layer.ndim):
            if axis not in dims.displayed:
                dims.set_point(axis, value)
        self._link.viewer.scene.camera.center = tuple(world)[-3:]
