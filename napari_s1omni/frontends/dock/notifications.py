"""Failures as napari notifications, with a button that shows the details."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from napari.utils.notifications import Notification, NotificationSeverity, notification_manager
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.run.status import Failure, describe_failure


class DetailsDialog(QDialog):
    """Shows a failure and its log, for reading and copying.

    Parameters
    ----------
    found : Failure
    log : str
        End of the log of the process; empty if there was none.
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
                label = QLabel(f"{heading}: {_sentence(words)}")
                label.setTextFormat(Qt.TextFormat.PlainText)
                label.setWordWrap(True)
                label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                column.addWidget(label)
        self.text = QPlainTextEdit(f"{found.kind}, exit code {found.exit_code}" + (f"\n\n{log}" if log else ""))
        self.text.setReadOnly(True)
        column.addWidget(self.text, 1)
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.close)
        column.addWidget(close)


def show_error(found: Failure, heading: str = "", log: str = "") -> None:
    """Show a failure as one notification: what happened and what to do, with a button for the details.

    Parameters
    ----------
    found : Failure
    heading : str
        Text before the message.
    log : str
        End of the log of the process.
    """
    words = str(S1OmniError(heading, found.message, found.remedy)) if heading else found.words

    def show(shown: Any) -> None:
        # napari passes the notification widget, which fades away: the window is the parent.
        DetailsDialog(found, log, shown.window()).show()

    notification_manager.dispatch(Notification(words, NotificationSeverity.ERROR, (("Details", show),)))


@contextmanager
def errors_shown() -> Iterator[None]:
    """Show an error of the body as a notification, since exceptions must not reach Qt."""
    try:
        yield
    except Exception as error:
        show_error(describe_failure(error))


def _sentence(part: str) -> str:
    """Return a part of a message as a sentence."""
    part = part.strip()
    return part if not part or part.endswith((".", "!", "?")) else f"{part[:1].upper()}{part[1:]}."
