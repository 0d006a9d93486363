"""Small widgets that several pages use."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

from psygnal import Signal
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QKeySequence, QResizeEvent
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
SOFT = "color: rgba(140,140,140,255);"
"""Style of secondary text."""
DOUBT = "color: black; background: #f0e442; border-radius: 3px;"
"""Style of a line that a user should read before going on: yellow in every theme."""
_PADDING = 4
"""Pixels around the text of a yellow line. As a margin, since Qt forgets the padding of a style when it wraps text."""
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
    """A line on how the request is understood, a bold line of text, and a smaller one below."""

    link_chosen = Signal(str)
    """Target of a link that was clicked in the first line."""

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
        self.request = QLabel()
        self.request.setTextFormat(Qt.TextFormat.RichText)
        self.request.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.request.linkActivated.connect(self.link_chosen.emit)
        self.line = QLabel()
        self.line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.small = QLabel()
        self.small.setTextFormat(Qt.TextFormat.RichText)
        self.small.setStyleSheet(SOFT)
        for label in (self.request, self.line, self.small):
            label.setWordWrap(True)
            column.addWidget(label)
        self.request.setVisible(False)

    def show_text(self, line: str, small: str = "", tip: str = "", *, warning: bool = False) -> None:
        """Show one or two lines.

        Parameters
        ----------
        line, small, tip : str
        warning : bool
            Whether the user has to correct something.
        """
        self.line.setStyleSheet(DOUBT if warning else "font-weight: bold;")
        self.line.setMargin(_PADDING if warning else 0)
        self.line.setText(line)
        self.small.setText(smaller(small))
        self.small.setVisible(bool(small))
        self.setToolTip(tip)
        if warning:
            self.show_request("")

    def show_request(self, line: str, why: str = "", link: tuple[str, str] | None = None) -> None:
        """Show how the request is understood, above the other lines.

        Parameters
        ----------
        line : str
            Empty to show nothing.
        why : str
            Tooltip; not empty if something was not understood or was guessed, which is shown in yellow.
        link : (target, text), optional
            An answer to click.
        """
        answer = f" <a href='{html.escape(link[0])}' style='color:#0059a8'>{html.escape(link[1])}</a>" if link else ""
        self.request.setStyleSheet(DOUBT if why else SOFT)
        self.request.setMargin(_PADDING if why else 0)
        self.request.setText(html.escape(line) + answer)
        self.request.setToolTip(why)
        self.request.setVisible(bool(line))


def smaller(text: str) -> str:
    """Return text as rich text that is a little smaller than the font of napari, whatever that is."""
    return f"<small>{html.escape(text)}</small>"


class KeyButton(QPushButton):
    """A button that shows its keys where there is room for them.

    Parameters
    ----------
    text : str
    keys : str
        Such as ``Alt+R``; :class:`~napari_s1omni.frontends.dock.shortcuts.Shortcuts` presses the button by them.
    """

    def __init__(self, text: str, keys: str) -> None:
        super().__init__(text)
        shown = QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)
        self._short, self._long = text, f"{text}  ({shown})"
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Return the size with the keys."""
        return self._with_text(super().sizeHint(), self._long)

    def minimumSizeHint(self) -> QSize:
        """Return the size without the keys."""
        # The minimum of Qt is the hint above, whatever the text.
        return self._with_text(super().sizeHint(), self._short)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave the keys out of a narrow button."""
        super().resizeEvent(event)
        self.setText(self._long if self.width() >= self.sizeHint().width() else self._short)

    def _with_text(self, size: QSize, text: str) -> QSize:
        width = self.fontMetrics().horizontalAdvance
        return QSize(size.width() - width(self.text()) + width(text), size.height())


def button(text: str, tip: str, work: Callable[[], Any], keys: str = "") -> QPushButton:
    """Return a button, which shows its keys if it has any."""
    widget = KeyButton(text, keys) if keys else QPushButton(text)
    widget.setToolTip(f"{tip} ({keys})" if keys else tip)
    widget.clicked.connect(lambda _: work())
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
