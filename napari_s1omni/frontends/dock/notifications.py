"""Telling: one notification for what went wrong, with its details one click away."""

from __future__ import annotations

from typing import Any

from napari.utils.notifications import Notification, NotificationSeverity, notification_manager
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.run.status import Failure


class Details(QDialog):
    """What is known of a failure, for reading and copying.

    Parameters
    ----------
    found : Failure
    log : str
        Last lines that the process printed; empty where there was none.
    parent : QWidget, optional
    """

    def __init__(self, found: Failure, log: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Details")
        self.resize(620, 380 if log else 200)
        column = QVBoxLayout(self)
        for heading, words in (("What happened", found.message), ("What to do", found.remedy)):
            if words:
                said = QLabel(f"{heading}: {_sentence(words)}")
                said.setTextFormat(Qt.TextFormat.PlainText)
                said.setWordWrap(True)
                said.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                column.addWidget(said)
        self.text = QPlainTextEdit(f"{found.kind}, exit code {found.exit_code}" + (f"\n\n{log}" if log else ""))
        self.text.setReadOnly(True)
        column.addWidget(self.text, 1)
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.close)
        column.addWidget(close)


def show_error(found: Failure, heading: str = "", log: str = "") -> None:
    """Show a failure as one notification: what happened, and what to do; a button shows the details.

    Parameters
    ----------
    found : Failure
    heading : str
        Said before it.
    log : str
        What the process printed last.
    """
    words = str(S1OmniError(heading, found.message, found.remedy)) if heading else found.words

    def show(shown: Any) -> None:
        # napari hands over the notification's widget, which fades away: the window is the parent.
        Details(found, log, shown.window()).show()

    notification_manager.dispatch(Notification(words, NotificationSeverity.ERROR, (("Details", show),)))


def _sentence(part: str) -> str:
    """Write a part of a message as a sentence."""
    part = part.strip()
    return part if not part or part.endswith((".", "!", "?")) else f"{part[:1].upper()}{part[1:]}."
