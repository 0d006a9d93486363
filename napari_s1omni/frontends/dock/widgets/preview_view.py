"""The progress of a preview, its before/after slider, and its thoughts."""

from __future__ import annotations

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QLabel, QProgressBar, QSlider, QVBoxLayout, QWidget

from napari_s1omni.frontends.dock.widgets.parts import BAR, button, row
from napari_s1omni.frontends.dock.widgets.thought_name import thought_name
from napari_s1omni.frontends.dock.widgets.trace_view import TraceView
from napari_s1omni.frontends.session.preview.events import (
    PreviewCancelled,
    PreviewEvent,
    PreviewFailed,
    PreviewPart,
    PreviewProgress,
    PreviewResult,
)


class PreviewView(QWidget):
    """The lower part of the page "Job"."""

    slider_moved = Signal(float)
    """Share of the preview, from the left, that shows the result; the rest shows the source."""
    cancelled = Signal()
    """The preview is to stop."""

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
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 200)
        self.slider.setValue(200)
        self.slider.setToolTip("Shows the result on its left, the source on its right")
        self.slider.valueChanged.connect(lambda value: self.slider_moved.emit(value / 200))
        self._slider_row = row(QLabel("Before"), self.slider, QLabel("After"), stretch=1)
        self.tile = QComboBox()
        self.tile.setToolTip("The thoughts of this preview")
        self.tile.currentIndexChanged.connect(self._show_thought)
        self.trace = TraceView()
        self.cancel = button("Cancel preview", "Stop after the tile that is being drawn", self.cancelled.emit)
        for widget in (self.state, self.bar, self.cancel, self._slider_row, self.tile):
            column.addWidget(widget)
            widget.setVisible(False)
        column.addWidget(self.trace, 1)
        self._shown: PreviewResult | None = None

    def show_event(self, event: PreviewEvent) -> None:
        """Show progress, result, failure or end of a preview."""
        self.cancel.setVisible(isinstance(event, PreviewProgress | PreviewPart))
        match event:
            case PreviewProgress():
                self.state.setVisible(True)
                self.state.setText(f"Preview: {event.message}")
                self.bar.setVisible(True)
                self.bar.setRange(0, event.total)
                self.bar.setValue(event.done)
            case PreviewFailed():
                self.state.setVisible(True)
                self.bar.setVisible(False)
                self.state.setText(f"No preview: {event.failure.words}")
            case PreviewCancelled():
                self.bar.setVisible(False)
                self.state.setText("The preview was cancelled.")
            case PreviewResult():
                self._show(event)

    def clear(self) -> None:
        """Show no preview, as its layer is gone; its thoughts stay to be read."""
        for widget in (self.state, self.bar, self._slider_row):
            widget.setVisible(False)

    def _show(self, preview: PreviewResult) -> None:
        self._shown = preview
        self.bar.setVisible(False)
        self.state.setVisible(True)
        self._slider_row.setVisible(True)
        self.slider.setValue(200)
        failed = f", {len(preview.errors)} failed" if preview.errors else ""
        self.state.setText(f"Preview in {preview.seconds:.1f} s{failed}")
        self.state.setToolTip("\n".join(preview.errors))
        self.tile.blockSignals(True)
        self.tile.clear()
        for key in preview.thoughts:
            self.tile.addItem(thought_name(key), key)
        self.tile.blockSignals(False)
        self.tile.setVisible(len(preview.thoughts) > 1)
        middle = len(preview.thoughts) // 2 if len(preview.thoughts) > 1 else 0
        self.tile.setCurrentIndex(middle)
        self._show_thought(middle)

    def _show_thought(self, index: int) -> None:
        if self._shown is None or index < 0:
            return
        key = list(self._shown.thoughts)[index]
        self.trace.show_thought(key, self._shown.thoughts[key], f"Thought for {thought_name(key)}")
