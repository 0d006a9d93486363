"""The page "Runs": every run with its progress and its buttons, and the results of earlier sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from psygnal import Signal
from qtpy.QtWidgets import QFrame, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from napari_s1omni.frontends.dock.results.result_row import ResultRow
from napari_s1omni.frontends.dock.widgets.run_row import RunAction, RunRow
from napari_s1omni.frontends.session.results.finished import FinishedResult
from napari_s1omni.frontends.session.run import Run


class RunsPage(QScrollArea):
    """The list of runs, newest first, and below it the results of earlier sessions.

    Parameters
    ----------
    on_action, on_copy : callable
        See :class:`~napari_s1omni.frontends.dock.widgets.run_row.RunRow`.
    """

    open_requested = Signal(object)
    """A :class:`~napari_s1omni.frontends.session.results.finished.FinishedResult` to show."""
    removal_requested = Signal(object)
    """A :class:`~napari_s1omni.frontends.session.results.finished.FinishedResult` to remove."""
    more_requested = Signal()
    """More results of earlier sessions."""

    def __init__(self, on_action: Callable[[Run, RunAction], None], on_copy: Callable[[str, Run], None]) -> None:
        super().__init__()
        self._on_action, self._on_copy = on_action, on_copy
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(6, 6, 6, 6)
        column.setSpacing(6)
        self._column, self._earlier = QVBoxLayout(), QVBoxLayout()
        self._empty = QLabel("No runs yet. Press Run on the page 'Job'. Runs continue when napari is closed.")
        self._empty.setWordWrap(True)
        self._heading = QLabel("Earlier results")
        self._heading.setStyleSheet("font-weight: bold;")
        self.more_button = QPushButton("Show older results")
        self.more_button.clicked.connect(lambda _: self.more_requested.emit())
        column.addLayout(self._column)
        column.addWidget(self._empty)
        column.addWidget(self._heading)
        column.addLayout(self._earlier)
        column.addWidget(self.more_button)
        column.addStretch()
        self.setWidget(body)
        self.rows: dict[Run, RunRow] = {}
        self.results: dict[Path, ResultRow] = {}
        """Folder -> row of a result of an earlier session."""
        self.show_results((), False)

    def add(self, run: Run) -> None:
        """Add a run at the top."""
        run_row = RunRow(run, self._on_action, self._on_copy)
        self.rows[run] = run_row
        self._column.insertWidget(0, run_row)
        run.changed.connect(run_row.refresh)
        run.changed.connect(self._refresh_waiting)
        run.ended.connect(run_row.refresh)
        self.remove_result(run.path)
        self._show_headings()

    def remove(self, run: Run) -> None:
        """Remove a run from the list."""
        run_row: Any = self.rows.pop(run)
        run.changed.disconnect(run_row.refresh)
        run.changed.disconnect(self._refresh_waiting)
        run.ended.disconnect(run_row.refresh)
        self._column.removeWidget(run_row)
        run_row.deleteLater()
        self._show_headings()

    def _refresh_waiting(self, run: Run) -> None:
        """Say again what runs wait for, once the one before them is paused or continues."""
        for other in [one for one in self.rows if one.queued and one.behind is run]:
            self.rows[other].refresh()

    def show_results(self, found: Sequence[FinishedResult], more: bool) -> None:
        """Show the results of earlier sessions, and whether there are more; runs of this session have rows already."""
        for path in list(self.results):
            self.remove_result(path)
        known = {run.path for run in self.rows}
        for result in found:
            if result.path not in known:
                result_row = ResultRow(result, self.open_requested.emit, self.removal_requested.emit)
                self.results[result.path] = result_row
                self._earlier.addWidget(result_row)
        self.more_button.setVisible(more)
        self._show_headings()

    def remove_result(self, path: Path) -> None:
        """Remove the result of an earlier session from the list."""
        result_row = self.results.pop(path, None)
        if result_row is not None:
            self._earlier.removeWidget(result_row)
            result_row.deleteLater()
            self._show_headings()

    def _show_headings(self) -> None:
        self._empty.setVisible(not self.rows and not self.results)
        self._heading.setVisible(bool(self.results))
