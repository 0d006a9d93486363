"""MeasureTable: one row per object, sortable, tied to the labels it came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSortFilterProxyModel, Qt
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

from napari_s1omni.frontends.dock.bridge import Bridge
from napari_s1omni.frontends.dock.parts import button, row
from napari_s1omni.frontends.dock.result_layers import features
from napari_s1omni.frontends.dock.telling import inform, tell
from napari_s1omni.frontends.dock.viewer_link import MARK
from napari_s1omni.frontends.errands import Errands
from napari_s1omni.measure import Columns, write_table
from napari_s1omni.results import Result

_SORT = Qt.ItemDataRole.UserRole


class _Model(QAbstractTableModel):
    """A table of columns."""

    def __init__(self, columns: Columns) -> None:
        super().__init__()
        self.names = list(columns)
        self.columns = columns

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Count the objects."""
        return len(self.columns["label"])

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Count the properties."""
        return len(self.names)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Word one value, or hand it out for sorting."""
        value = self.columns[self.names[index.column()]][index.row()]
        if role == _SORT:
            return float(value)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        if isinstance(value, np.bool_):
            return "yes" if value else ""
        return f"{value:,}" if isinstance(value, np.integer) else f"{value:.5g}"

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Name a column."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return self.names[section].replace("_", " ")
        return None


class MeasureTable(QWidget):
    """The measurements of a result.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self._bridge = Bridge(self)
        self._errands = Errands("measuring", lambda found: self._bridge.deliver(lambda: self._failed(found)))
        self._model: _Model | None = None
        self._layer: Any = None
        self._selecting = False
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.setSpacing(5)
        self.layers = QComboBox()
        self.layers.setToolTip("The labels to measure")
        self.measure_button = button("Measure", "Read the result block by block and measure every object", self.measure)
        self.save_button = button("Save CSV", "Save the table", self.save)
        self.save_button.setEnabled(False)
        column.addWidget(row(self.layers, self.measure_button, self.save_button, stretch=0))
        self.state = QLabel("Choose labels that a run made, then press Measure.")
        self.state.setWordWrap(True)
        column.addWidget(self.state)
        self.table = QTableView()
        self.table.setSortingEnabled(True)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.verticalHeader().setVisible(False)
        self.table.verticalHeader().setDefaultSectionSize(20)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSortRole(_SORT)
        self.table.setModel(self._sorted)
        self.table.selectionModel().selectionChanged.connect(self._row_chosen)
        column.addWidget(self.table, 1)
        events = napari_viewer.layers.events
        self._events: tuple[Any, ...] = (events.inserted, events.removed, events.reordered)
        for event in self._events:
            event.connect(self._list)
        self._list()

    def closeEvent(self, event: Any) -> None:
        """Let go of the viewer."""
        self.shut()
        super().closeEvent(event)

    def shut(self) -> None:
        """Let go of the viewer and its layers."""
        self._bridge.close()
        self._errands.close()
        for event in self._events:
            event.disconnect(self._list)
        self._follow(None)
        self._events = ()

    def measure(self) -> None:
        """Measure the chosen labels in a thread of its own."""
        layer = next((x for x in self.viewer.layers if x.name == self.layers.currentText()), None)
        if layer is None:
            return
        path = Path(layer.metadata[MARK]["output"])
        self.measure_button.setEnabled(False)
        self.state.setText("Measuring …")

        def work() -> None:
            columns = Result.open(path).table()
            self._bridge.deliver(lambda: self.show_columns(layer, columns))

        self._errands.do(work)

    def show_columns(self, layer: Any, columns: Columns) -> None:
        """Show a table, and hand it to its layer as features."""
        self._model = _Model(columns)
        self._sorted.setSourceModel(self._model)
        self.table.resizeColumnsToContents()
        self.measure_button.setEnabled(True)
        self.save_button.setEnabled(True)
        units = " x ".join(str(u) for u in layer.units[-2:])
        self.state.setText(f"{len(columns['label']):,} objects; lengths in the units of the layer ({units})")
        layer.features = features(columns)
        self._follow(layer)

    def save(self) -> None:
        """Save the table as CSV."""
        path = QFileDialog.getSaveFileName(self, "Save the table", "objects.csv", "Tables (*.csv)")[0]
        if not path or self._model is None:
            return
        columns = self._model.columns

        def work() -> None:
            write_table(columns, Path(path))
            self._bridge.deliver(lambda: inform(f"{len(columns['label']):,} rows in {path}."))

        self._errands.do(work)

    def _failed(self, found: Any) -> None:
        self.measure_button.setEnabled(True)
        self.state.setText("" if self._model is None else self.state.text())
        tell(found)

    def _follow(self, layer: Any) -> None:
        if self._layer is not None:
            self._layer.events.selected_label.disconnect(self._label_chosen)
        self._layer = layer
        if layer is not None:
            layer.events.selected_label.connect(self._label_chosen)

    def _row_chosen(self, *args: Any) -> None:
        """Go to the object of the chosen row."""
        rows = self.table.selectionModel().selectedRows()
        if self._model is None or self._layer is None or not rows or self._selecting:
            return
        i = self._sorted.mapToSource(rows[0]).row()
        columns = self._model.columns
        self._selecting = True
        self._layer.selected_label = int(columns["label"][i])
        self._selecting = False
        levels = self._layer.metadata[MARK]["levels"]
        target, point = levels.plan.target, [0.0] * self._layer.ndim
        for axis in "zyx":
            if f"centroid_{axis}" in columns and axis in levels.show.axes:
                at = target.axes.index(axis)
                px = (columns[f"centroid_{axis}"][i] - target.translate[at]) / target.scale[at]
                point[levels.show.axes.index(axis)] = float(px)
        world = self._layer.data_to_world(point)
        dims = self.viewer.dims
        shown = dims.displayed
        missing = dims.ndim - self._layer.ndim
        for d in range(dims.ndim):
            if d not in shown and d >= missing:
                dims.set_point(d, world[d - missing])
        self.viewer.scene.camera.center = tuple(world[d - missing] for d in shown)

    def _label_chosen(self, event: Any) -> None:
        """Go to the row of the chosen object."""
        if self._model is None or self._selecting:
            return
        at = np.flatnonzero(self._model.columns["label"] == self._layer.selected_label)
        if len(at):
            self._selecting = True
            self.table.selectRow(self._sorted.mapFromSource(self._model.index(int(at[0]), 0)).row())
            self._selecting = False

    def _list(self, event: Any = None) -> None:
        chosen = self.layers.currentText()
        self.layers.clear()
        self.layers.addItems(
            [
                x.name
                for x in self.viewer.layers
                if type(x).__name__ == "Labels" and "output" in x.metadata.get(MARK, {})
            ]
        )
        self.layers.setCurrentText(chosen)
        self.measure_button.setEnabled(self.layers.count() > 0)
