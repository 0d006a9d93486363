"""Small widgets that several pages use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

BAR = (
    "QProgressBar { border: none; border-radius: 3px; background: rgba(128,128,128,60); }"
    "QProgressBar::chunk { border-radius: 3px; background: #56b4e9; }"
)
"""Style of a progress bar, for dark and light themes."""
SMALL = "font-size: 10px; color: rgba(140,140,140,255);"
"""Style of small secondary text."""
COPIES = {"yaml": "Job file (YAML)", "python": "Python", "command": "Command line"}
"""Formats in which a job is copied."""


class Choice(QWidget):
    """A row of buttons, one of them checked.

    Parameters
    ----------
    entries : sequence of (key, label, tooltip)
    on_choice : callable
        Called with the key.
    """

    def __init__(self, entries: Sequence[tuple[str, str, str]], on_choice: Callable[[str], None]) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        self._buttons: dict[str, QPushButton] = {}
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        for key, label, tip in entries:
            button = QPushButton(label)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda _, key=key: on_choice(key))
            self._group.addButton(button)
            row.addWidget(button)
            self._buttons[key] = button

    def show_choice(self, key: str) -> None:
        """Check one button."""
        self._buttons[key].setChecked(True)


class Section(QWidget):
    """A heading that shows and hides a widget.

    Parameters
    ----------
    title : str
    body : QWidget
    tip : str
    """

    def __init__(self, title: str, body: QWidget, tip: str = "") -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.button = QToolButton()
        self.button.setText(f" {title}")
        self.button.setToolTip(tip)
        self.button.setCheckable(True)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setArrowType(Qt.ArrowType.RightArrow)
        self.button.setStyleSheet("QToolButton { border: none; background: transparent; padding: 3px 0; }")
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button.toggled.connect(self._toggle)
        self.body = body
        body.setVisible(False)
        column.addWidget(self.button)
        column.addWidget(body)

    def _toggle(self, opened: bool) -> None:
        self.button.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        self.body.setVisible(opened)


class SummaryCard(QFrame):
    """A bold line of text, and a smaller one below."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("s1omniCard")
        self.setStyleSheet(
            "#s1omniCard { border: 1px solid rgba(128,128,128,90); border-radius: 4px;"
            " background: rgba(128,128,128,28); }"
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 6)
        column.setSpacing(2)
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.small = QLabel()
        self.small.setWordWrap(True)
        self.small.setStyleSheet(SMALL)
        column.addWidget(self.line)
        column.addWidget(self.small)

    def show_text(self, line: str, small: str = "", tip: str = "", *, warning: bool = False) -> None:
        """Show one or two lines.

        Parameters
        ----------
        line, small, tip : str
        warning : bool
            Whether the user has to correct something.
        """
        self.line.setStyleSheet("color: #e69f00;" if warning else "font-weight: bold;")
        self.line.setText(line)
        self.small.setText(small)
        self.small.setVisible(bool(small))
        self.setToolTip(tip)


def button(
    text: str, tip: str, work: Callable[[], Any], shortcut: str = "", parent: QWidget | None = None
) -> QPushButton:
    """Return a button that shows its shortcut; the shortcut works while the dock has the focus."""
    keys = QKeySequence(shortcut)
    shown = f"{text}  ({keys.toString(QKeySequence.SequenceFormat.NativeText)})" if shortcut else text
    widget = QPushButton(shown)
    widget.setToolTip(tip)
    widget.clicked.connect(lambda _: work())
    if shortcut and parent is not None:
        key = QShortcut(keys, parent)
        key.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        key.activated.connect(lambda: work() if widget.isEnabled() else None)
    return widget


def copy_button(on_copy: Callable[[str], Any], tip: str) -> QToolButton:
    """Return a button with a menu of formats: ``yaml``, ``python`` and ``command``."""
    widget = QToolButton()
    widget.setText("Copy as")
    widget.setStyleSheet("QToolButton { padding-right: 14px; }")
    widget.setToolTip(tip)
    widget.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    menu = QMenu(widget)
    for key, text in COPIES.items():
        menu.addAction(text, lambda key=key: on_copy(key))
    widget.setMenu(menu)
    return widget


def row(*widgets: QWidget, stretch: int | None = None) -> QWidget:
    """Return widgets in a row."""
    holder = QWidget()
    layout = QHBoxLayout(holder)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    for i, widget in enumerate(widgets):
        layout.addWidget(widget, 1 if i == stretch else 0)
    return holder
