"""JobPage: what to do, with which engine, and what it will cost."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.tiling import Tiling
from napari_s1omni.engine.registry import names
from napari_s1omni.frontends.dock.widgets.form import Form
from napari_s1omni.frontends.dock.widgets.parts import Card, Choice, Section, button, copy_button, row
from napari_s1omni.frontends.dock.widgets.preview_view import PreviewView
from napari_s1omni.frontends.session.controller import Controller
from napari_s1omni.jobs.prepare import Prepared
from napari_s1omni.operations import OPERATIONS, OperationType
from napari_s1omni.planning.cost import describe_cost
from napari_s1omni.planning.job import Job, SourceRef

_FIELDS: dict[OperationType, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "segmentation": (
        (),
        ("channels", "instances", "min_size", "max_size", "fill_holes", "drop_border", "link_z", "z_gap"),
    ),
    "super_resolution": (("factor",), ("channels",)),
    "modality_translation": (("target",), ("source_modality", "channels")),
}
"""Operation -> the fields that are always shown, and those under "More"."""
_OF_STACKS = ("link_z", "z_gap")
"""Fields that mean nothing in one plane."""
REGIONS = {"whole": "Whole layer", "view": "What I see now", "shape": "Selected shape"}
_TARGETS = ("hematoxylin", "eosin", "DAB", "inverted contrast")
ENGINE_STATES = {
    "cold": ("#8c8c8c", "loads with the first preview"),
    "loading": ("#e69f00", "loading"),
    "ready": ("#009e73", "loaded"),
}
"""State of an engine -> colour of its light, words."""
_TYPING = 300
"""Milliseconds after the last key before a text is taken."""


class JobPage(QScrollArea):
    """The first page of the dock.

    Parameters
    ----------
    controller : Controller
    on_layer : callable
        Called with the name of the chosen layer.
    on_region : callable
        Called with a key of :data:`REGIONS`; sets the document's region.
    on_preview, on_run : callable
    on_copy : callable
        Called with ``yaml``, ``python`` or ``command``.
    """

    def __init__(
        self,
        controller: Controller,
        *,
        on_layer: Callable[[str], None],
        on_region: Callable[[str], None],
        on_preview: Callable[[], None],
        on_run: Callable[[], None],
        on_copy: Callable[[str], None],
    ) -> None:
        super().__init__()
        self.controller = controller
        body = QWidget()
        self._column = QVBoxLayout(body)
        self._column.setContentsMargins(6, 6, 6, 6)
        self._column.setSpacing(5)
        self.layer = QComboBox()
        self.layer.setToolTip("The image layer to work on")
        self.layer.currentTextChanged.connect(on_layer)
        self.operation = Choice(
            [(key, entry.title, entry.model.__doc__ or "") for key, entry in OPERATIONS.items()],
            controller.choose_operation,
        )
        self.prompt = QPlainTextEdit()
        self.prompt.setFixedHeight(54)
        self.prompt.setStyleSheet("QPlainTextEdit { border: 1px solid rgba(128,128,128,120); border-radius: 3px; }")
        self.prompt.setTabChangesFocus(True)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(_TYPING)
        self._typing.timeout.connect(self._typed)
        self.prompt.textChanged.connect(self._typing.start)
        self.region = QComboBox()
        for key, words in REGIONS.items():
            self.region.addItem(words, key)
        self.region.setToolTip("The part to work on. Choose 'Selected shape' after drawing in a Shapes layer.")
        self.region.activated.connect(lambda _: on_region(self.region.currentData()))
        self.engine = QComboBox()
        self.engine.setEditable(True)
        self.engine.addItems(["auto", *names()])
        self.engine.setToolTip(" ".join((Job.model_fields["engine"].description or "").replace("`", "").split()))
        self.engine.currentTextChanged.connect(lambda text: controller.edit("engine", text if text != "auto" else None))
        self.engine_state = QLabel()
        self.engine_state.setTextFormat(Qt.TextFormat.RichText)
        self.engine_state.setStyleSheet("font-size: 10px; color: rgba(140,140,140,255);")
        self.engine_state.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._heads: dict[str, Form] = {}
        self._more: dict[str, Form] = {}
        self._lay_out(on_preview, on_run, on_copy)
        # With all sections open it may be higher than a small screen.
        self.setWidget(body)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        controller.document_changed.connect(self.show_document)
        controller.prepared_changed.connect(self._show_plan)
        controller.preview_changed.connect(lambda _: self._show_engine())
        self.show_document(controller.document)
        self.card.say("Open an image to begin", trouble=False)
        self.run_button.setEnabled(False)
        self.preview_button.setEnabled(False)

    def _lay_out(
        self, on_preview: Callable[[], None], on_run: Callable[[], None], on_copy: Callable[[str], None]
    ) -> None:
        top = QFormLayout()
        top.setVerticalSpacing(4)
        top.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        top.addRow("Layer", self.layer)
        self._column.addLayout(top)
        self._column.addWidget(self.operation)
        self._column.addWidget(self.prompt)
        more = QWidget()
        folded = QVBoxLayout(more)
        folded.setContentsMargins(12, 0, 0, 4)
        for key, (head, rest) in _FIELDS.items():
            fields = OPERATIONS[key].model
            self._heads[key] = Form(fields, head, partial(self._edited, "operation"))
            self._more[key] = Form(fields, rest, partial(self._edited, "operation"))
            self._column.addWidget(self._heads[key])
            folded.addWidget(self._more[key])
        target = self._heads["modality_translation"].fields["target"].widget
        target.setPlaceholderText(", ".join(_TARGETS))
        where = QFormLayout()
        where.setVerticalSpacing(4)
        where.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        where.addRow("Region", self.region)
        where.addRow("Engine", self.engine)
        where.addRow("", self.engine_state)
        self._column.addLayout(where)
        self._column.addWidget(Section("Options", more, "Fields of the operation"))
        self.sections: dict[str, Form] = {}
        for section, model, names_of in (
            ("sampling", Sampling, tuple(Sampling.model_fields)),
            ("tiling", Tiling, tuple(Tiling.model_fields)),
            ("source", SourceRef, ("axes", "scale", "units")),
        ):
            form = Form(model, names_of, partial(self._edited, section))
            form.layout().setContentsMargins(12, 2, 0, 4)
            self.sections[section] = form
            tip = " ".join((model.__doc__ or "").split())
            self._column.addWidget(Section(section.capitalize(), form, tip))
        self.output = QLineEdit()
        self.output.setPlaceholderText("in the cache folder")
        self.output.setToolTip(Job.model_fields["output"].description or "")
        self.output.editingFinished.connect(self._output_edited)
        browse = QToolButton()
        browse.setText("…")
        browse.setToolTip("Choose a folder")
        browse.clicked.connect(self._browse)
        save = QFormLayout()
        save.addRow("Save to", row(self.output, browse, stretch=0))
        self._column.addLayout(save)
        self.card = Card()
        self._column.addWidget(self.card)
        self.preview_button = button("Preview", "Run up to four tiles of what you see", on_preview, "Alt+P", self)
        self.run_button = button("Run", "Run the whole region in a process of its own", on_run, "Alt+R", self)
        self.run_button.setStyleSheet("font-weight: bold;")
        copy = copy_button(on_copy, "Copy this job, to run it elsewhere")
        self._column.addWidget(row(self.preview_button, self.run_button, copy, stretch=1))
        self.preview = PreviewView()
        self._column.addWidget(self.preview, 1)

    def show_document(self, document: dict[str, Any]) -> None:
        """Show a document that came from elsewhere."""
        operation = document["operation"]
        kind = operation["type"]
        self.operation.show_choice(kind)
        for key in OPERATIONS:
            self._heads[key].setVisible(key == kind and bool(_FIELDS[key][0]))
            self._more[key].setVisible(key == kind)
        self._heads[kind].show_values(operation)
        self._more[kind].show_values(operation)
        for name, form in self.sections.items():
            form.show_values(document.get(name, {}))
        self.prompt.blockSignals(True)
        default = OPERATIONS[kind].model.model_fields["prompt"].default
        self.prompt.setPlainText(operation.get("prompt", default))
        self.prompt.setToolTip(OPERATIONS[kind].model.model_fields["prompt"].description or "")
        self.prompt.blockSignals(False)
        self.engine.blockSignals(True)
        self.engine.setCurrentText(document.get("engine", "auto"))
        self.engine.blockSignals(False)
        self.region.setCurrentIndex(0 if not document.get("region") else max(1, self.region.currentIndex()))
        self.output.setText(self.controller.output or "")

    def show_layers(self, names_of: list[str], chosen: str | None) -> None:
        """Show the layers to choose from."""
        self.layer.blockSignals(True)
        self.layer.clear()
        self.layer.addItems(names_of)
        if chosen in names_of:
            self.layer.setCurrentText(chosen)
        self.layer.blockSignals(False)
        self.layer.setEnabled(bool(names_of))

    def commit(self) -> None:
        """Take over what is being typed."""
        focused = QApplication.focusWidget()
        if focused is not None and self.isAncestorOf(focused):
            # A field hands over its value when it is left.
            focused.clearFocus()
        if self._typing.isActive():
            self._typing.stop()
            self._typed()

    def _edited(self, section: str, name: str, value: Any) -> None:
        self.controller.edit(f"{section}.{name}", value)

    def _typed(self) -> None:
        text = self.prompt.toPlainText().strip()
        self.controller.edit("operation.prompt", text or None)

    def _output_edited(self) -> None:
        text = self.output.text().strip()
        if (text or None) != self.controller.output:
            self.controller.output = text or None
            self.controller.refresh()

    def _browse(self) -> None:
        folder = QFileDialog.getSaveFileName(self, "Folder of the result", self.output.text() or "result.zarr")[0]
        if folder:
            self.output.setText(str(Path(folder)))
            self._output_edited()

    def _show_plan(self, prepared: Prepared | None, words: str) -> None:
        self.run_button.setEnabled(prepared is not None)
        self.preview_button.setEnabled(prepared is not None)
        self._show_engine()
        if prepared is None:
            self.card.say(words, trouble=True)
            return
        plan = prepared.plan
        for name in _OF_STACKS:
            self._more["segmentation"].show_field(name, plan.source.size("z") > 1)
        rows = [f"{name}: {text}" for name, text in describe_cost(prepared.cost).items()]
        grid = plan.grid
        blocks = f"{len(grid):,} block{'s' if len(grid) > 1 else ''} of {grid.block_size} px"
        small = f"{blocks} · tiles {grid.tile_size} px, overlap {grid.overlap} px"
        if plan.notes:
            small += f" · {len(plan.notes)} note{'s' if len(plan.notes) > 1 else ''}"
        notes = "<br>".join(f"• {note}" for note in plan.notes)
        self.card.say(words, small, f"<p>{'<br>'.join(rows)}</p><p>{notes}</p>")

    def _show_engine(self) -> None:
        """Say which engine it will be, and whether it is loaded for previews."""
        prepared = self.controller.prepared
        if prepared is None:
            self.engine_state.setText("")
            return
        engine = prepared.plan.engine
        light, words = ENGINE_STATES["ready" if engine.name == self.controller.loaded else "cold"]
        if engine.name == self.controller.loading:
            light, words = ENGINE_STATES["loading"]
        self.engine_state.setText(f"<span style='color:{light}'>●</span> {engine.name}, {words}")
        self.engine_state.setToolTip(
            f"{engine.title}<br>Revision {engine.revision}<br>Weights: {engine.weights_license}<br>{engine.host.why}"
            f"<br>{engine.citation}"
        )
