"""The page "Runs": every run, its progress and its buttons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from napari_s1omni.frontends.dock.widgets.run_row import RunAction, RunRow
from napari_s1omni.frontends.session.run import Run


class RunsPage(QScrollArea):
    """The list of runs, newest first.

    Parameters
    ----------
    on_action, on_copy : callable
        See :class:`~napari_s1omni.frontends.dock.widgets.run_row.RunRow`.
    """

    def __init__(self, on_action: Callable[[Run, RunAction], None], on_copy: Callable[[str, Run], None]) -> None:
        super().__init__()
        self._on_action, self._on_copy = on_action, on_copy
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        body = QWidget()
        self._column = QVBoxLayout(body)
        self._column.setContentsMargins(6, 6, 6, 6)
        self._column.setSpacing(6)
        self._empty = QLabel("No runs yet. Press Run on the page 'Job'. Runs continue when napari is closed.")
        self._empty.setWordWrap(True)
        self._column.addWidget(self._empty)
        self._column.addStretch()
        self.setWidget(body)
        self.rows: dict[Run, RunRow] = {}

    def add(self, run: Run) -> None:
        """Add a run at the top."""
        run_row = RunRow(run, self._on_action, self._on_copy)
        self.rows[run] = run_row
        self._column.insertWidget(0, run_row)
        self._empty.setVisible(False)
        run.changed.connect(run_row.refresh)
        run.ended.connect(run_row.refresh)

    def remove(self, run: Run) -> None:
        """Remove a run from the list."""
        run_row: Any = self.rows.pop(run)
        run.changed.disconnect(run_row.refresh)
        run.ended.disconnect(run_row.refresh)
        self._column.removeWidget(run_row)
        run_row.deleteLater()
        self._empty.setVisible(not self.rows)
