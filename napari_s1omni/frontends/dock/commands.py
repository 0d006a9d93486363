"""Commands: what the menus and the command palette of napari call."""

from __future__ import annotations

from typing import Any

import napari
from qtpy.QtWidgets import QFileDialog

from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.status import failure
from napari_s1omni.frontends.dock.telling import tell
from napari_s1omni.frontends.opening import get_reader
from napari_s1omni.job import Job

PLUGIN = "napari_s1omni"
PANEL = "Think and generate"
TABLE = "Measurements"


def panel(viewer: Any) -> Any:
    """Return the dock of a viewer, opening it where it is closed."""
    return viewer.window.add_plugin_dock_widget(PLUGIN, PANEL)[1]


def segment(viewer: napari.viewer.Viewer) -> None:
    """Open the dock with segmentation chosen."""
    panel(viewer).choose_operation("segmentation")


def super_resolve(viewer: napari.viewer.Viewer) -> None:
    """Open the dock with super-resolution chosen."""
    panel(viewer).choose_operation("super_resolution")


def translate(viewer: napari.viewer.Viewer) -> None:
    """Open the dock with modality translation chosen."""
    panel(viewer).choose_operation("modality_translation")


def preview(viewer: napari.viewer.Viewer) -> None:
    """Preview the job as it is written in the dock."""
    panel(viewer).preview()


def run(viewer: napari.viewer.Viewer) -> None:
    """Run the job as it is written in the dock."""
    panel(viewer).run()


def explain(viewer: napari.viewer.Viewer) -> None:
    """Show the tiles of the last run and their thoughts."""
    found = panel(viewer)
    found.tabs.setCurrentWidget(found.why_page)
    if found.controller.queue.runs:
        found.why_page.choose(found.controller.queue.runs[-1])


def correct(viewer: napari.viewer.Viewer) -> None:
    """Open a writable crop of the labels in view."""
    found = panel(viewer)
    found.tabs.setCurrentWidget(found.correct_page)
    found.correct_page.open_crop()


def merge(viewer: napari.viewer.Viewer) -> None:
    """Merge the painted crop into its result."""
    panel(viewer).correct_page.merge()


def undo(viewer: napari.viewer.Viewer) -> None:
    """Undo the chosen correction, or the last one."""
    found = panel(viewer)
    found.tabs.setCurrentWidget(found.correct_page)
    found.correct_page.undo_last()


def pause(viewer: napari.viewer.Viewer) -> None:
    """Let the run at work wait, or go on."""
    found = panel(viewer)
    if run_at_work := found.at_work():
        found.act(run_at_work, "resume" if run_at_work.status.state == "paused" else "pause")


def cancel(viewer: napari.viewer.Viewer) -> None:
    """Stop the run at work; what is finished is kept."""
    found = panel(viewer)
    if run_at_work := found.at_work():
        found.act(run_at_work, "cancel")


def copy_job(viewer: napari.viewer.Viewer) -> None:
    """Put the job on the clipboard as a file for ``s1omni run``."""
    panel(viewer).copy("yaml")


def copy_python(viewer: napari.viewer.Viewer) -> None:
    """Put the job on the clipboard as Python."""
    panel(viewer).copy("python")


def copy_command(viewer: napari.viewer.Viewer) -> None:
    """Put the job on the clipboard as a command line."""
    panel(viewer).copy("command")


def load_job(viewer: napari.viewer.Viewer) -> None:
    """Fill the dock from a job file."""
    found = panel(viewer)
    path = QFileDialog.getOpenFileName(found, "Job file", "", "Jobs (*.yaml *.yml *.json)")[0]
    if path:
        try:
            found.load(Job.load(path))
        except S1OmniError as error:
            tell(failure(error))


def open_result(viewer: napari.viewer.Viewer) -> None:
    """Open the output folder of a run as a layer."""
    path = QFileDialog.getExistingDirectory(None, "Output folder of a run")
    if path and get_reader(path):
        viewer.open(path, plugin=PLUGIN)
