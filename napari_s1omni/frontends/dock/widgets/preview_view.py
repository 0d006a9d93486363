"""PreviewView: how a preview goes, the curtain over it, and the thought behind it."""

from __future__ import annotations

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QLabel, QProgressBar, QSlider, QVBoxLayout, QWidget

from napari_s1omni.execution.pipeline.thought_keys import redo_round_of_key
from napari_s1omni.frontends.dock.widgets.parts import BAR, row
from napari_s1omni.frontends.dock.widgets.trace_view import TraceView
from napari_s1omni.frontends.session.preview_client import Answer, Previewed, PreviewFailed, PreviewStep

_AXES = {"t": "t", "z": "z", "g": "channel"}
"""Parts of a key that are worth a word, where they are not the first."""


class PreviewView(QWidget):
    """The lower part of the first page."""

    curtain_moved = Signal(float)
    """Share of the preview, from the left, that shows the result; the rest shows what was before."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 0)
        column.setSpacing(4)
        self.state = QLabel()
        self.state.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.setStyleSheet(BAR)
        self.curtain = QSlider(Qt.Orientation.Horizontal)
        self.curtain.setRange(0, 200)
        self.curtain.setValue(200)
        self.curtain.setToolTip("Curtain: the result left of it, the source right of it")
        self.curtain.valueChanged.connect(lambda value: self.curtain_moved.emit(value / 200))
        self._curtain_row = row(QLabel("Before"), self.curtain, QLabel("After"), stretch=1)
        self.tile = QComboBox()
        self.tile.setToolTip("Thoughts of this preview")
        self.tile.currentIndexChanged.connect(self._choose)
        self.trace = TraceView()
        for widget in (self.state, self.bar, self._curtain_row, self.tile):
            column.addWidget(widget)
            widget.setVisible(False)
        column.addWidget(self.trace, 1)
        self._shown: Previewed | None = None

    def show_answer(self, answer: Answer) -> None:
        """Show how far a preview is, what it made, or why it failed."""
        match answer:
            case PreviewStep():
                self.state.setVisible(True)
                self.state.setText(f"Preview: {answer.words}")
                self.bar.setVisible(True)
                self.bar.setRange(0, answer.total)
                self.bar.setValue(answer.done)
            case PreviewFailed():
                self.state.setVisible(True)
                self.bar.setVisible(False)
                self.state.setText(f"No preview: {answer.failure.words}")
            case Previewed():
                self._show(answer)

    def _show(self, made: Previewed) -> None:
        self._shown = made
        self.bar.setVisible(False)
        self._curtain_row.setVisible(True)
        self.curtain.setValue(200)
        failed = f", {len(made.errors)} failed" if made.errors else ""
        self.state.setText(f"Preview in {made.seconds:.1f} s{failed}")
        self.state.setToolTip("\n".join(made.errors))
        self.tile.blockSignals(True)
        self.tile.clear()
        for key in made.thoughts:
            self.tile.addItem(thought_name(key), key)
        self.tile.blockSignals(False)
        self.tile.setVisible(len(made.thoughts) > 1)
        middle = len(made.thoughts) // 2 if len(made.thoughts) > 1 else 0
        self.tile.setCurrentIndex(middle)
        self._choose(middle)

    def _choose(self, index: int) -> None:
        if self._shown is None or index < 0:
            return
        key = list(self._shown.thoughts)[index]
        self.trace.show_thought(key, self._shown.thoughts[key], f"Thought of {thought_name(key)}")


def thought_name(key: str) -> str:
    """Word the key of a thought: ``tile 3/5``, ``tile 0/1 (z 4), redone``, ``the whole layer``."""
    if number := redo_round_of_key(key):
        return f"{thought_name(key.removesuffix(f'/redo/{number}'))}, redone"
    parts = key.split("/")
    if parts[-1] == "layer":
        return "the whole layer"
    if len(parts) >= 3 and parts[-3] in ("tile", "region"):
        place = ", ".join(f"{_AXES[p[0]]} {p[1:]}" for p in parts[:-3] if p[0] in _AXES and p[1:] != "0")
        return f"{parts[-3]} {parts[-2]}/{parts[-1]}{f' ({place})' if place else ''}"
    return "the instruction"
