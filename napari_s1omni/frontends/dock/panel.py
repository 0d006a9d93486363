"""The dock: its pages, connected to the controller and the viewer."""

from __future__ import annotations

import importlib
from collections.abc import Hashable, Sequence
from typing import Any

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QApplication, QMainWindow, QTabWidget, QVBoxLayout, QWidget

from napari_s1omni.core.paths import join_reference
from napari_s1omni.errors import S1OmniError, SeveralImages
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import Failure
from napari_s1omni.frontends.dock.close_dialog import CloseDialog
from napari_s1omni.frontends.dock.drawn_region import DrawnRegions
from napari_s1omni.frontends.dock.image_choice import choose_images
from napari_s1omni.frontends.dock.job_drop import JobDrop, JobLayers
from napari_s1omni.frontends.dock.layers.own_context import OwnContext
from napari_s1omni.frontends.dock.layers.preview_layers import PreviewLayers
from napari_s1omni.frontends.dock.layers.region_outline import RegionOutline
from napari_s1omni.frontends.dock.layers.result_layers import ResultLayers
from napari_s1omni.frontends.dock.main_thread import MainThread
from napari_s1omni.frontends.dock.notifications import errors_shown, show_error
from napari_s1omni.frontends.dock.pages.correct_page import CorrectPage
from napari_s1omni.frontends.dock.pages.job_page import JobPage
from napari_s1omni.frontends.dock.pages.runs_page import RunsPage
from napari_s1omni.frontends.dock.pages.why_page import WhyPage
from napari_s1omni.frontends.dock.preferences import Preferences
from napari_s1omni.frontends.dock.results.results_list import ResultsList
from napari_s1omni.frontends.dock.run_notifications import RunNotifications
from napari_s1omni.frontends.dock.shortcuts import CROP_KEYS, MERGE_KEYS, PREVIEW_KEYS, RUN_KEYS, Shortcuts
from napari_s1omni.frontends.dock.viewer_link import ViewerLink
from napari_s1omni.frontends.dock.widgets.napari_font import NapariFont
from napari_s1omni.frontends.dock.widgets.run_row import RunAction
from napari_s1omni.frontends.napari_layers.layer_source import LayerSource
from napari_s1omni.frontends.napari_layers.source_layers import images_to_choose, source_layer
from napari_s1omni.frontends.session.background import BackgroundQueue
from napari_s1omni.frontends.session.controller import Controller
from napari_s1omni.frontends.session.job_export import as_command, as_python, as_yaml
from napari_s1omni.frontends.session.preview.box import preview_box
from napari_s1omni.frontends.session.preview.events import PreviewEvent, PreviewFailed, PreviewPixels, PreviewResult
from napari_s1omni.frontends.session.run import Run, reopen
from napari_s1omni.frontends.session.run_history import unfinished
from napari_s1omni.planning.job import Job
from napari_s1omni.storage.readers.file_format import ImageHeader


class Panel(QWidget):
    """Think and generate: set up a job, preview it, run it, ask why, correct.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.preferences = Preferences.read()
        self.main_thread = MainThread(self)
        scheduler = self.preferences.scheduler
        options = ("--scheduler", scheduler) if scheduler else ()
        self.controller = Controller(self.main_thread.deliver, self.preferences.interpreter, options)
        if self.preferences.engine != "auto":
            self.controller.document["engine"] = self.preferences.engine
        self.background = BackgroundQueue("dock", self.main_thread.deliver, show_error)
        """For work that may wait for a disk."""
        self.requests = BackgroundQueue("requests", self.main_thread.deliver, show_error)
        """For requests to runs, which must not wait for other work."""
        self.job_page = JobPage(self.controller)
        self.link = ViewerLink(napari_viewer, self.controller, self.job_page.show_layers)
        self.previews = PreviewLayers(self.link)
        self.region_outline = RegionOutline(self.link)
        self._drawn_regions = DrawnRegions(napari_viewer, self._on_shape_deleted)
        self.results = ResultLayers(self.link, self.background)
        self.runs_page = RunsPage(self.act, self.copy)
        self.why_page = WhyPage(self.link, self.results, self.background)
        self.correct_page = CorrectPage(self.link, self.background)
        self.results_list = ResultsList(self.link, self.runs_page, self.results, self.why_page)
        self._notifications = RunNotifications(self.background)
        self._window_guests: list[JobDrop | JobLayers | CloseDialog | Shortcuts | OwnContext] = []
        self._closed = False
        self._preview_of: Hashable = None
        """Layer of the last preview of the job; None once a run began since, or the layer is gone: it is stale."""
        self._add_tabs()
        self._connect()
        self._font = NapariFont(self)
        self.background.submit(self._find_unfinished, self._add_unfinished)
        self.results_list.read()
        # napari imports pandas with its first labels layer, which takes a second on the GUI thread.
        self.background.submit(lambda: importlib.import_module("pandas"))
        self.background.submit(self.controller.previewer.start)

    def _add_tabs(self) -> None:
        self.tabs = QTabWidget()
        for page, title, tip in (
            (self.job_page, "Job", "Set up, preview and run"),
            (self.runs_page, "Runs", "Current and past runs"),
            (self.why_page, "Why", "Tiles, their state and their thoughts"),
            (self.correct_page, "Correct", "Paint in a large result, merge, undo"),
        ):
            self.tabs.addTab(page, title)
            self.tabs.setTabToolTip(self.tabs.count() - 1, tip)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.tabs)

    def _connect(self) -> None:
        self.viewer.layers.events.removed.connect(self._on_layer_removed)
        page = self.job_page
        page.layer_chosen.connect(self.link.choose)
        page.region_chosen.connect(self.set_region)
        page.preview_requested.connect(self.preview)
        page.run_requested.connect(self.run)
        page.copy_requested.connect(lambda kind: self.copy(kind))
        page.output_choice.open_requested.connect(self.results_list.open)
        page.output_choice.put_back_requested.connect(self.results_list.put_back)
        page.preview.cancelled.connect(self.controller.previewer.cancel)
        page.preview.slider_moved.connect(self.previews.show_part)
        self.tabs.currentChanged.connect(self._on_page)
        self.why_page.redo.result_changed.connect(lambda run: self._drop_preview())
        self.controller.preview_changed.connect(self._on_preview)
        self.controller.prepared_changed.connect(
            lambda prepared, _: self.region_outline.show(None if prepared is None else prepared.plan)
        )
        self.controller.run_added.connect(self._on_run_added)
        self.controller.failed.connect(lambda error: show_error(error))

    def preview(self) -> None:
        """Preview the view, or the centre of the region."""
        with errors_shown():
            self._commit()
            self.controller.when_planned(self._preview)

    def _preview(self) -> None:
        prepared, _ = self.controller.planned()
        grid, region = prepared.plan.grid, self.controller.document.get("region") or {}
        spans = self.link.spans_in_view()
        if region.get("uri"):
            spans |= {"y": grid.y, "x": grid.x}
        spans |= {a: tuple(region[a]) for a in "tzyx" if region.get(a)}
        self._preview_of = self.link.key
        self.controller.show_preview(preview_box(grid, spans).model_dump(exclude_none=True))

    def run(self) -> None:
        """Run the job as edited now."""
        with errors_shown():
            self._commit()
            self.controller.run()
            self.tabs.setCurrentWidget(self.runs_page)

    def copy(self, kind: str, run: Run | None = None) -> None:
        """Copy a job to the clipboard as ``yaml``, ``python`` or ``command``: that of a run, or the edited one."""
        export = {"yaml": as_yaml, "python": as_python, "command": as_command}[kind]

        def put(job: Job) -> None:
            QApplication.clipboard().setText(export(job))
            show_info("The job is on the clipboard.")

        with errors_shown():
            self._commit()
            if run is not None:
                put(run.job)
            else:
                self.controller.export(put)

    def load(self, job: Job, layer: str | None = None) -> None:
        """Fill the form from a job and open its image.

        Parameters
        ----------
        job : Job
        layer : str, optional
            Name of an open layer that shows its image.
        """
        self.tabs.setCurrentWidget(self.job_page)
        self.controller.load(job)
        known = layer or self.link.name_of(job.source.uri)
        if known is not None:
            self.link.choose(known)
            self._drawn_regions.forget(self.link.key)
            return

        def add(opened: tuple[Any, dict[str, Any], str]) -> None:
            data, options, kind = opened
            self.link.choose(self.link.add(data, kind, **options).name)

        def failed(failure: Failure) -> None:
            if failure.kind == SeveralImages.__name__:
                self.background.submit(lambda: images_to_choose(job.source.uri), lambda found: self._choose(job, found))
            else:
                show_error(failure)

        self.background.submit(lambda: source_layer(job.source), add, failed)

    def _choose(self, job: Job, images: Sequence[ImageHeader]) -> None:
        """Load a job once one of the images of its file is chosen."""
        for name in choose_images(job.source.uri, images, one=True):
            uri = join_reference(job.source.uri, name)
            self.load(job.replace(source={**job.source.model_dump(), "uri": uri}))

    def choose_operation(self, kind: str) -> None:
        """Show the page "Job" with an operation chosen."""
        self.tabs.setCurrentWidget(self.job_page)
        self.controller.choose_operation(kind)
        self.job_page.prompt.offer()

    def set_region(self, kind: str) -> None:
        """Set the region of the job to the ``whole`` layer, the ``view``, or the selected ``shape``."""
        region = None
        self._drawn_regions.forget(self.link.key)
        with errors_shown():
            self.controller.fields.region_from = kind
            if kind == "view":
                region = self.link.box_in_view()
            elif kind == "shape":
                region = self.link.region_of_shapes()
                self._drawn_regions.follow(self.link.key)
        if region is None:
            self.job_page.region.setCurrentIndex(0)
        self.controller.edit("region", region)

    def current_run(self) -> Run | None:
        """Return the run that works or waits; shows a notification if there is none."""
        alive = self.controller.queue.alive
        if not alive:
            show_info("No run is in progress.")
        return alive[0] if alive else None

    def act(self, run: Run, action: RunAction) -> None:
        """Perform the action of a button of a run."""
        with errors_shown():
            match action:
                case "pause":
                    self.requests.submit(run.pause)
                case "resume" if run.status.alive and not run.resumable:
                    self.requests.submit(lambda: run.pause(False))
                case "resume":
                    self.controller.queue.restart(run)
                case "cancel" if run.queued:
                    run.cancel()
                case "cancel":
                    self.requests.submit(run.cancel)
                case "show":
                    self._drop_preview()
                    if self.results.layer_of(run) is None:
                        self.results.add(run, self._open_source(run))
                case "why":
                    self.why_page.choose(run)
                    self.tabs.setCurrentWidget(self.why_page)
                case "forget":
                    self.results_list.remove(run.path, run.title, run)

    def showEvent(self, event: Any) -> None:
        """Listen to the window once the dock is inside it."""
        super().showEvent(event)
        window = self.parent()
        while window is not None and not isinstance(window, QMainWindow):
            window = window.parent()
        if window is not None and not self._window_guests:
            self._window_guests = [
                JobDrop(window, self.load),
                JobLayers(self.viewer, self.load),
                CloseDialog(window, self.controller.queue),
                OwnContext(window, self.viewer),
                Shortcuts(
                    window,
                    self,
                    {
                        PREVIEW_KEYS: self.job_page.preview_button,
                        RUN_KEYS: self.job_page.run_button,
                        CROP_KEYS: self.correct_page.open_button,
                        MERGE_KEYS: self.correct_page.merge_button,
                    },
                ),
            ]
            self.job_page.prompt.offer()

    def closeEvent(self, event: Any) -> None:
        """Release everything; runs continue."""
        self.shut()
        super().closeEvent(event)

    def shut(self) -> None:
        """Release the viewer, the threads and the preview process."""
        if self._closed:
            return
        self._closed = True
        self.main_thread.close()
        self._font.close()
        for guest in self._window_guests:
            guest.close()
        self._window_guests = []
        self.why_page.shut()
        self.correct_page.shut()
        self.background.close()
        self.results_list.close()
        self.requests.close()
        self.results.close()
        self._drawn_regions.close()
        self.viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self.region_outline.clear()
        self.link.close()
        self.controller.close()

    def _commit(self) -> None:
        """Apply what is being typed, and the current view or edited shapes where they are the region."""
        self.job_page.commit()
        if self._drawn_regions.changed(self.link.key):
            self.set_region("shape")
        if self.controller.document.get("region") and self.job_page.region.currentData() == "view":
            self.set_region("view")

    def _on_shape_deleted(self, key: Hashable) -> None:
        if key == self.link.key:
            self.set_region("whole")
        else:
            self.controller.fields.drop_region(key)
        name = next((one.name for one in self.viewer.layers if one.unique_id == key), None)
        if name is not None:
            show_info(f"The shape was deleted: the region of '{name}' is the whole layer again.")

    def _on_page(self, index: int) -> None:
        if self.tabs.widget(index) is self.why_page:
            self.why_page.open()
        else:
            self.why_page.leave()

    def _on_preview(self, event: PreviewEvent) -> None:
        self.job_page.preview.show_event(event)
        if isinstance(event, PreviewFailed):
            show_error(event.failure, "No preview.")
        elif isinstance(event, PreviewPixels):
            run = self.why_page.redo.run_of(event)
            if run is None and (self._preview_of is None or self._preview_of != self.link.key):
                return
            source = self.controller.source if run is None else self._open_source(run)
            if source is not None:
                self.previews.show(event, source)
            if run is not None and isinstance(event, PreviewResult):
                self.why_page.show_preview(event)

    def _on_run_added(self, run: Run) -> None:
        self.runs_page.add(run)
        self.why_page.add(run)
        self.correct_page.add(run)
        if run.status.state is not RunState.COMPLETE:
            self._notifications.watch(run)
        if run.replace:
            self.results_list.watch_replacing(run)
        if run.queued:
            self._drop_preview()
            self.results.add(run, self.controller.source)

    def _on_layer_removed(self, event: Any = None) -> None:
        known = {one.unique_id for one in self.viewer.layers}
        if self._preview_of is not None and self._preview_of not in known:
            # Once napari has taken the layer off the canvas.
            self.main_thread.deliver(self._drop_preview)

    def _drop_preview(self) -> None:
        """Remove a preview that would lie over a result, and one that is still to come."""
        self._preview_of = None
        self.previews.clear()
        self.job_page.preview.clear()

    def _open_source(self, run: Run) -> LayerSource | None:
        """Return the chosen source if it is that of a run."""
        source = self.controller.source
        return source if source is not None and source.spec == run.plan.source else None

    def _find_unfinished(self) -> list[Run]:
        """Return the runs of earlier sessions that work or can be resumed; reads the disk."""
        found = []
        for entry, now in unfinished():
            try:
                run = reopen(entry.output, entry.title, self.main_thread.deliver)
                run.status = now
                self.results.read_transform(run)
            except (S1OmniError, OSError):
                # The run never began, or its disk is not mounted.
                continue
            found.append(run)
        return found

    def _add_unfinished(self, found: list[Run]) -> None:
        for run in found:
            self.controller.add_found(run)
        if found:
            working = sum(run.status.alive for run in found)
            show_info(f"{len(found)} unfinished runs, {working} of them in progress. See the page 'Runs'.")
