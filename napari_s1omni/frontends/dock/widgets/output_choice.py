"""A line for the output folder, with a button to browse."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QToolButton, QWidget

from napari_s1omni.frontends.session.controller import Controller
from napari_s1omni.planning.job import Job


class OutputChoice(QWidget):
    """The output folder of the job; empty is a new folder in the cache.

    Parameters
    ----------
    controller : Controller
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self._controller = controller
        self.line = QLineEdit()
        self.line.setPlaceholderText("in the cache folder")
        self.line.setToolTip(Job.model_fields["output"].description or "")
        self.line.editingFinished.connect(self._edited)
        browse = QToolButton()
        browse.setText("…")
        browse.setToolTip("Choose a folder")
        browse.clicked.connect(self._browse)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.line, 1)
        row.addWidget(browse)

    def _edited(self) -> None:
        path = self.line.text().strip() or None
        if path != self._controller.output:
            self._controller.output = path
            self._controller.refresh()

    def _browse(self) -> None:
        folder = QFileDialog.getSaveFileName(self, "Output folder", self.line.text() or "result.zarr")[0]
        if folder:
            self.line.setText(str(Path(folder)))
            self._edited()
