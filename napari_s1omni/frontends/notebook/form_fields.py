"""The form of a job as plain data, made from the pydantic models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.tiling import Tiling
from napari_s1omni.engine.registry import names
from napari_s1omni.operations import OPERATIONS

_SECTIONS: dict[str, type[BaseModel]] = {"tiling": Tiling, "sampling": Sampling}


def form_fields(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Describe every field of a job with this operation.

    Parameters
    ----------
    document : mapping
        A job as plain data; missing fields have their default.

    Returns
    -------
    list of dict
        ``path`` (such as ``tiling.tile_size``), ``section``, ``label``, ``help``, ``kind`` (``text``, ``number``,
        ``integer``, ``boolean``, ``choice`` or ``list``), ``value``, ``default``, ``choices``, ``min``, ``max``
        and ``optional`` (None is allowed, and lets the engine or the plan choose).
    """
    kind = document["operation"]["type"]
    choices = [{"value": name, "label": name.replace("_", " ")} for name in OPERATIONS]
    described = [
        _field("operation", "type", {"enum": list(OPERATIONS), "description": "Operation to run."}, {"type": kind})
    ]
    described[0]["choices"], described[0]["label"] = choices, "Operation"
    for section, model in ({"operation": OPERATIONS[kind].model} | _SECTIONS).items():
        for name, schema in model.model_json_schema()["properties"].items():
            if name != "type":
                described.append(_field(section, name, schema, document.get(section, {})))
    engine = {"enum": ["auto", *names()], "default": "auto", "description": "Engine that runs the job."}
    return [*described, {**_field("engine", "engine", engine, document), "path": "engine"}]


def read_value(field: Mapping[str, Any], value: Any) -> Any:
    """Convert the value of a form field to plain data; None for the default.

    Parameters
    ----------
    field : mapping
        A field of :func:`form_fields`.
    value : str, float, bool or None
    """
    if value is None or value == "":
        return None
    if field["kind"] == "list":
        parts = [part.strip() for part in str(value).split(",") if part.strip()]
        value = [int(part) if part.lstrip("-").isdecimal() else part for part in parts]
    elif field["kind"] == "choice":
        text = str(value).casefold()
        value = next((choice["value"] for choice in field["choices"] if str(choice["value"]).casefold() == text), value)
    return None if value == field["default"] else value


def _field(section: str, name: str, schema: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    options = [part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"]
    optional = len(options) < len(schema.get("anyOf", [schema]))
    first = options[0]
    if optional and first.get("type") == "boolean":
        # A checkbox has no third state for "let the engine choose".
        options = [{"enum": [True, False]}]
    default = schema.get("default")
    value = values.get(name, default)
    return {
        "path": f"{section}.{name}",
        "section": section,
        "label": name.replace("_", " ").capitalize(),
        "help": " ".join(str(schema.get("description", "")).replace("`", "").split()),
        "kind": _kind(options),
        "value": ", ".join(map(str, value)) if isinstance(value, list | tuple) else value,
        "default": default,
        "choices": [{"value": v, "label": _choice_label(v)} for v in _choices(options)],
        "min": first.get("minimum", first.get("exclusiveMinimum")),
        "max": first.get("maximum", first.get("exclusiveMaximum")),
        "optional": optional,
    }


def _choices(options: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [value for part in options for value in part.get("enum", [part["const"]] if "const" in part else [])]


def _choice_label(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).replace("_", " ")


def _kind(options: Sequence[Mapping[str, Any]]) -> str:
    if _choices(options):
        return "choice"
    kinds = {part.get("type") for part in options}
    if "array" in kinds:
        return "list"
    if len(kinds) > 1:
        return "text"
    return {"boolean": "boolean", "integer": "integer", "number": "number"}.get(str(next(iter(kinds))), "text")
