"""napari progress bars of a run: tiles nested under blocks, with the time left and a cancel button."""

from __future__ import annotations

from typing import Any

from napari.utils.progress import cancelable_progress, progress
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_s1omni.core.units import format_duration
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import RunStatus


class ProgressBars:
    """The two bars of one run.

    Parameters
    ----------
    title : str
    status : RunStatus
    """

    def __init__(self, title: str, status: RunStatus) -> None:
        self._title = title
        self._blocks = cancelable_progress(total=status.blocks_total, desc=title)
        self._tiles = progress(total=status.tiles_total, desc="tiles", nest_under=self._blocks)
        self._widgets = {bar: _widget_of(bar) for bar in (self._blocks, self._tiles)}
        shown = self._widgets[self._blocks]
        self._group = None if shown is None else shown.parent()
        if self._group is not None:
            # napari deletes it while bars are still in it, which crashes PySide6; close() deletes it when it is empty.
            self._group.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)

    @property
    def is_canceled(self) -> bool:
        """Whether its cancel button was pressed."""
        return bool(self._blocks.is_canceled)

    def show(self, status: RunStatus) -> None:
        """Show the progress of the run."""
        left = ""
        if status.state is not RunState.RUNNING:
            left = status.state
        elif status.eta is not None:
            left = f"{format_duration(status.eta)} left"
        blocks = f"{self._title}: {status.blocks_done:,} of {status.blocks_total:,} blocks"
        self._set(self._blocks, blocks, status.blocks_done, "")
        self._set(self._tiles, f"{status.tiles_done:,} of {status.tiles_total:,} tiles", status.tiles_done, left)

    def _set(self, bar: progress, text: str, done: int, left: str) -> None:
        """Update a bar directly; napari's own method redraws the whole window each time."""
        bar.desc, bar.n = f"{text}: ", done
        widget = self._widgets[bar]
        if widget is not None:
            widget.description_label.setText(bar.desc)
            widget.qt_progress_bar.setValue(done)
            widget.eta_label.setText(left)

    def close(self) -> None:
        """Remove the bars."""
        self._tiles.close()
        self._blocks.close()
        self._widgets = {}
        if self._group is not None:
            # Its bars are scheduled for deletion already, so it goes after them.
            self._group.deleteLater()
            self._group = None


def _widget_of(bar: progress) -> Any:
    """Return the widget that shows a bar; None without a window."""
    return next((widget for widget in QApplication.allWidgets() if getattr(widget, "progress", None) is bar), None)
