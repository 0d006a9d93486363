"""Asks before napari closes whether its runs should continue in the background."""

from __future__ import annotations

import contextlib
from enum import Enum

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMainWindow, QMessageBox

from napari_s1omni.frontends.session.run_queue import RunQueue


class CloseChoice(Enum):
    """Answer to the dialog."""

    KEEP_RUNNING = "Keep running"
    CANCEL_RUNS = "Cancel runs"
    STAY = "Stay in napari"


class CloseDialog(QObject):
    """Shows a dialog before a window closes while runs work.

    Parameters
    ----------
    window : QMainWindow
    queue : RunQueue
    """

    def __init__(self, window: QMainWindow, queue: RunQueue) -> None:
        super().__init__()
        self._window = window
        self._queue = queue
        self._window.installEventFilter(self)

    def close(self) -> None:
        """Stop listening to the window."""
        # The window may have been deleted already.
        with contextlib.suppress(RuntimeError):
            self._window.removeEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Hold a close event until the dialog is answered."""
        if event.type() != QEvent.Type.Close or not self._queue.alive:
            return False
        choice = self.ask()
        if choice is CloseChoice.STAY:
            event.ignore()
            return True
        for run in self._queue.alive:
            if run.queued or choice is CloseChoice.CANCEL_RUNS:
                run.cancel()
        return False

    def ask(self) -> CloseChoice:
        """Show the dialog and return the answer."""
        runs = self._queue.alive
        waiting = sum(run.queued for run in runs)
        box = QMessageBox(self._window)
        box.setWindowTitle("Runs in progress")
        count = "1 run is" if len(runs) == 1 else f"{len(runs)} runs are"
        box.setText(f"{count} in progress. Keep running in the background?")
        note = f" Queued runs ({waiting}) will not start." if waiting else ""
        box.setInformativeText(f"Unfinished runs reappear when you restart napari.{note}")
        roles = {
            CloseChoice.KEEP_RUNNING: QMessageBox.ButtonRole.AcceptRole,
            CloseChoice.CANCEL_RUNS: QMessageBox.ButtonRole.DestructiveRole,
            CloseChoice.STAY: QMessageBox.ButtonRole.RejectRole,
        }
        buttons = {choice: box.addButton(choice.value, role) for choice, role in roles.items()}
        box.setDefaultButton(buttons[CloseChoice.KEEP_RUNNING])
        box.setEscapeButton(buttons[CloseChoice.STAY])
        box.exec()
        clicked = box.clickedButton()
        return next((choice for choice, widget in buttons.items() if widget is clicked), CloseChoice.STAY)
