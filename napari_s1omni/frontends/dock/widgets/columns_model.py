"""Measured columns as a Qt table model."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt

from napari_s1omni.results.tables import Columns

SORT_ROLE = Qt.ItemDataRole.UserRole
"""Role of the numbers by which rows are sorted."""


class ColumnsModel(QAbstractTableModel):
    """Measured columns as a Qt table, one row per object.

    Parameters
    ----------
    columns : dict of name to array
    """

    def __init__(self, columns: Columns) -> None:
        super().__init__()
        self.names = list(columns)
        self.columns = columns

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of objects."""
        return len(self.columns["label"])

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of properties."""
        return len(self.names)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return one value as text, or as a number for sorting."""
        value = self.columns[self.names[index.column()]][index.row()]
        if role == SORT_ROLE:
            return value if isinstance(value, str) else float(value)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        if isinstance(value, np.bool_):
            return "yes" if value else ""
        if isinstance(value, str):
            return value
        return f"{value:,}" if isinstance(value, np.integer) else f"{value:.5g}"

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the name of a column."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return self.names[section].replace("_", " ")
        return None
