"""The output folder of the job: a line with a button to browse, and what lies there already with its ways on."""

from __future__ import annotations

from pathlib import Path

from psygnal import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QPushButton, QToolButton, QVBoxLayout, QWidget

from napari_s1omni.frontends.session.controller import Controller
from napari_s1omni.jobs.output_check import Held, OutputCheck, next_free
from napari_s1omni.planning.job import Job

_WARNING, _NOTE = "color: #e69f00;", "color: #56b4e9;"
_REPLACES = "Run replaces the result in {}. The present one is kept beside the new one until you accept or drop it."


class OutputChoice(QWidget):
    """The output folder of the job; empty is a new folder in the cache.

    Parameters
    ----------
    controller : Controller
    """

    open_requested = Signal(object)
    """Path of a result to show."""
    put_back_requested = Signal(object)
    """Path of a result whose earlier one, which it replaced, is wanted back."""

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
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.new_button = QPushButton("New name")
        self.new_button.setToolTip("Save to a new folder beside it")
        self.new_button.clicked.connect(self._take_new_name)
        self.replace_button = QPushButton("Replace")
        self.replace_button.setToolTip(
            "Let the next run replace this result; it is kept until you accept or drop the new one"
        )
        self.replace_button.clicked.connect(self._replace)
        self.open_button = QPushButton("Open")
        self.open_button.setToolTip("Show the image with the result that lies there")
        self.open_button.clicked.connect(self._open)
        self.put_back_button = QPushButton("Put back")
        self.put_back_button.setToolTip("Return to the result that this one replaced")
        self.put_back_button.clicked.connect(self._put_back)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.line, 1)
        row.addWidget(browse)
        answers = QHBoxLayout()
        answers.setSpacing(4)
        for button in (self.new_button, self.replace_button, self.open_button, self.put_back_button):
            answers.addWidget(button)
        answers.addStretch()
        self._answers = QWidget()
        answers.setContentsMargins(0, 0, 0, 0)
        self._answers.setLayout(answers)
        self.question = QWidget()
        """What the folder holds, with the buttons; it belongs where it is in view, since it may stop a run."""
        asked = QVBoxLayout(self.question)
        asked.setContentsMargins(0, 0, 0, 0)
        asked.setSpacing(3)
        asked.addWidget(self.note)
        asked.addWidget(self._answers)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        controller.target.checked.connect(self._show_check)
        self._show_check(None)

    def _show_check(self, check: OutputCheck | None) -> None:
        """Show what the output holds, and what can be done about it."""
        words = "" if check is None else check.words
        replaces = check is not None and check.held is Held.OTHER and self._controller.target.replace
        if check is not None and replaces:
            words = _REPLACES.format(check.path.name)
        self.note.setText(words)
        self.note.setToolTip("" if check is None else f"{check.path}\n{check.details}".strip())
        self.note.setStyleSheet(_NOTE if check is None or check.may_run or check.held is Held.FINISHED else _WARNING)
        self.note.setVisible(bool(words))
        held = None if check is None else check.held
        self.new_button.setVisible(check is not None and not check.may_run)
        self.replace_button.setVisible(held is Held.OTHER and not replaces)
        self.open_button.setVisible(held in (Held.OTHER, Held.FINISHED))
        self.put_back_button.setVisible(check is not None and check.replaced)
        self._answers.setVisible(check is not None and not check.may_run)
        self.question.setVisible(bool(words))

    def _take_new_name(self) -> None:
        check = self._controller.target.check
        if check is not None:
            taken = {run.path for run in self._controller.queue.runs if run.alive}
            self._use(str(next_free(check.path, taken)))

    def _replace(self) -> None:
        self._controller.target.allow_replacing()

    def _open(self) -> None:
        check = self._controller.target.check
        if check is not None:
            self.open_requested.emit(check.path)

    def _put_back(self) -> None:
        check = self._controller.target.check
        if check is not None:
            self.put_back_requested.emit(check.path)

    def _edited(self) -> None:
        path = self.line.text().strip() or None
        if path != self._controller.output:
            self._controller.output = path
            self._controller.refresh()

    def _use(self, path: str) -> None:
        self.line.setText(path)
        self._edited()

    def _browse(self) -> None:
        folder = QFileDialog.getSaveFileName(self, "Output folder", self.line.text() or "result.zarr")[0]
        if folder:
            self._use(str(Path(folder)))
