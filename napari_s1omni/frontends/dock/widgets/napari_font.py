"""The font size of napari for the widgets that its own style leaves out, such as lists, fields and boxes of text."""

from __future__ import annotations

from typing import Any

from napari.settings import get_settings
from qtpy.QtWidgets import QWidget

_LEFT_OUT = "QPlainTextEdit, QTextEdit, QLineEdit, QListView, QTableView, QHeaderView, QToolButton, QMenu"


class NapariFont:
    """Gives a widget and all in it the font size that is set in napari, now and after each change.

    Parameters
    ----------
    widget : QWidget
    """

    def __init__(self, widget: QWidget) -> None:
        self._widget = widget
        self._event = get_settings().appearance.events.font_size
        self._event.connect(self._follow)
        self._follow()

    def close(self) -> None:
        """Stop following."""
        self._event.disconnect(self._follow)

    def _follow(self, event: Any = None) -> None:
        # napari writes its labels and buttons one point larger than the setting.
        size = get_settings().appearance.font_size + 1
        self._widget.setStyleSheet(f"{_LEFT_OUT} {{ font-size: {size}pt; }}")
