"""The box in which a request is written."""

from __future__ import annotations

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QPlainTextEdit

_LINES = 2.5
"""Lines in view; the half one shows that there are more."""
_FRAME = 14
"""Pixels of the frame and the margins."""


class PromptBox(QPlainTextEdit):
    """A few lines of text, as high as the font of napari asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.setStyleSheet("QPlainTextEdit { border: 1px solid rgba(128,128,128,120); border-radius: 3px; }")
        self.setTabChangesFocus(True)
        self._fit()

    def offer(self) -> None:
        """Select the text and take the focus, so that typing replaces it."""
        self.selectAll()
        self.setFocus()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the font."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def _fit(self) -> None:
        height = round(_LINES * self.fontMetrics().lineSpacing()) + _FRAME
        if height != self.height():
            self.setFixedHeight(height)
