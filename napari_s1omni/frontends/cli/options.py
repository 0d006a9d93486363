"""Command-line options made from the fields of a job: the same names, types, bounds and help as everywhere."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from napari_s1omni.errors import JobError
from napari_s1omni.jobs.options import option_fields
from napari_s1omni.operations import OPERATIONS, OperationType
from napari_s1omni.operations.channels import read_channels
from napari_s1omni.planning.job import read_region

_SIMPLE = (int, float, str, bool)
_SHORT = {"prompt": "-p", "engine": "-e"}
_SHAPES = {
    "region": "Y0:Y1,X0:X1|FILE",
    "scale": "NUMBER[,...]",
    "units": "UNIT[,...]",
    "factor": "N[,N]",
    "channels": "CHANNEL[,...]",
    "image": "NAME|NUMBER",
}


def job_options(*operations: OperationType) -> list[inspect.Parameter]:
    """Return all options of a job with one of these operations, as keyword parameters.

    Parameters
    ----------
    *operations : str
        Operation types; if several have a field of the same name, the first one describes it.
    """
    found: dict[str, inspect.Parameter] = {}
    for operation in operations:
        for name, (panel, field) in option_fields(operation).items():
            if name not in found:
                found[name] = _parameter(name, field, panel)
    return list(found.values())


def with_options(function: Callable[..., Any], options: Iterable[inspect.Parameter]) -> Callable[..., Any]:
    """Give a function that takes ``**options`` a signature that names them, for typer.

    Parameters
    ----------
    function : callable
        Its own parameters come first.
    options : iterable of Parameter
    """
    own = [p for p in inspect.signature(function, eval_str=True).parameters.values() if p.kind is not p.VAR_KEYWORD]
    parameters = [*own, *options]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by inspect
    function.__annotations__ = {p.name: p.annotation for p in parameters}
    return function


def read_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the values that typer parsed to those of a job; options that were not given are left out.

    Parameters
    ----------
    options : mapping
        Field name -> value.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if "region" in given:
        given["region"] = read_region(given["region"]).model_dump(exclude_none=True)
    return given


def require_options(operation: OperationType, given: Mapping[str, Any]) -> None:
    """Check that all required options of an operation are given.

    Parameters
    ----------
    operation : str
        Operation type.
    given : mapping
        From :func:`read_options`.

    Raises
    ------
    JobError
        If one is missing; the message says what it is for.
    """
    for name, field in OPERATIONS[operation].model.model_fields.items():
        if field.is_required() and name not in given:
            purpose = _help(field)
            raise JobError(
                f"the option {_flag(name)} is missing",
                f"it is the {purpose[:1].lower()}{purpose[1:]}",
                "add it and run again",
            )


def _parameter(name: str, field: FieldInfo, panel: str) -> inspect.Parameter:
    kind, parser = _kind(field.annotation)
    if name == "channels":
        parser = read_channels
    if name == "image":
        # A name such as 007 or yes is text.
        kind, parser = str, None
    bounds = {type(m).__name__: m for m in field.metadata}
    flag = _flag(name)
    flags = [f"{flag}/--no-{flag[2:]}"] if kind is bool else [flag, *filter(None, [_SHORT.get(name)])]
    option = typer.Option(
        *flags,
        help=_help(field) + _default(field),
        show_default=False,
        min=getattr(bounds.get("Ge"), "ge", None),
        max=getattr(bounds.get("Le"), "le", None),
        metavar=_SHAPES.get(name),
        parser=parser,
        rich_help_panel=panel,
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _help(field: FieldInfo) -> str:
    return " ".join((field.description or "").replace("`", "").split())


def _default(field: FieldInfo) -> str:
    """Return a sentence about the default. The options themselves have none, so that those given can be told."""
    if field.is_required() or field.default in (None, ""):
        return ""
    value = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
    return f" Default: {value}."


def _kind(annotation: Any) -> tuple[Any, Callable[[str], Any] | None]:
    """Return a type that typer understands, and a parser where it needs one."""
    choices = [a for a in _alternatives(annotation) if a is not type(None)]
    if all(isinstance(c, str) for c in choices):
        return Literal[tuple(choices)], None
    if len(choices) == 1 and choices[0] in _SIMPLE:
        return choices[0], None
    if any(isinstance(c, type) and issubclass(c, BaseModel) for c in choices):
        return str, None
    only_lists = all(get_origin(c) is tuple for c in choices)
    return str, _list if only_lists else _scalar_or_list


def _alternatives(annotation: Any) -> list[Any]:
    """Return the members of a union, with a ``Literal`` replaced by its values."""
    if get_origin(annotation) in (Union, types.UnionType):
        return [choice for member in get_args(annotation) for choice in _alternatives(member)]
    return list(get_args(annotation)) if get_origin(annotation) is Literal else [annotation]


def _list(text: str) -> list[Any]:
    """``0,2`` is [0, 2], ``DAPI`` is ["DAPI"]."""
    return [yaml.safe_load(part) for part in text.split(",")]


def _scalar_or_list(text: str) -> Any:
    """``2`` is 2, ``2,1`` is [2, 1]."""
    return _list(text) if "," in text else yaml.safe_load(text)
