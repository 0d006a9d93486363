"""A search box for the thoughts of a run, with its hits."""

from __future__ import annotations

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_s1omni.frontends.dock.widgets.thought_name import thought_name


class ThoughtSearch(QWidget):
    """Searches thoughts; the list is hidden until the first search."""

    search_requested = Signal(str)
    """The text to search for."""
    key_chosen = Signal(str)
    """Key of the thought that was clicked."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        self.line = QLineEdit()
        self.line.setPlaceholderText("Search all thoughts")
        self.line.setClearButtonEnabled(True)
        self.line.returnPressed.connect(lambda: self.search_requested.emit(self.line.text()))
        column.addWidget(self.line)
        self.hits = QListWidget()
        self.hits.setMaximumHeight(110)
        self.hits.setVisible(False)
        self.hits.itemActivated.connect(self._on_item)
        self.hits.itemClicked.connect(self._on_item)
        column.addWidget(self.hits)

    def show_hits(self, found: list[tuple[str, str]]) -> None:
        """Show the key and the matching line of each thought."""
        self.hits.clear()
        for key, line in found:
            item = QListWidgetItem(f"{thought_name(key)}: {line}")
            item.setData(Qt.ItemDataRole.UserRole, key)
            self.hits.addItem(item)
        if not found:
            self.hits.addItem("No thought contains these words.")
        self.hits.setVisible(True)

    def _on_item(self, item: QListWidgetItem) -> None:
        key = item.data(Qt.ItemDataRole.UserRole)
        if key is not None:
            self.key_chosen.emit(key)
