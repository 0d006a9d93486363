"""Farewell: closing napari while runs are at work asks whether they should go on."""

from __future__ import annotations

import contextlib

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMainWindow, QMessageBox

from napari_s1omni.frontends.session.run_queue import RunQueue


class CloseDialog(QObject):
    """Asks before a window closes.

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
        """Ask no more."""
        # The window may have been deleted already.
        with contextlib.suppress(RuntimeError):
            self._window.removeEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Hold the closing until it is answered."""
        if event.type() != QEvent.Type.Close or not self._queue.alive:
            return False
        answer = self.ask()
        if answer == "stay":
            event.ignore()
            return True
        for run in self._queue.alive:
            if run.queued or answer == "cancel":
                run.cancel()
        return False

    def ask(self) -> str:
        """Return ``go on``, ``cancel`` or ``stay``."""
        runs = self._queue.alive
        box = QMessageBox(self._window)
        box.setWindowTitle("Runs are at work")
        box.setText(f"{len(runs)} run{'s are' if len(runs) > 1 else ' is'} at work. Should they go on without napari?")
        waiting = sum(run.queued for run in runs)
        note = f" {waiting} that wait for their turn will not start." if waiting else ""
        box.setInformativeText(f"The next napari offers them again.{note}")
        on = box.addButton("Let them go on", QMessageBox.ButtonRole.AcceptRole)
        stop = box.addButton("Cancel them", QMessageBox.ButtonRole.DestructiveRole)
        stay = box.addButton("Stay here", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(on)
        box.setEscapeButton(stay)
        box.exec()
        clicked = box.clickedButton()
        return "go on" if clicked is on else "cancel" if clicked is stop else "stay"
