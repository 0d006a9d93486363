"""The keys of the dock: they work wherever the focus is in the window, also in the canvas.

Alt with F, V, L, P, W and H opens a menu of napari; Alt with C, S and T takes screenshots and traces.
"""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QMainWindow, QPushButton, QWidget

PREVIEW_KEYS = "Alt+E"
RUN_KEYS = "Alt+R"
CROP_KEYS = "Alt+O"
MERGE_KEYS = "Alt+M"


class Shortcuts:
    """Clicks buttons of the dock by keys, while the dock is open.

    Parameters
    ----------
    window : QMainWindow
        The window that the keys are pressed in.
    dock : QWidget
        Nothing happens while it is closed.
    buttons : mapping of str to QPushButton
        Keys such as ``Alt+E``, and what they click.
    """

    def __init__(self, window: QMainWindow, dock: QWidget, buttons: Mapping[str, QPushButton]) -> None:
        self._dock = dock
        self._keys = []
        for keys, button in buttons.items():
            shortcut = QShortcut(QKeySequence(keys), window)
            shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
            shortcut.activated.connect(lambda button=button: self._click(button))
            self._keys.append(shortcut)

    def _click(self, button: QPushButton) -> None:
        if self._dock.isVisible():
            button.click()

    def close(self) -> None:
        """Give the keys back."""
        for shortcut in self._keys:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._keys = []
