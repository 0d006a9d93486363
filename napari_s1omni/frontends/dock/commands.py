"""Commands: what the menus and the command palette of napari call."""

from __future__ import annotations

from typing import Any

import napari
from napari.utils.notifications import show_info
from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import describe_failure
from napari_s1omni.frontends.dock.notifications import show_error
from napari_s1omni.frontends.napari_layers.reader import get_reader
from napari_s1omni.planning.job import Job

PLUGIN = "napari_s1omni"
PANEL = "Think and generate"
TABLE = "Measurements"
_NO_TILE = "No tile is chosen; click one on the page 'Why'."


def panel(viewer: Any) -> Any:
    """Return the dock of a viewer, opening it where it is closed."""
    return viewer.window.add_plugin_dock_widget(PLUGIN, PANEL)[1]


def is_open(viewer: Any) -> bool:
    """Whether the dock of a viewer is there."""
    return any(name.startswith(PANEL) for name in viewer.window.dock_widgets)


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


def another_seed(viewer: napari.viewer.Viewer) -> None:
    """Try the chosen tile again with another seed."""
    _press(_why(viewer).again_seed, _NO_TILE)


def another_wording(viewer: napari.viewer.Viewer) -> None:
    """Try the chosen tile again with the wording that is written for it."""
    page = _why(viewer)
    if page.wording.text().strip():
        _press(page.again_words, _NO_TILE)
    else:
        page.wording.setFocus()
        show_info("No wording is written; write one for the tile on the page 'Why'.")


def accept(viewer: napari.viewer.Viewer) -> None:
    """Draw the chosen tile in its result as it was tried."""
    _press(_why(viewer).accept, "No tile of a complete result was tried again.")


def undo_tile(viewer: napari.viewer.Viewer) -> None:
    """Return to the result before the last tile that was accepted."""
    _press(_why(viewer).undo, "There is no accepted tile to undo.")


def use_for_all(viewer: napari.viewer.Viewer) -> None:
    """Take what was tried on a tile over into the job."""
    _press(_why(viewer).for_all, "No tile was tried again.")


def restore(viewer: napari.viewer.Viewer) -> None:
    """Bring back what is in view from before tiles were redone."""
    found = panel(viewer)
    found.tabs.setCurrentWidget(found.correct_page)
    _press(found.correct_page.restore_button, "No result from before tiles were redone is kept.")


def save_table(viewer: napari.viewer.Viewer) -> None:
    """Save the table of measurements as CSV."""
    found = viewer.window.add_plugin_dock_widget(PLUGIN, TABLE)[1]
    _press(found.save_button, "Nothing is measured yet; choose labels and measure them.")


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
        found.act(run_at_work, "resume" if run_at_work.status.state is RunState.PAUSED else "pause")


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
            show_error(describe_failure(error))


def open_result(viewer: napari.viewer.Viewer) -> None:
    """Open the output folder of a run as a layer."""
    path = QFileDialog.getExistingDirectory(None, "Output folder of a run")
    if path and get_reader(path):
        viewer.open(path, plugin=PLUGIN)


def _why(viewer: Any) -> Any:
    """Open the dock on its page of tiles."""
    found = panel(viewer)
    found.tabs.setCurrentWidget(found.why_page)
    return found.why_page


def _press(made: QPushButton, otherwise: str) -> None:
    """Press a button, or say why that cannot be done now."""
    if made.isEnabled():
        made.click()
    else:
        show_info(otherwise)
