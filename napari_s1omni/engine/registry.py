"""Registry: engines by name, described without loading them and made on demand."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import Any

from napari_s1omni.engine.protocol import Engine, EngineDescription
from napari_s1omni.errors import CheckpointError, EngineUnavailable, OperationRefused
from napari_s1omni.settings import AUTO_ENGINE

ENGINES: dict[str, str] = {
    "reference": "napari_s1omni.engine.reference",
    "nano": "napari_s1omni.engine.s1omni",
    "s1-omni-image": "napari_s1omni.engine.s1omni",
}
"""Name -> package. A package has a module ``description`` with ``describe(name)`` and a
module ``engine`` with ``load(name, **settings)``; both are imported when first asked for."""

CHECKPOINTS = "napari_s1omni.engine.s1omni"
"""Package of the engine that opens a folder of weights."""

AUTO = {
    "segmentation": ("nano", "reference"),
    "super_resolution": ("nano", "reference"),
    "modality_translation": ("nano", "reference"),
}
"""Engines that ``auto`` tries, best first, for each operation. One whose ``description`` module has
``merit(name, operation)`` is taken only where that says that it has shown to be better, or where no other draws the
target."""


def names() -> tuple[str, ...]:
    """Return the names that :func:`describe` knows, besides ``auto`` and folders of weights."""
    return tuple(ENGINES)


def describe(name: str, operation: str | None = None, target: str | None = None) -> EngineDescription:
    """Describe an engine without loading it.

    Parameters
    ----------
    name : str
        A name of :func:`names`, a folder of weights, or ``auto``.
    operation : str, optional
        Operation type it is wanted for. ``auto`` needs it to choose.
    target : str, optional
        Modality to translate to. ``auto`` passes over engines that do not draw it.

    Raises
    ------
    EngineUnavailable
        If there is no such engine here.
    OperationRefused
        If it does not do `operation`, or ``auto`` finds none that draws `target`.
    """
    if name == "auto":
        return _choose(operation, target)
    description: EngineDescription = _module(name, "description").describe(name)
    if operation is not None and operation not in description.operations:
        able = ", ".join(n for n in names() if _does(n, operation)) or "none here"
        raise OperationRefused(
            f"engine '{name}' does not do {operation}",
            f"it does {', '.join(description.operations)}",
            f"use an engine that does it: {able}",
            engine=name,
            operation=operation,
        )
    return description


def trained_for(target: str) -> str:
    """Name the engines here that translate to a target, or take any, for a sentence of advice."""
    able = [f"'{name}'" for name in names() if _does(name, "modality_translation", target)]
    if not able:
        return "an engine trained for it (a checkpoint folder, such as S1-Omni-Image's)"
    return f"an engine that does: {', '.join(able)}"


def create_engine(name: str, **settings: Any) -> Engine:
    """Load an engine.

    Parameters
    ----------
    name : str
        A concrete name or a folder of weights; never ``auto``, which :func:`describe` resolves.
    **settings : object
        What the engine's own ``load`` takes, such as a device.

    Raises
    ------
    EngineUnavailable
        If there is no such engine here, or its packages are missing.
    """
    engine: Engine = _module(name, "engine").load(name, **settings)
    return engine


def load_engine(described: EngineDescription) -> Engine:
    """Load the engine of a plan, to compute with the threads that the plan fixes."""
    settings = {"threads": described.threads} if described.threads else {}
    return create_engine(described.name, **settings)


def _choose(operation: str | None, target: str | None) -> EngineDescription:
    candidates = AUTO.get(operation, ()) if operation is not None else ("reference",)
    own = AUTO_ENGINE.read()
    if own:
        candidates = tuple(dict.fromkeys((own, *candidates)))
    able: list[tuple[str, EngineDescription]] = []
    reasons: list[str] = []
    others: list[str] = []
    for name in candidates:
        try:
            description = describe(name, operation)
        except (EngineUnavailable, OperationRefused) as error:
            reasons.append(f"{name}: {error.given}")
            continue
        if target is None or _draws(description, target):
            able.append((name, description))
        else:
            reasons.append(f"{name}: does not translate to '{target}'")
            others += description.targets
    for name, description in able:
        merit = getattr(_module(name, "description"), "merit", None)
        if name == own:
            proven, words = True, f"{AUTO_ENGINE.name} says so"
        else:
            # Scores compare two; they say nothing against the only one.
            proven, words = merit(name, operation) if merit is not None and len(able) > 1 else (True, "")
        if not proven:
            reasons.append(f"{name}: {words}")
            continue
        chosen = f"first choice for {operation} that works here{f' ({words})' if words else ''}"
        why = "; ".join([chosen, *reasons])
        return dataclasses.replace(description, why=why)
    if others:
        raise OperationRefused(
            f"no engine that 'auto' tries translates to '{target}' ({'; '.join(reasons)})",
            f"they translate to {', '.join(dict.fromkeys(others))}",
            f"choose one of these, or {trained_for(target or '')}",
            target=target,
        )
    raise EngineUnavailable(
        f"no engine here does {operation!r} ({'; '.join(reasons) or 'unknown operation'})",
        f"operations are {', '.join(AUTO)}",
        "name an engine or a folder of weights",
    )


def _draws(description: EngineDescription, target: str) -> bool:
    return not description.targets or target.strip().casefold() in description.targets


def _does(name: str, operation: str, target: str | None = None) -> bool:
    try:
        description: EngineDescription = _module(name, "description").describe(name)
    except (CheckpointError, EngineUnavailable):
        return False
    return operation in description.operations and (target is None or _draws(description, target))


def _module(name: str, part: str) -> Any:
    package = ENGINES.get(name)
    if package is None and Path(name).is_dir():
        package = CHECKPOINTS
    if package is None:
        raise EngineUnavailable(
            f"engine '{name}' is not known",
            f"engines are {', '.join(names())}, 'auto', or a folder of weights that exists",
            "choose one of these",
            engine=name,
        )
    try:
        return importlib.import_module(f"{package}.{part}")
    except ModuleNotFoundError as error:
        raise EngineUnavailable(
            f"engine '{name}' needs the module '{error.name}', which is not installed",
            remedy="install it with: pip install 'napari_s1omni[models]'",
            engine=name,
            module=error.name,
        ) from error
