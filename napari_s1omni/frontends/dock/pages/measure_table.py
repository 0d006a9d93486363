"""A sortable table of measured objects, linked to their labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from napari.utils.notifications import show_info
from qtpy.QtCore import QSortFilterProxyModel
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QHeaderView,
    QLabel,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_s1omni.execution.run.status import Failure
from napari_s1omni.frontends.dock.main_thread import MainThread
from napari_s1omni.frontends.dock.notifications import errors_shown, show_error
from napari_s1omni.frontends.dock.view_geometry import move_view
from napari_s1omni.frontends.dock.widgets.columns_model import SORT_ROLE, ColumnsModel
from napari_s1omni.frontends.dock.widgets.napari_font import NapariFont
from napari_s1omni.frontends.dock.widgets.parts import button, row
from napari_s1omni.frontends.napari_layers.open_labels import OpenLabels, is_measurable, open_labels
from napari_s1omni.frontends.napari_layers.result_layers import label_features
from napari_s1omni.frontends.session.background import BackgroundQueue
from napari_s1omni.results.tables import Columns, write_table


class MeasureTable(QWidget):
    """Measures the objects of any labels.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self._main_thread = MainThread(self)
        self._background = BackgroundQueue("measurements", self._main_thread.deliver, self._on_failed)
        self._model: ColumnsModel | None = None
        self._labels: OpenLabels | None = None
        self._layer: Any = None
        self._selecting = False
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.setSpacing(5)
        self.layers = QComboBox()
        self.layers.setToolTip("The labels to measure")
        self.measure_button = button("Measure", "Measure every object, block by block", self.measure)
        self.save_button = button("Save CSV", "Save the table", self.save)
        self.save_button.setEnabled(False)
        column.addWidget(row(self.layers, self.measure_button, self.save_button, stretch=0))
        self.state = QLabel("Choose labels of a run or of any other program, then press Measure.")
        self.state.setWordWrap(True)
        column.addWidget(self.state)
        self.table = QTableView()
        self.table.setSortingEnabled(True)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.verticalHeader().setVisible(False)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSortRole(SORT_ROLE)
        self.table.setModel(self._sorted)
        self.table.selectionModel().selectionChanged.connect(self._on_row)
        column.addWidget(self.table, 1)
        events = napari_viewer.layers.events
        self._events: tuple[Any, ...] = (events.inserted, events.removed, events.reordered)
        for event in self._events:
            event.connect(self._list_layers)
        self._list_layers()
        self._font = NapariFont(self)

    def closeEvent(self, event: Any) -> None:
        """Stop listening to the viewer."""
        self.shut()
        super().closeEvent(event)

    def shut(self) -> None:
        """Stop listening to the viewer and its layers."""
        self._main_thread.close()
        self._background.close()
        for event in self._events:
            event.disconnect(self._list_layers)
        self._follow(None)
        if self._events:
            self._font.close()
        self._events = ()

    def measure(self) -> None:
        """Measure the chosen labels in the background."""
        layer = next((x for x in self.viewer.layers if x.name == self.layers.currentText()), None)
        if layer is None:
            return
        with errors_shown():
            labels = open_labels(layer, self.viewer.layers)
            self.measure_button.setEnabled(False)
            self.state.setText("Measuring …")
            self._background.submit(labels.measure, lambda columns: self.show_columns(layer, labels, columns))

    def show_columns(self, layer: Any, labels: OpenLabels, columns: Columns) -> None:
        """Show a table, and make it the features of its layer."""
        self._labels = labels
        self._model = ColumnsModel(columns)
        self._sorted.setSourceModel(self._model)
        # The rows follow the font, which may have been changed since.
        self.table.verticalHeader().setDefaultSectionSize(self.table.fontMetrics().height() + 6)
        self.table.resizeColumnsToContents()
        self.measure_button.setEnabled(True)
        self.save_button.setEnabled(True)
        units = " x ".join(str(u) for u in layer.units[-2:])
        notes = "".join(f"; {note}" for note in labels.notes)
        self.state.setText(f"{len(columns['label']):,} objects; lengths in the units of the layer ({units}){notes}")
        if len(np.unique(columns["label"])) == len(columns["label"]):
            # A number in several time points is several objects, but one row of features.
            layer.features = label_features(columns)
        self._follow(layer)

    def save(self) -> None:
        """Save the table as CSV."""
        path = QFileDialog.getSaveFileName(self, "Save the table", "objects.csv", "Tables (*.csv)")[0]
        if not path or self._model is None:
            return
        columns = self._model.columns

        message = f"{len(columns['label']):,} rows saved in {path}."
        self._background.submit(lambda: write_table(columns, Path(path)), lambda _: show_info(message))

    def _on_failed(self, error: Failure) -> None:
        self.measure_button.setEnabled(True)
        self.state.setText("" if self._model is None else self.state.text())
        show_error(error)

    def _follow(self, layer: Any) -> None:
        if self._layer is not None:
            self._layer.events.selected_label.disconnect(self._on_label)
        self._layer = layer
        if layer is not None:
            layer.events.selected_label.connect(self._on_label)

    def _on_row(self, *args: Any) -> None:
        """Move the view to the object of the selected row."""
        rows = self.table.selectionModel().selectedRows()
        if self._model is None or self._layer is None or self._labels is None or not rows or self._selecting:
            return
        i = self._sorted.mapToSource(rows[0]).row()
        columns = self._model.columns
        self._selecting = True
        self._layer.selected_label = int(columns["label"][i])
        self._selecting = False
        target, axes, point = self._labels.spec, self._labels.axes, [0.0] * self._layer.ndim
        for axis in "zyx":
            if f"centroid_{axis}" in columns and axis in axes:
                at = target.axes.index(axis)
                centroid = (columns[f"centroid_{axis}"][i] - target.translate[at]) / target.scale[at]
                point[axes.index(axis)] = float(centroid)
        move_view(self.viewer, self._layer, point)

    def _on_label(self, event: Any) -> None:
        """Select the row of the selected label."""
        if self._model is None or self._selecting:
            return
        at = np.flatnonzero(self._model.columns["label"] == self._layer.selected_label)
        if len(at):
            self._selecting = True
            self.table.selectRow(self._sorted.mapFromSource(self._model.index(int(at[0]), 0)).row())
            self._selecting = False

    def _list_layers(self, event: Any = None) -> None:
        chosen = self.layers.currentText()
        self.layers.clear()
        self.layers.addItems([x.name for x in self.viewer.layers if is_measurable(x)])
        self.layers.setCurrentText(chosen)
        self.measure_button.setEnabled(self.layers.count() > 0)
