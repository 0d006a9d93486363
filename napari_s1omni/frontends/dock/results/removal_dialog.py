"""Asks whether a result is only taken off the list or its folder is deleted."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from qtpy.QtWidgets import QMessageBox, QPushButton, QWidget

from napari_s1omni.core.units import format_bytes


class Removal(Enum):
    """Answer to the dialog."""

    LIST = "Remove from list"
    FOLDER = "Delete folder"
    NOTHING = "Cancel"


def ask_removal(parent: QWidget, title: str, path: Path, size: int | None) -> Removal:
    """Show the dialog and return the answer.

    Parameters
    ----------
    parent : QWidget
    title : str
        Of the run.
    path : Path
        Its folder.
    size : int or None
        Bytes in the folder; None if it must not be deleted.
    """
    box = QMessageBox(parent.window())
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Remove result")
    box.setText(f"Remove '{title}'?")
    deleting = (
        "This folder is not deleted from here."
        if size is None
        else f"Deleting the folder frees {format_bytes(size)} and cannot be undone. The image is not touched."
    )
    box.setInformativeText(f"{path}\n\n{deleting}")
    roles = {
        Removal.LIST: QMessageBox.ButtonRole.AcceptRole,
        Removal.FOLDER: QMessageBox.ButtonRole.DestructiveRole,
        Removal.NOTHING: QMessageBox.ButtonRole.RejectRole,
    }
    shown = {answer: role for answer, role in roles.items() if size is not None or answer is not Removal.FOLDER}
    buttons: dict[Removal, QPushButton] = {answer: box.addButton(answer.value, role) for answer, role in shown.items()}
    box.setDefaultButton(buttons[Removal.NOTHING])
    box.setEscapeButton(buttons[Removal.NOTHING])
    box.exec()
    clicked = box.clickedButton()
    return next((answer for answer, button in buttons.items() if button is clicked), Removal.NOTHING)
