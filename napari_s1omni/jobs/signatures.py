"""Full signatures: functions that take ``**options`` show every option with type, default and help text."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

from napari_s1omni.jobs.options import RUN_OPTIONS, JobOptions, option_fields
from napari_s1omni.jobs.run import run
from napari_s1omni.operations import OperationType

_Function = TypeVar("_Function", bound=Callable[..., Any])


def full_signature(operation: OperationType, types: type[JobOptions]) -> Callable[[_Function], _Function]:
    """Give a function the signature and docstring of all options of an operation.

    Parameters
    ----------
    operation : str
        Operation type.
    types : TypedDict
        Types of its options.
    """

    def decorate(function: _Function) -> _Function:
        own = inspect.signature(function)
        options, texts = _options(operation, get_type_hints(types))
        before = [p for p in own.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        after = [p for p in own.parameters.values() if p.kind is p.KEYWORD_ONLY]
        signature = own.replace(parameters=[*before, *options, *after])
        function.__signature__ = signature  # type: ignore[attr-defined]  # read by inspect
        entries = "".join(_entry(p, texts[p.name]) for p in options)
        written = inspect.cleandoc(function.__doc__ or "")
        function.__doc__ = re.sub(r"^\*\*options\n(?: {4}.*\n)+", lambda _: entries, written, flags=re.M)
        return function

    return decorate


def _options(operation: OperationType, types: dict[str, Any]) -> tuple[list[inspect.Parameter], dict[str, str]]:
    """Return a keyword parameter and a help text for each option: the job's, then those of :func:`run`."""
    defaults: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for name, (_, field) in option_fields(operation).items():
        defaults[name] = inspect.Parameter.empty if field.is_required() else field.default
        texts[name] = " ".join((field.description or "").split())
    written, of_run = inspect.cleandoc(run.__doc__ or ""), inspect.signature(run).parameters
    for name in RUN_OPTIONS:
        defaults[name] = of_run[name].default
        found = re.search(rf"^{name} : .*\n((?: {{4}}.*\n)+)", written, re.M)
        texts[name] = " ".join(found[1].split()) if found else ""
    kind = inspect.Parameter.KEYWORD_ONLY
    return [inspect.Parameter(n, kind, default=d, annotation=types[n]) for n, d in defaults.items()], texts


def _entry(parameter: inspect.Parameter, text: str) -> str:
    """Return the numpydoc entry of a parameter."""
    kind = inspect.formatannotation(parameter.annotation)
    kind = re.sub(r"Optional\[(.*)\]$", r"\1 | None", re.sub(r"\b(?:\w+\.)+", "", kind))
    kind = "callable" if kind.startswith("Callable") else kind
    optional = "" if parameter.default is inspect.Parameter.empty else ", optional"
    return f"{parameter.name} : {kind}{optional}\n    {text}\n"
