"""A form for the fields of a pydantic model."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from magicgui.widgets import CheckBox, ComboBox, FloatSpinBox, LineEdit, SpinBox
from psygnal import Signal
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from qtpy.QtWidgets import QAbstractSpinBox, QFormLayout, QSizePolicy, QWidget

AUTO = "auto"
"""Text of a field that is left to the engine or the plan."""


class Field:
    """The editor of one field.

    Parameters
    ----------
    name : str
    field : FieldInfo
    """

    changed = Signal(object)
    """The new value as plain data; None resets the field to its default."""

    def __init__(self, name: str, field: FieldInfo) -> None:
        self.name = name
        self._default = None if field.is_required() else field.default
        kinds = [k for k in _alternatives(field.annotation) if k is not type(None)]
        self._plain = kinds == [str]
        self._list = bool(kinds) and all(get_origin(k) is tuple for k in kinds)
        self._shown = _editor(field)
        tip = " ".join((field.description or "").replace("`", "").split())
        self._shown.tooltip = tip
        self.widget: QWidget = self._shown.native
        if isinstance(self.widget, QAbstractSpinBox):
            self.widget.setKeyboardTracking(False)
        self.widget.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.widget.setToolTip(tip)
        self.show(None)
        self._shown.changed.connect(self._edited)

    @property
    def label(self) -> str:
        """Label of the field."""
        return self.name.replace("_", " ").capitalize()

    def show(self, value: Any) -> None:
        """Show a value without emitting :attr:`changed`; None is the default."""
        value = self._default if value is None else value
        with self._shown.changed.blocked():
            match self._shown:
                case LineEdit():
                    self._shown.value = "" if value is None else shown_value(value)
                case ComboBox():
                    self._shown.value = AUTO if value is None else shown_value(value)
                case SpinBox() | FloatSpinBox():
                    self._shown.value = value
                case _:
                    self._shown.value = bool(value)

    def _edited(self, shown: Any) -> None:
        value: Any = shown
        match self._shown:
            case LineEdit():
                text = str(shown).strip()
                value = (text if self._plain else _read(text, self._list)) if text else None
            case ComboBox():
                value = None if shown == AUTO else _read(str(shown))
        self.changed.emit(None if value == self._default else value)


class Form(QWidget):
    """Labelled editors for some fields of a model.

    Parameters
    ----------
    model : type of BaseModel
    names : iterable of str
    on_change : callable
        Called with name and value.
    """

    def __init__(self, model: type[BaseModel], names: Iterable[str], on_change: Callable[[str, Any], None]) -> None:
        super().__init__()
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 2, 0, 2)
        layout.setVerticalSpacing(4)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.fields: dict[str, Field] = {}
        for name in names:
            field = Field(name, model.model_fields[name])
            field.changed.connect(lambda value, name=name: on_change(name, value))
            layout.addRow(field.label, field.widget)
            layout.labelForField(field.widget).setToolTip(field.widget.toolTip())
            self.fields[name] = field

    def show_field(self, name: str, shown: bool) -> None:
        """Show or hide the row of a field."""
        layout = self.layout()
        if isinstance(layout, QFormLayout):
            layout.setRowVisible(self.fields[name].widget, shown)

    def show_values(self, values: Mapping[str, Any]) -> None:
        """Show the values of a section; missing fields show their defaults."""
        for name, field in self.fields.items():
            field.show(values.get(name))


def _editor(field: FieldInfo) -> Any:
    kinds = [k for k in _alternatives(field.annotation) if k is not type(None)]
    optional = len(kinds) < len(_alternatives(field.annotation))
    bounds = {type(m).__name__: m for m in field.metadata}
    low = getattr(bounds.get("Ge"), "ge", getattr(bounds.get("Gt"), "gt", 0))
    high = getattr(bounds.get("Le"), "le", getattr(bounds.get("Lt"), "lt", 2**31 - 1))
    if all(isinstance(k, str | int) and not isinstance(k, bool) for k in kinds):
        return ComboBox(choices=[*([AUTO] if optional else []), *(shown_value(k) for k in kinds)])
    if kinds == [bool]:
        return ComboBox(choices=[AUTO, shown_value(True), shown_value(False)]) if optional else CheckBox(text="")
    if kinds == [int] and not optional:
        return SpinBox(min=low, max=min(high, 2**31 - 1))
    if kinds == [float] and not optional:
        return FloatSpinBox(min=float(low), max=float(high), step=0.05 if high <= 2 else 0.5)
    if any(isinstance(k, int) for k in kinds):
        return ComboBox(choices=[shown_value(k) for k in kinds if isinstance(k, int)])
    line = LineEdit()
    line.native.setPlaceholderText(AUTO if optional else "")
    return line


def _alternatives(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, types.UnionType):
        return [choice for member in get_args(annotation) for choice in _alternatives(member)]
    return list(get_args(annotation)) if get_origin(annotation) is Literal else [annotation]


def shown_value(value: Any) -> str:
    """Return a value as it is entered in a form."""
    if isinstance(value, bool):
        # YAML reads these back as booleans.
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _read(text: str, several: bool = False) -> Any:
    """``0, DAPI`` is [0, "DAPI"], ``2`` is 2."""
    parts = [yaml.safe_load(part) for part in text.split(",")]
    return parts if several or len(parts) > 1 else parts[0]
