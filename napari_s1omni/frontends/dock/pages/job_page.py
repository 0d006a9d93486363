"""The page "Job": the form, its estimate, and the preview."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from psygnal import Signal
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QFormLayout,
    QFrame,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.tiling import Tiling
from napari_s1omni.frontends.dock.shortcuts import PREVIEW_KEYS, RUN_KEYS
from napari_s1omni.frontends.dock.widgets.engine_choice import EngineChoice
from napari_s1omni.frontends.dock.widgets.form import Form, shown_value
from napari_s1omni.frontends.dock.widgets.output_choice import OutputChoice
from napari_s1omni.frontends.dock.widgets.parts import Choice, Section, SummaryCard, button, copy_button, row
from napari_s1omni.frontends.dock.widgets.preview_view import PreviewView
from napari_s1omni.frontends.dock.widgets.prompt_box import PromptBox
from napari_s1omni.frontends.session.controller import Controller
from napari_s1omni.frontends.session.request_line import request_line, request_reasons
from napari_s1omni.jobs.prepare import Prepared
from napari_s1omni.operations import OPERATIONS, OperationType
from napari_s1omni.planning.cost import describe_cost
from napari_s1omni.planning.job import SourceRef


class OperationFields(NamedTuple):
    """Fields of one operation in the form."""

    visible: tuple[str, ...]
    """Fields that are always visible."""
    more: tuple[str, ...]
    """Fields under "Options"."""


_STACK_FIELDS = ("link_z", "z_gap", "split_z", "min_planes")
"""Fields that are hidden for images with one plane."""
_FIELDS: dict[OperationType, OperationFields] = {
    "segmentation": OperationFields(
        (), ("channels", "instances", "min_size", "max_size", "fill_holes", "drop_border", *_STACK_FIELDS)
    ),
    "super_resolution": OperationFields(("factor",), ("channels",)),
    "modality_translation": OperationFields(("target",), ("source_modality", "channels")),
}
REGIONS = {"whole": "Whole layer", "view": "Current view", "shape": "Selected shapes"}
_TARGETS = ("hematoxylin", "eosin", "DAB", "inverted contrast")
_NARROWEST = 380
"""Width of the dock in pixels, unless a large font needs more."""
_TYPING = 300
"""Milliseconds after the last key before a prompt is applied."""


class JobPage(QWidget):
    """The form of the job; the estimate and the buttons stay in view below it.

    Parameters
    ----------
    controller : Controller
    """

    layer_chosen = Signal(str)
    """Name of the chosen layer."""
    region_chosen = Signal(str)
    """A key of :data:`REGIONS`."""
    preview_requested = Signal()
    run_requested = Signal()
    copy_requested = Signal(str)
    """``yaml``, ``python`` or ``command``."""

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.controller = controller
        self.layer = QComboBox()
        self.layer.setToolTip("The image layer to process")
        self.layer.currentTextChanged.connect(self.layer_chosen.emit)
        self.operation = Choice(
            [(key, one.title, one.model.__doc__ or "") for key, one in OPERATIONS.items()], controller.choose_operation
        )
        self.prompt = PromptBox()
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(_TYPING)
        self._typing.timeout.connect(self._apply_prompt)
        self.prompt.textChanged.connect(self._typing.start)
        self.region = QComboBox()
        for key, text in REGIONS.items():
            self.region.addItem(text, key)
        self.region.setToolTip("The part to process. For 'Selected shapes', draw in a Shapes layer first.")
        self.region.activated.connect(lambda _: self.region_chosen.emit(self.region.currentData()))
        self.engine = EngineChoice(controller)
        self.engine_state = self.engine.state
        self.output_choice = OutputChoice(controller)
        self.output = self.output_choice.line
        self.changed = QLabel()
        self.changed.setWordWrap(True)
        self.changed.setStyleSheet("color: #e69f00;")
        self.changed.setToolTip("Fields that are not at their default, in sections that may be closed")
        self.card = SummaryCard()
        self.preview_button = button(
            "Preview", "Run up to four tiles of the view", self.preview_requested.emit, PREVIEW_KEYS
        )
        self.run_button = button(
            "Run", "Run the whole region in a background process", self.run_requested.emit, RUN_KEYS
        )
        self.run_button.setStyleSheet("font-weight: bold;")
        copy = copy_button(self.copy_requested.emit, "Copy this job to run it elsewhere")
        self.preview = PreviewView()
        # Each operation has fields that are always visible, and more under "Options".
        self._main: dict[str, Form] = {}
        self._more: dict[str, Form] = {}
        for key, fields in _FIELDS.items():
            model = OPERATIONS[key].model
            self._main[key] = Form(model, fields.visible, partial(self._on_field, "operation"))
            self._more[key] = Form(model, fields.more, partial(self._on_field, "operation"))
        target = self._main["modality_translation"].fields["target"].widget
        target.setPlaceholderText(", ".join(_TARGETS))
        self.sections: dict[str, Form] = {}
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(6, 6, 6, 6)
        column.setSpacing(5)
        column.addLayout(_form_layout(("Layer", self.layer)))
        column.addWidget(self.operation)
        column.addWidget(self.prompt)
        for form in self._main.values():
            column.addWidget(form)
        column.addLayout(_form_layout(("Region", self.region), ("Engine", self.engine), ("", self.engine_state)))
        self._add_sections(column)
        column.addWidget(self.changed)
        column.addLayout(_form_layout(("Save to", self.output_choice)))
        column.addWidget(self.preview, 1)
        # With all sections open it may be higher than a small screen.
        scroll = QScrollArea()
        scroll.setWidget(body)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        below = QVBoxLayout()
        below.setContentsMargins(6, 2, 6, 6)
        below.setSpacing(5)
        below.addWidget(self.output_choice.question)
        below.addWidget(self.card)
        below.addWidget(row(self.preview_button, self.run_button, copy, stretch=1))
        self._scroll, self._body = scroll, body
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(scroll, 1)
        whole.addLayout(below)
        self.card.link_chosen.connect(self._choose_axes)
        controller.document_changed.connect(self.show_document)
        controller.prepared_changed.connect(self._on_plan)
        controller.target.checked.connect(lambda _: self.run_button.setEnabled(controller.may_run))
        controller.preview_changed.connect(lambda _: self.engine.show_state())
        self.show_document(controller.document)
        self.card.show_text("Open an image to begin")
        self.run_button.setEnabled(False)
        self.preview_button.setEnabled(False)

    def event(self, event: QEvent) -> bool:
        """Keep the form as wide as its fields, which a larger font widens."""
        if event.type() == QEvent.Type.LayoutRequest:
            bar = self._scroll.verticalScrollBar().sizeHint().width()
            self._scroll.setMinimumWidth(max(_NARROWEST, self._body.minimumSizeHint().width() + bar))
        return bool(super().event(event))

    def _add_sections(self, column: QVBoxLayout) -> None:
        options = QWidget()
        folded = QVBoxLayout(options)
        folded.setContentsMargins(12, 0, 0, 4)
        for form in self._more.values():
            folded.addWidget(form)
        column.addWidget(Section("Options", options, "Fields of the operation"))
        for name, model, fields in (
            ("sampling", Sampling, tuple(Sampling.model_fields)),
            ("tiling", Tiling, tuple(Tiling.model_fields)),
            ("source", SourceRef, ("axes", "scale", "units")),
        ):
            form = Form(model, fields, partial(self._on_field, name))
            form.layout().setContentsMargins(12, 2, 0, 4)
            self.sections[name] = form
            column.addWidget(Section(name.capitalize(), form, " ".join((model.__doc__ or "").split())))

    def show_document(self, document: dict[str, Any]) -> None:
        """Show a document that was replaced as a whole."""
        operation = document["operation"]
        kind = operation["type"]
        self.operation.show_choice(kind)
        for key in OPERATIONS:
            self._main[key].setVisible(key == kind and bool(_FIELDS[key].visible))
            self._more[key].setVisible(key == kind)
        self._main[kind].show_values(operation)
        self._more[kind].show_values(operation)
        for name, form in self.sections.items():
            form.show_values(document.get(name, {}))
        field = OPERATIONS[kind].model.model_fields["prompt"]
        self.prompt.blockSignals(True)
        self.prompt.setPlainText(operation.get("prompt", field.default))
        self.prompt.setToolTip(field.description or "")
        self.prompt.setPlaceholderText(f"Such as: {field.default}")
        self.prompt.blockSignals(False)
        self.engine.show_engine(document.get("engine", "auto"))
        kind = self.controller.fields.region_from if document.get("region") else "whole"
        self.region.setCurrentIndex(list(REGIONS).index(kind))
        self.output.setText(self.controller.output or "")
        self.show_changed()

    def show_changed(self) -> None:
        """Show in one line which fields in closed sections differ from their defaults."""
        kind = self.controller.document["operation"]["type"]
        plain = ("engine", "region", "operation.type", "operation.prompt")
        found = self.controller.fields.changed_fields(*plain, *(f"operation.{name}" for name in _FIELDS[kind].visible))
        words = [f"{path.rpartition('.')[2].replace('_', ' ')} {shown_value(value)}" for path, value in found.items()]
        self.changed.setText(f"Also set: {', '.join(words)}" if words else "")
        self.changed.setVisible(bool(words))

    def show_layers(self, names: list[str], chosen: str | None) -> None:
        """Show the layers to choose from."""
        self.layer.blockSignals(True)
        self.layer.clear()
        self.layer.addItems(names)
        if chosen in names:
            self.layer.setCurrentText(chosen)
        self.layer.blockSignals(False)
        self.layer.setEnabled(bool(names))

    def commit(self) -> None:
        """Apply what is being typed."""
        focused = QApplication.focusWidget()
        if focused is not None and self.isAncestorOf(focused):
            # A field applies its value when it loses the focus.
            focused.clearFocus()
        if self._typing.isActive():
            self._typing.stop()
            self._apply_prompt()

    def _on_field(self, section: str, name: str, value: Any) -> None:
        self.controller.edit(f"{section}.{name}", value)
        self.show_changed()

    def _apply_prompt(self) -> None:
        text = self.prompt.toPlainText().strip()
        # Only for a segmentation an empty prompt is a question; for the others it is their default.
        needed = self.controller.document["operation"]["type"] == "segmentation"
        self.controller.edit("operation.prompt", text if text or needed else None)

    def _on_plan(self, prepared: Prepared | None, text: str) -> None:
        self.run_button.setEnabled(self.controller.may_run)
        self.show_changed()
        self.preview_button.setEnabled(prepared is not None)
        self.engine.show_state()
        if prepared is None:
            self.card.show_text(text[:1].upper() + text[1:], warning=True)
            return
        plan, grid = prepared.plan, prepared.plan.grid
        for name in _STACK_FIELDS:
            self._more["segmentation"].show_field(name, plan.source.size("z") > 1)
        blocks = f"{len(grid):,} block{'s' if len(grid) > 1 else ''} of {grid.block_size} px"
        small = f"{blocks} · tiles {plan.tiles_in_words}"
        if plan.notes:
            small += f" · {len(plan.notes)} note{'s' if len(plan.notes) > 1 else ''}"
        costs = "<br>".join(f"{name}: {value}" for name, value in describe_cost(prepared.cost).items())
        notes = "<br>".join(f"• {note}" for note in plan.notes)
        self.card.show_text(text, small, f"<p>{costs}</p><p>{notes}</p>")
        axes = self._axes_in_time()
        link = (axes, "They are time points") if axes else None
        self.card.show_request(request_line(prepared), request_reasons(prepared), link)

    def _axes_in_time(self) -> str:
        """Return the axes with time points in place of planes, if the planes were guessed; else an empty text."""
        source = self.controller.source
        if source is None or not source.axes_guess or "z" not in source.axes or "t" in source.axes:
            return ""
        return (source.ref.axes or source.axes).replace("z", "t")

    def _choose_axes(self, axes: str) -> None:
        self.controller.edit("source.axes", axes)
        self.controller.document_changed.emit(self.controller.document)


def _form_layout(*rows: tuple[str, QWidget]) -> QFormLayout:
    layout = QFormLayout()
    layout.setVerticalSpacing(4)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for label, widget in rows:
        layout.addRow(label, widget)
    return layout
