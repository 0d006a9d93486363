"""A combo box of engines, and whether the chosen one is loaded for previews."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QLabel

from napari_s1omni.engine.registry import names
from napari_s1omni.frontends.dock.widgets.parts import SOFT, smaller
from napari_s1omni.frontends.session.controller import Controller
from napari_s1omni.planning.job import Job

_STATES = {
    "cold": ("#8c8c8c", "loads with the first preview"),
    "loading": ("#e69f00", "loading"),
    "ready": ("#009e73", "loaded"),
}
"""State of an engine -> colour of its dot, and text."""


class EngineChoice(QComboBox):
    """The engine of the job; any name or folder may be typed.

    Parameters
    ----------
    controller : Controller

    Attributes
    ----------
    state : QLabel
        The engine of the plan, and whether it is loaded.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self._controller = controller
        self.setEditable(True)
        self.addItems(["auto", *names()])
        self.setToolTip(" ".join((Job.model_fields["engine"].description or "").replace("`", "").split()))
        self.currentTextChanged.connect(lambda text: controller.edit("engine", text if text != "auto" else None))
        self.state = QLabel()
        self.state.setTextFormat(Qt.TextFormat.RichText)
        self.state.setStyleSheet(SOFT)
        self.state.setWordWrap(True)

    def show_engine(self, name: str) -> None:
        """Show the engine of the document without editing it."""
        self.blockSignals(True)
        self.setCurrentText(name)
        self.blockSignals(False)

    def show_state(self) -> None:
        """Show the engine of the plan, and whether it is loaded."""
        prepared = self._controller.prepared
        if prepared is None:
            self.state.setText("")
            return
        engine = prepared.plan.engine
        state = "ready" if engine.name == self._controller.loaded else "cold"
        if engine.name == self._controller.loading:
            state = "loading"
        colour, text = _STATES[state]
        self.state.setText(f"<span style='color:{colour}'>●</span> " + smaller(f"{engine.name}, {text}"))
        self.state.setToolTip(
            f"{engine.title}<br>Revision {engine.revision}<br>Weights: {engine.weights_license}<br>{engine.host.why}"
            f"<br>{engine.citation}"
        )
