"""Panel: the dock, from its pages and the viewer it stands in."""

from __future__ import annotations

import importlib
from typing import Any

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QApplication, QMainWindow, QTabWidget, QVBoxLayout, QWidget

from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import Failure, describe_failure
from napari_s1omni.frontends.dock.close_dialog import CloseDialog
from napari_s1omni.frontends.dock.job_drop import JobDrop, JobLayers
from napari_s1omni.frontends.dock.layers.preview_layers import PreviewLayers
from napari_s1omni.frontends.dock.layers.result_layers import ResultLayers
from napari_s1omni.frontends.dock.main_thread import MainThread
from napari_s1omni.frontends.dock.notifications import show_error
from napari_s1omni.frontends.dock.pages.correct_page import CorrectPage
from napari_s1omni.frontends.dock.pages.job_page import JobPage
from napari_s1omni.frontends.dock.pages.runs_page import RunsPage
from napari_s1omni.frontends.dock.pages.why_page import WhyPage
from napari_s1omni.frontends.dock.preferences import Preferences
from napari_s1omni.frontends.dock.viewer_link import ViewerLink
from napari_s1omni.frontends.napari_layers.reader import source_layer
from napari_s1omni.frontends.session.controller import Controller
from napari_s1omni.frontends.session.job_export import as_command, as_python, as_yaml
from napari_s1omni.frontends.session.preview_client import Answer, Previewed, PreviewFailed, preview_box
from napari_s1omni.frontends.session.run import Run, reopen
from napari_s1omni.frontends.session.run_history import forget, unfinished
from napari_s1omni.planning.job import Job

_SLOW = 0.3
"""Seconds per tile above which a preview is one cell of the lattice instead of four."""


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
        self.bridge = MainThread(self)
        scheduler = self.preferences.scheduler
        options = ("--scheduler", scheduler) if scheduler else ()
        self.controller = Controller(self.bridge.deliver, self.preferences.interpreter, options)
        if self.preferences.engine != "auto":
            self.controller.document["engine"] = self.preferences.engine
        self.job_page = JobPage(
            self.controller,
            on_layer=lambda name: self.link.choose(name),
            on_region=self._region,
            on_preview=self.preview,
            on_run=self.run,
            on_copy=self.copy,
        )
        self.link = ViewerLink(napari_viewer, self.controller, self.job_page.show_layers)
        self.previews = PreviewLayers(self.link)
        self.results = ResultLayers(self.link)
        self.runs_page = RunsPage(self.act, self.copy)
        self.why_page = WhyPage(self.link, self.results, self.controller)
        self.correct_page = CorrectPage(self.link, self.results)
        self.tabs = QTabWidget()
        for page, words, tip in (
            (self.job_page, "Job", "Set up, preview and run"),
            (self.runs_page, "Runs", "What is running, and what was"),
            (self.why_page, "Why", "Tiles, their state and their thoughts"),
            (self.correct_page, "Correct", "Paint in a large result, merge, undo"),
        ):
            self.tabs.addTab(page, words)
            self.tabs.setTabToolTip(self.tabs.count() - 1, tip)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.tabs)
        self.setMinimumWidth(330)
        self.controller.preview_changed.connect(self._previewed)
        self.controller.run_added.connect(self._added)
        self.controller.failed.connect(show_error)
        self.job_page.preview.curtain_moved.connect(self.previews.curtain)
        self._guests: list[JobDrop | JobLayers | CloseDialog] = []
        self._closed = False
        self.results.ask(self._find_unfinished)
        # What napari loads when it makes its first layer of labels takes a second, which then nobody waits for.
        self.results.ask(lambda: importlib.import_module("pandas"))
        self.results.ask(self.controller.previewer.start)

    def preview(self) -> None:
        """Preview what is in view, or the middle of the region."""
        with self._told():
            self._commit()
            self.controller.when_planned(self._preview)

    def _preview(self) -> None:
        prepared, _ = self.controller.planned()
        grid, region = prepared.plan.grid, self.controller.document.get("region") or {}
        spans = self.link.spans_in_view()
        if region.get("uri"):
            spans |= {"y": grid.y, "x": grid.x}
        spans |= {a: tuple(region[a]) for a in "tzyx" if region.get(a)}
        slow = (prepared.plan.engine.host.seconds_per_tile or 0) > _SLOW
        box = preview_box(grid, spans, 1 if slow else round(2 * grid.tile_size / grid.step))
        self.controller.show_preview(box.model_dump(exclude_none=True))

    def run(self) -> None:
        """Run the job as it is written."""
        with self._told():
            self._commit()
            self.controller.run()
            self.tabs.setCurrentWidget(self.runs_page)

    def _commit(self) -> None:
        """Take over what is being typed, and where the view is now."""
        self.job_page.commit()
        if self.controller.document.get("region") and self.job_page.region.currentData() == "view":
            self._region("view")

    def copy(self, kind: str, run: Run | None = None) -> None:
        """Put a job on the clipboard as ``yaml``, ``python`` or ``command``: that of a run, or as it is written now."""
        words = {"yaml": as_yaml, "python": as_python, "command": as_command}[kind]

        def put(job: Job) -> None:
            QApplication.clipboard().setText(words(job))
            show_info("The job is on the clipboard.")

        with self._told():
            self._commit()
            if run is not None:
                put(run.job)
            else:
                self.controller.share(put)

    def load(self, job: Job, layer: str | None = None) -> None:
        """Fill the form from a job file, opening its image if it is not open; a layer that shows it may be named."""
        self.tabs.setCurrentWidget(self.job_page)
        self.controller.load(job)
        known = layer or self.link.name_of(job.source.uri)
        if known is not None:
            self.link.choose(known)
            return

        def open_it() -> None:
            data, options, kind = source_layer(job.source)
            self.controller.deliver(lambda: self.link.choose(self.link.add(data, kind, **options).name))

        self.results.ask(open_it)

    def choose_operation(self, kind: str) -> None:
        """Show the first page with an operation chosen."""
        self.tabs.setCurrentWidget(self.job_page)
        self.controller.choose_operation(kind)
        self.job_page.prompt.setFocus()

    def showEvent(self, event: Any) -> None:
        """Listen to the window from when the dock stands in one."""
        super().showEvent(event)
        holder = self.parent()
        while holder is not None and not isinstance(holder, QMainWindow):
            holder = holder.parent()
        if holder is not None and not self._guests:
            self._guests = [
                JobDrop(holder, self.load),
                JobLayers(self.viewer, self.load),
                CloseDialog(holder, self.controller.queue),
            ]

    def closeEvent(self, event: Any) -> None:
        """Leave runs to themselves."""
        self.shut()
        super().closeEvent(event)

    def shut(self) -> None:
        """Let go of the viewer, threads and the helper process."""
        if self._closed:
            return
        self._closed = True
        self.bridge.close()
        for guest in self._guests:
            guest.close()
        self._guests = []
        self.why_page.shut()
        self.correct_page.shut()
        self.results.close()
        self.link.close()
        self.controller.close()

    def _told(self) -> _Told:
        return _Told()

    def _region(self, kind: str) -> None:
        found = None
        with self._told():
            if kind == "view":
                found = self.link.box_in_view()
            elif kind == "shape":
                found = self.link.region_of_shape()
        if found is None:
            self.job_page.region.setCurrentIndex(0)
        self.controller.edit("region", found)

    def _previewed(self, answer: Answer) -> None:
        self.job_page.preview.show_answer(answer)
        if isinstance(answer, Previewed):
            run = self.why_page.owner_of(answer)
            located = self.controller.source if run is None else self._source_of(run)
            if located is not None:
                self.previews.show(answer, located)
            if run is not None:
                self.why_page.show_preview(answer)
        elif isinstance(answer, PreviewFailed):
            show_error(answer.failure, "No preview.")

    def _added(self, run: Run) -> None:
        self.runs_page.add(run)
        self.why_page.add(run)
        self.correct_page.add(run)
        run.ended.connect(self._ended)
        if run.queued:
            self.previews.clear()
            self.results.add(run, self.controller.source)

    def _ended(self, run: Run) -> None:
        state, error = run.status.state, run.status.error
        if state is RunState.FAILED and error is not None:
            self.results.ask(lambda: self._tell_end(run, error))
        elif state is RunState.COMPLETE:
            holes = f" {run.status.holes} tiles are missing." if run.status.holes else ""
            show_info(f"'{run.title}' is complete.{holes}")
        elif state is RunState.STOPPED:
            show_error(
                Failure("RunStopped", f"the process of '{run.title}' is gone", "resume it in the list of runs", 1)
            )

    def _tell_end(self, run: Run, error: Failure) -> None:
        log = run.log()
        self.controller.deliver(lambda: show_error(error, f"'{run.title}' failed.", log))

    def at_work(self) -> Run | None:
        """Return the run that is at work, or that waits; says so if there is none."""
        alive = self.controller.queue.alive
        if not alive:
            show_info("Nothing is running.")
        return alive[0] if alive else None

    def act(self, run: Run, verb: str) -> None:
        """Do what a button of a run says: ``pause``, ``resume``, ``cancel``, ``show``, ``why`` or ``forget``."""
        with self._told():
            match verb:
                case "pause":
                    self.results.ask(run.pause)
                case "resume" if run.status.alive:
                    self.results.ask(lambda: run.pause(False))
                case "resume":
                    run.queued = True
                    if run not in self.controller.queue.runs:
                        self.controller.queue.put(run)
                    else:
                        self.controller.queue.again(run)
                case "cancel":
                    self.results.ask(run.cancel) if not run.queued else run.cancel()
                case "show":
                    if self.results.layer_of(run) is None:
                        self.results.add(run, self._source_of(run))
                case "why":
                    self.why_page.choose(run)
                    self.tabs.setCurrentWidget(self.why_page)
                case "forget":
                    self.runs_page.remove(run)
                    self.results.ask(run.unwatch)
                    self.results.ask(lambda: forget(run.path))

    def _source_of(self, run: Run) -> Any:
        located = self.controller.source
        return located if located is not None and located.spec == run.plan.source else None

    def _find_unfinished(self) -> None:
        found = []
        for entry, _ in unfinished():
            try:
                found.append(reopen(entry.output, entry.title, self.bridge.deliver))
                self.results.foresee(found[-1])
            except (S1OmniError, OSError):
                # What never began, or lies on a disk that is away, is not offered.
                continue
        self.bridge.deliver(lambda: self._offer(found))

    def _offer(self, found: list[Run]) -> None:
        for run in found:
            self.controller.add_found(run)
        if found:
            going = sum(run.status.alive for run in found)
            show_info(f"{len(found)} runs are unfinished, {going} of them at work: see the page 'Runs'.")


class _Told:
    """Turns errors into one notification; nothing is lost and nothing is raised into Qt."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if isinstance(error, Exception):
            show_error(describe_failure(error))
            return True
        return False
