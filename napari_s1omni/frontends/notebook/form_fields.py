"""Fields: the form of a job as plain data, derived from the pydantic models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.tiling import Tiling
from napari_s1omni.engine.registry import names
from napari_s1omni.operations import OPERATIONS

_SECTIONS: dict[str, type[BaseModel]] = {"tiling": Tiling, "sampling": Sampling}


def fields(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Describe every field that a job of this operation has.

    Parameters
    ----------
    document : mapping
        A job as plain data; what it leaves out has its default.

    Returns
    -------
    list of dict
        ``path`` (such as ``tiling.tile_size``), ``section``, ``label``, ``help``, ``kind`` (``text``, ``number``,
        ``whole``, ``switch``, ``choice``, ``list``), ``value``, ``default``; where they apply ``choices``,
        ``min``, ``max`` and ``optional`` (None is allowed, and means that the engine or the plan chooses).
    """
    kind = document["operation"]["type"]
    choices = [{"value": name, "words": name.replace("_", " ")} for name in OPERATIONS]
    found = [_field("operation", "type", {"enum": list(OPERATIONS), "description": "What to do."}, {"type": kind})]
    found[0]["choices"], found[0]["label"] = choices, "Operation"
    for section, model in ({"operation": OPERATIONS[kind].model} | _SECTIONS).items():
        schema = model.model_json_schema()
        for name, about in schema["properties"].items():
            if name != "type":
                found.append(_field(section, name, about, document.get(section, {})))
    engine = {"enum": ["auto", *names()], "default": "auto", "description": "What thinks and draws."}
    return [*found, {**_field("engine", "engine", engine, document), "path": "engine"}]


def read_value(field: Mapping[str, Any], value: Any) -> Any:
    """Turn what a form says into plain data; None where it says the default.

    Parameters
    ----------
    field : mapping
        One of :func:`fields`.
    value : str, float, bool or None
    """
    if value is None or value == "":
        return None
    if field["kind"] == "list":
        parts = [part.strip() for part in str(value).split(",") if part.strip()]
        value = [int(part) if part.lstrip("-").isdecimal() else part for part in parts]
    elif field["kind"] == "choice":
        said = str(value).casefold()
        value = next((choice["value"] for choice in field["choices"] if str(choice["value"]).casefold() == said), value)
    return None if value == field["default"] else value


def _field(section: str, name: str, about: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    options = [part for part in about.get("anyOf", [about]) if part.get("type") != "null"]
    optional = len(options) < len(about.get("anyOf", [about]))
    first = options[0]
    if optional and first.get("type") == "boolean":
        # A switch has no place for "let the engine choose".
        options = [{"enum": [True, False]}]
    default = about.get("default")
    value = values.get(name, default)
    return {
        "path": f"{section}.{name}",
        "section": section,
        "label": name.replace("_", " ").capitalize(),
        "help": " ".join(str(about.get("description", "")).replace("`", "").split()),
        "kind": _kind(options),
        "value": ", ".join(map(str, value)) if isinstance(value, list | tuple) else value,
        "default": default,
        "choices": [{"value": v, "words": _words(v)} for v in _choices(options)],
        "min": first.get("minimum", first.get("exclusiveMinimum")),
        "max": first.get("maximum", first.get("exclusiveMaximum")),
        "optional": optional,
    }


def _choices(options: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [value for part in options for value in part.get("enum", [part["const"]] if "const" in part else [])]


def _words(value: Any) -> str:
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
    return {"boolean": "switch", "integer": "whole", "number": "number"}.get(str(next(iter(kinds))), "text")
