"""Tries one tile of a run again with another seed or prompt, and redoes it in the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psygnal import Signal
from qtpy.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.run.order import Order
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import Failure
from napari_s1omni.frontends.dock.notifications import show_error
from napari_s1omni.frontends.dock.widgets.parts import button, row
from napari_s1omni.frontends.session.background import BackgroundQueue
from napari_s1omni.frontends.session.controller import Controller
from napari_s1omni.frontends.session.preview.events import PreviewPixels
from napari_s1omni.frontends.session.run import Run
from napari_s1omni.frontends.views.tile_states import TileInfo
from napari_s1omni.planning.job import Job


class TileRedo(QWidget):
    """The lower part of the page "Why".

    Parameters
    ----------
    controller : Controller
    background : BackgroundQueue
    """

    result_changed = Signal(object)
    """The run whose result on disk was changed, or whose redo failed."""

    def __init__(self, controller: Controller, background: BackgroundQueue) -> None:
        super().__init__()
        self._controller = controller
        self._background = background
        self._run: Run | None = None
        self._tile: TileInfo | None = None
        self._request = 0
        self.tried: dict[str, Any] = {}
        """Changed ``seed`` and ``prompt`` of the last try."""
        self.prompt = QLineEdit()
        self.prompt.setPlaceholderText("Another prompt for this tile")
        self.try_seed = button("Another seed", "Preview this tile with the next seed", self._try_seed)
        self.try_prompt = button("This prompt", "Preview this tile with the prompt above", self._try_prompt)
        self.accept = button(
            "Accept", "Redo this tile in the result; the previous result is kept until the next redo", self._accept
        )
        self.undo = button("Undo", "Return to the result before the last accepted tile", self._undo)
        self.use_for_job = button("Use for job", "Use this seed and prompt for the whole job", self._use_for_job)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        column.addWidget(self.prompt)
        column.addWidget(row(self.try_seed, self.try_prompt))
        column.addWidget(row(self.accept, self.undo, self.use_for_job))
        for push_button in (self.try_seed, self.try_prompt, self.accept, self.undo, self.use_for_job):
            push_button.setEnabled(False)

    def choose_run(self, run: Run) -> None:
        """Work on a run; offers to undo its last redo."""
        self._run = run

        def done(kept: bool) -> None:
            self.undo.setEnabled(kept and self._is_complete())

        self._background.submit(lambda: run.has_previous, done)

    def choose_tile(self, run: Run, tile: TileInfo) -> None:
        """Work on a tile."""
        self._run, self._tile = run, tile
        self.tried = {}
        for push_button in (self.accept, self.use_for_job):
            push_button.setEnabled(False)
        for push_button in (self.try_seed, self.try_prompt):
            push_button.setEnabled(True)

    def run_of(self, preview: PreviewPixels) -> Run | None:
        """Return the run whose tile a preview tries; None for a preview of the job."""
        return self._run if preview.request == self._request else None

    def enable_accept(self) -> None:
        """Offer to accept the tile after its preview; what that will need is drawn meanwhile."""
        run, tile, tried = self._run, self._tile, self.tried
        if run is not None and tile is not None and self._is_complete():
            order = Order(result=str(run.path), tiles=_name(tile), seed=tried.get("seed"), prompt=tried.get("prompt"))
            self._background.submit(lambda: self._controller.previewer.draw_ahead(order))
        self.accept.setEnabled(self._is_complete())
        self.use_for_job.setEnabled(True)

    def _is_complete(self) -> bool:
        return self._run is not None and self._run.status.state is RunState.COMPLETE

    def _try_seed(self) -> None:
        if self._run is not None:
            self._try(seed=(self.tried.get("seed") or self._run.plan.sampling.seed) + 1)

    def _try_prompt(self) -> None:
        prompt = self.prompt.text().strip()
        if prompt:
            self._try(prompt=prompt)

    def _try(self, **changed: Any) -> None:
        """Preview the tile as its run would generate it, with one change more."""
        run, tile = self._run, self._tile
        if run is None or tile is None:
            return
        self.tried = {**self.tried, **changed}
        self.accept.setEnabled(False)
        job = _tile_job(run, tile, self.tried)

        def request() -> None:
            self._request = self._controller.previewer.request(job)

        self._controller.background.submit(request)

    def _accept(self) -> None:
        """Redo the tile in the result, in a process of its own."""
        run, tile, tried, queue = self._run, self._tile, dict(self.tried), self._controller.queue
        if run is None or tile is None:
            return
        self.accept.setEnabled(False)
        run.mark_starting()
        self._change_result(
            run,
            lambda: run.redo(
                _name(tile),
                tried.get("seed"),
                tried.get("prompt"),
                python=queue.python,
                options=queue.options,
                loaded=queue.loaded,
            ),
        )

    def _undo(self) -> None:
        if self._run is not None:
            self.undo.setEnabled(False)
            self._change_result(self._run, self._run.undo_redo)

    def _change_result(self, run: Run, work: Callable[[], None]) -> None:
        def attempt() -> None:
            try:
                work()
            except (S1OmniError, OSError):
                # Without a new process, its status is that on disk.
                run.watch()
                raise

        def failed(error: Failure) -> None:
            show_error(error)
            self.result_changed.emit(run)

        self._background.submit(attempt, lambda _: self.result_changed.emit(run), failed)

    def _use_for_job(self) -> None:
        if "seed" in self.tried:
            self._controller.edit("sampling.seed", self.tried["seed"])
        if "prompt" in self.tried:
            self._controller.edit("operation.prompt", self.tried["prompt"])
        self._controller.document_changed.emit(self._controller.document)
        self.use_for_job.setEnabled(False)


def _name(tile: TileInfo) -> str:
    """Return a tile as a redo names it."""
    t, z, *_ = tile.place
    return f"{t}/{z}/{tile.row}/{tile.col}"


def _tile_job(run: Run, tile: TileInfo, tried: dict[str, Any]) -> Job:
    """Return the job of a run on one tile, whatever the form contains now."""
    grid = run.plan.grid
    t, z, *_ = tile.place
    y, x = tile.row * grid.step, tile.col * grid.step
    region = {
        "type": "box",
        "t": [t, t + 1],
        "z": [z, z + 1],
        "y": [y, min(y + grid.step, grid.extent[0])],
        "x": [x, min(x + grid.step, grid.extent[1])],
    }
    sampling = run.job.sampling.model_dump() | {k: v for k, v in tried.items() if k == "seed"}
    operation = run.job.operation.model_dump() | {k: v for k, v in tried.items() if k == "prompt"}
    return run.job.replace(
        engine=run.plan.engine.name, output=None, into=None, region=region, sampling=sampling, operation=operation
    )
