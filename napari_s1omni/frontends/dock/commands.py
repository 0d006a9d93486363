"""The commands in the menus and the command palette of napari."""

from __future__ import annotations

from typing import Any

import napari
from napari.utils.notifications import show_info
from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.frontends.dock.notifications import errors_shown
from napari_s1omni.frontends.napari_layers.open_dock import PLUGIN, open_dock
from napari_s1omni.frontends.napari_layers.reader import get_reader
from napari_s1omni.planning.job import Job

TABLE = "Measurements"
_NO_TILE = "No tile is selected. Click one on the page 'Why'."


def segment(viewer: napari.viewer.Viewer) -> None:
    """Open the dock for segmentation."""
    open_dock(viewer).choose_operation("segmentation")


def super_resolve(viewer: napari.viewer.Viewer) -> None:
    """Open the dock for super-resolution."""
    open_dock(viewer).choose_operation("super_resolution")


def translate(viewer: napari.viewer.Viewer) -> None:
    """Open the dock for modality translation."""
    open_dock(viewer).choose_operation("modality_translation")


def preview(viewer: napari.viewer.Viewer) -> None:
    """Preview the job in the dock."""
    open_dock(viewer).preview()


def run(viewer: napari.viewer.Viewer) -> None:
    """Run the job in the dock."""
    open_dock(viewer).run()


def explain(viewer: napari.viewer.Viewer) -> None:
    """Show the tiles of the newest run of the chosen layer, and their thoughts."""
    dock = open_dock(viewer)
    dock.tabs.setCurrentWidget(dock.why_page)
    dock.why_page.open()


def another_seed(viewer: napari.viewer.Viewer) -> None:
    """Try the selected tile with another seed."""
    _press(_tile_redo(viewer).try_seed, _NO_TILE)


def another_prompt(viewer: napari.viewer.Viewer) -> None:
    """Try the selected tile with the prompt that was entered for it."""
    redo = _tile_redo(viewer)
    if redo.prompt.text().strip():
        _press(redo.try_prompt, _NO_TILE)
    else:
        redo.prompt.setFocus()
        show_info("No prompt was entered. Enter one for the tile on the page 'Why'.")


def accept(viewer: napari.viewer.Viewer) -> None:
    """Redo the selected tile in its result as it was tried."""
    _press(_tile_redo(viewer).accept, "No tile of a complete result was tried again.")


def undo_tile(viewer: napari.viewer.Viewer) -> None:
    """Return to the result before the last accepted tile."""
    _press(_tile_redo(viewer).undo, "There is no accepted tile to undo.")


def use_for_all(viewer: napari.viewer.Viewer) -> None:
    """Use the seed and prompt that were tried on a tile for the whole job."""
    _press(_tile_redo(viewer).use_for_job, "No tile was tried again.")


def restore(viewer: napari.viewer.Viewer) -> None:
    """Return the view to the result before the last redo."""
    dock = open_dock(viewer)
    dock.tabs.setCurrentWidget(dock.correct_page)
    _press(dock.correct_page.restore_button, "There is no previous result to restore.")


def save_table(viewer: napari.viewer.Viewer) -> None:
    """Save the table of measurements as CSV."""
    table = viewer.window.add_plugin_dock_widget(PLUGIN, TABLE)[1]
    _press(table.save_button, "Nothing is measured yet. Choose labels and measure them.")


def correct(viewer: napari.viewer.Viewer) -> None:
    """Open a writable crop of the visible labels."""
    dock = open_dock(viewer)
    dock.tabs.setCurrentWidget(dock.correct_page)
    dock.correct_page.open_crop()


def merge(viewer: napari.viewer.Viewer) -> None:
    """Merge the painted crop into its result."""
    open_dock(viewer).correct_page.merge()


def undo(viewer: napari.viewer.Viewer) -> None:
    """Undo the selected correction, or the last one."""
    dock = open_dock(viewer)
    dock.tabs.setCurrentWidget(dock.correct_page)
    dock.correct_page.undo_last()


def pause(viewer: napari.viewer.Viewer) -> None:
    """Pause or continue the current run."""
    dock = open_dock(viewer)
    if current := dock.current_run():
        dock.act(current, "resume" if current.status.state is RunState.PAUSED else "pause")


def cancel(viewer: napari.viewer.Viewer) -> None:
    """Cancel the current run; finished blocks are kept."""
    dock = open_dock(viewer)
    if current := dock.current_run():
        dock.act(current, "cancel")


def copy_job(viewer: napari.viewer.Viewer) -> None:
    """Copy the job as a job file for ``s1omni run``."""
    open_dock(viewer).copy("yaml")


def copy_python(viewer: napari.viewer.Viewer) -> None:
    """Copy the job as Python."""
    open_dock(viewer).copy("python")


def copy_command(viewer: napari.viewer.Viewer) -> None:
    """Copy the job as a shell command."""
    open_dock(viewer).copy("command")


def load_job(viewer: napari.viewer.Viewer) -> None:
    """Fill the dock from a job file."""
    dock = open_dock(viewer)
    path = QFileDialog.getOpenFileName(dock, "Job file", "", "Jobs (*.yaml *.yml *.json)")[0]
    if path:
        with errors_shown():
            dock.load(Job.load(path))


def open_result(viewer: napari.viewer.Viewer) -> None:
    """Open the output folder of a run as a layer."""
    path = QFileDialog.getExistingDirectory(None, "Output folder of a run")
    if path and get_reader(path):
        viewer.open(path, plugin=PLUGIN)


def _tile_redo(viewer: Any) -> Any:
    """Open the page "Why", and return its part that redoes tiles."""
    dock = open_dock(viewer)
    dock.tabs.setCurrentWidget(dock.why_page)
    return dock.why_page.redo


def _press(button: QPushButton, otherwise: str) -> None:
    """Click a button if it is enabled, else show why it is not."""
    if button.isEnabled():
        button.click()
    else:
        show_info(otherwise)
