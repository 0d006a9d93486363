"""The finished results of this user: listed, opened with their images, and removed on request."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QMessageBox

from napari_s1omni.execution.run.status import Failure
from napari_s1omni.execution.run.watch import status
from napari_s1omni.frontends.dock.layers.result_layers import ResultLayers
from napari_s1omni.frontends.dock.notifications import show_error
from napari_s1omni.frontends.dock.pages.runs_page import RunsPage
from napari_s1omni.frontends.dock.pages.why_page import WhyPage
from napari_s1omni.frontends.dock.results.removal_dialog import Removal, ask_removal
from napari_s1omni.frontends.dock.viewer_link import ViewerLink
from napari_s1omni.frontends.napari_layers.result_layers import RESULT_KEY
from napari_s1omni.frontends.napari_layers.source_layers import source_layer
from napari_s1omni.frontends.session.background import BackgroundQueue
from napari_s1omni.frontends.session.results.finished import FinishedResult, finished_results, thumbnail
from napari_s1omni.frontends.session.run import Run, reopen
from napari_s1omni.frontends.session.run_history import forget
from napari_s1omni.jobs.delete_result import delete_result, folder_size, may_delete
from napari_s1omni.jobs.redo import drop

_FIRST = 20
"""Results that are listed at first."""


class ResultsList:
    """Reads the list of results on a thread of its own, and does what its buttons ask for.

    Parameters
    ----------
    link : ViewerLink
    page : RunsPage
        Shows the list.
    results : ResultLayers
    why : WhyPage
    """

    def __init__(self, link: ViewerLink, page: RunsPage, results: ResultLayers, why: WhyPage) -> None:
        self._link, self._page, self._results, self._why = link, page, results, why
        self._controller = link.controller
        self._background = BackgroundQueue("results", link.controller.deliver, show_error)
        self._limit = _FIRST
        self._replacing: set[Run] = set()
        page.open_requested.connect(lambda one: self.open(one.path, one.entry.title, one.entry.layer))
        page.removal_requested.connect(lambda one: self.remove(one.path, one.entry.title))
        page.more_requested.connect(self._read_more)
        why.unknown_result.connect(self._explain)

    def close(self) -> None:
        """Stop reading."""
        self._background.close()

    def read(self) -> None:
        """Show the finished results of earlier sessions; their pictures follow."""
        limit = self._limit

        def show(found: list[FinishedResult]) -> None:
            self._page.show_results(found, len(found) == limit)
            for path in self._page.results:
                self._background.submit(partial(thumbnail, path), partial(self._show_thumbnail, path))

        self._background.submit(lambda: finished_results(limit), show)

    def open(self, path: Path, title: str = "", image: str = "") -> None:
        """Show a result over its image, which is opened too; its tiles can be explained and corrected.

        Parameters
        ----------
        path : Path
            Its folder.
        title : str
            Of the run.
        image : str
            Name for the layer of the image.
        """
        known = next((run for run in self._page.rows if run.path == path), None)
        if known is not None:
            self._open_image(known)
            return

        self._background.submit(lambda: self._reopened(path, title, image), self._open_image)

    def remove(self, path: Path, title: str, run: Run | None = None) -> None:
        """Ask whether a result is taken off the list, or its folder deleted, and do it.

        Parameters
        ----------
        path : Path
        title : str
        run : Run, optional
            Its run, if it has a row of its own.
        """

        def ask(size: int | None) -> None:
            answer = ask_removal(self._page, title, path, size)
            if answer is Removal.NOTHING:
                return
            if run is not None and run in self._page.rows:
                self._page.remove(run)
                self._background.submit(run.unwatch)
            self._page.remove_result(path)
            self._background.submit(lambda: forget(path))
            if answer is Removal.FOLDER:
                self._take_off(path)
                self._background.submit(lambda: delete_result(path), lambda _: self._controller.refresh())

        self._background.submit(lambda: folder_size(path) if may_delete(path) else None, ask)

    def put_back(self, path: Path) -> None:
        """Ask whether the result that another one replaced is wanted back, put it back and show it."""
        words = f"Return to the result that was in {path.name} before? The present one is deleted."
        answer = QMessageBox.question(self._page.window(), "Put back", words)
        if answer != QMessageBox.StandardButton.Yes:
            return
        for run in [one for one in self._page.rows if one.path == path]:
            self._page.remove(run)
            self._background.submit(run.unwatch)
        self._take_off(path)

        def show(_: None) -> None:
            self._controller.refresh()
            self.open(path)

        self._background.submit(lambda: drop(path), show)

    def watch_replacing(self, run: Run) -> None:
        """Take an earlier result off once a run has replaced it."""
        self._replacing.add(run)
        run.changed.connect(self._on_replacing)

    def _on_replacing(self, run: Run) -> None:
        # What was there is gone once the run has counted its tiles.
        if run not in self._replacing or not run.status.tiles_total:
            return
        self._replacing.discard(run)
        for other in [one for one in self._page.rows if one.path == run.path and one is not run]:
            self._page.remove(other)
        self._take_off(run.path, run)

    def _take_off(self, path: Path, keep: Run | None = None) -> None:
        """Remove all layers of a result that goes, but for that of a run."""
        self._why.forget(path, keep)
        kept = None if keep is None else self._results.layer_of(keep)
        for layer in self._link.layers_of(path):
            if layer is not kept:
                self._link.remove(layer)

    def _open_image(self, run: Run) -> None:
        """Open the image of a run unless a layer shows it, then show the run over it."""
        if self._link.name_of(run.job.source.uri) is not None or self._is_source_of_layer(run):
            self._show(run)
            return

        def add(opened: tuple[Any, dict[str, Any], str]) -> None:
            data, options, kind = opened
            self._link.add(data, kind, **{**options, "name": run.layer or options["name"]})
            self._show(run)

        def without(found: Failure) -> None:
            show_info(f"The result is shown without its image, which cannot be opened. {found.words}")
            self._show(run)

        self._background.submit(lambda: source_layer(run.job.source), add, without)

    def _is_source_of_layer(self, run: Run) -> bool:
        """Whether the chosen layer, perhaps one in memory, is the image of a run."""
        source = self._controller.source
        return source is not None and source.spec == run.plan.source

    def _show(self, run: Run) -> None:
        if run not in self._page.rows:
            self._controller.add_found(run)
        if self._results.layer_of(run) is None:
            self._results.add(run, None)

    def _reopened(self, path: Path, title: str = "", image: str = "") -> Run:
        run = reopen(path, title or path.name, self._controller.deliver)
        run.status, run.layer = status(path), image
        self._results.read_transform(run)
        return run

    def _explain(self, layer: Any) -> None:
        """Explain the tiles of a layer that was opened like any file."""

        def show(run: Run) -> None:
            if layer in self._link.viewer.layers and all(one.path != run.path for one in self._page.rows):
                self._results.adopt(run, layer)
                self._controller.add_found(run)
                self._why.choose(run)

        self._background.submit(lambda: self._reopened(Path(layer.metadata[RESULT_KEY]["output"])), show)

    def _read_more(self) -> None:
        self._limit *= 2
        self.read()

    def _show_thumbnail(self, path: Path, pixels: Any) -> None:
        shown = self._page.results.get(path)
        if shown is not None:
            shown.show_thumbnail(pixels)
