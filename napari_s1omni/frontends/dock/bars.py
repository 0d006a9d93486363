"""Bars: napari's progress of a run, its tiles nested under its blocks, with what is left and a button that cancels."""

from __future__ import annotations

from typing import Any

from napari.utils.progress import cancelable_progress, progress
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QWidget

from napari_s1omni.cost import duration
from napari_s1omni.execution.status import RunStatus


class Bars:
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
        self._group = _group_of(self._blocks)
        if self._group is not None:
            # napari would delete it with the bars still in it, and look at it while it is half gone: PySide6 then
            # ends the process. It is deleted here, when it is empty.
            self._group.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)

    @property
    def is_canceled(self) -> bool:
        """Whether its button was pressed."""
        return bool(self._blocks.is_canceled)

    def show(self, status: RunStatus) -> None:
        """Show how far the run is."""
        words = f"{status.tiles_done:,} of {status.tiles_total:,} tiles"
        if status.state != "running":
            words = status.state
        elif status.eta is not None:
            words += f", {duration(status.eta)} left"
        self._blocks.set_description(f"{self._title}: {status.blocks_done:,} of {status.blocks_total:,} blocks")
        self._blocks.update(max(0, status.blocks_done - self._blocks.n))
        self._tiles.set_description(words)
        self._tiles.update(max(0, status.tiles_done - self._tiles.n))

    def close(self) -> None:
        """Take them away."""
        self._tiles.close()
        self._blocks.close()
        if self._group is not None:
            # After its bars, whose deletion is due already.
            self._group.deleteLater()
            self._group = None


def _group_of(bar: progress) -> Any:
    """Return the widget in which napari shows a bar and those nested under it; None without a window."""
    for widget in QApplication.allWidgets():
        if getattr(widget, "progress", None) is bar:
            holder = widget.parent()
            return holder if isinstance(holder, QWidget) else None
    return None
