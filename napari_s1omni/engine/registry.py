"""The engine registry: describes engines by name without loading them, chooses one for ``auto``, and loads them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from napari_s1omni.engine.description import EngineDescription
from napari_s1omni.engine.discovery import GROUP, EngineSource, sources
from napari_s1omni.engine.familiarity.bank import Familiarity, ImageSample
from napari_s1omni.engine.protocol import Engine
from napari_s1omni.errors import EngineError, EngineUnavailable, OperationRefused
from napari_s1omni.settings import AUTO_ENGINE

CHECKPOINTS = "napari_s1omni.engine.s1omni"
"""Module of the engine that opens a folder of weights."""

AUTO = {
    "segmentation": ("nano", "reference"),
    "super_resolution": ("nano", "reference"),
    "modality_translation": ("nano", "reference"),
}
"""Engines that ``auto`` tries for each operation, preferred one first. An engine whose module has a function
``merit(name, operation)`` is passed over if that returns False, and one with ``familiarity(name, operation, image)``
if that says that the image is unknown to it, unless it is the only one that can do the job."""


def names() -> tuple[str, ...]:
    """Return the engine names that :func:`describe` takes, besides ``auto`` and folders of weights."""
    return tuple(name for name, source in sources().items() if not source.conflict)


def list_engines() -> dict[str, EngineDescription | EngineError]:
    """Return the description of every engine by name, or the error of one that cannot be used."""
    listed: dict[str, EngineDescription | EngineError] = {}
    for name, source in sources().items():
        try:
            listed[name] = source.describe(name)
        except EngineError as error:
            listed[name] = error
    return listed


def describe(
    name: str, operation: str | None = None, target: str | None = None, image: ImageSample | None = None
) -> EngineDescription:
    """Describe an engine without loading it.

    Parameters
    ----------
    name : str
        A name of :func:`names`, a folder of weights, or ``auto``.
    operation : str, optional
        Operation type that the engine must perform; required by ``auto`` to choose.
    target : str, optional
        Modality to translate to; ``auto`` passes over engines that do not draw it.
    image : ImageSample, optional
        What is known of the image; ``auto`` passes over engines that are far from knowing such images.

    Raises
    ------
    EngineUnavailable
        If there is no such engine, or it is broken.
    OperationRefused
        If it does not perform `operation`, or ``auto`` finds none that draws `target`.
    """
    if name == "auto":
        return _choose(operation, target, image)
    description = _source(name).describe(name)
    if operation is not None and operation not in description.operations:
        able = ", ".join(_able(operation)) or "none is installed"
        raise OperationRefused(
            f"engine '{name}' does not do {operation}",
            f"it does {', '.join(description.operations)}",
            f"use an engine that does it: {able}",
            engine=name,
            operation=operation,
        )
    return description


def familiarity(name: str, operation: str, image: ImageSample) -> Familiarity | None:
    """Return how like the images that an engine was trained on an image is; None if that engine does not say.

    Parameters
    ----------
    name : str
        Of a concrete engine, never ``auto``.
    operation : str
        Operation type.
    image : ImageSample
    """
    return _source(name).familiarity(name, operation, image)


def suggest_engine(target: str) -> str:
    """Return the end of an advice: which engines translate to a target modality."""
    able = [f"'{name}'" for name in _able("modality_translation", target)]
    if not able:
        return "an engine trained for it (a checkpoint folder, such as S1-Omni-Image's)"
    return f"an engine that does: {', '.join(able)}"


def create_engine(name: str, **settings: Any) -> Engine:
    """Load an engine.

    Parameters
    ----------
    name : str
        A name of :func:`names` or a folder of weights; never ``auto``, which :func:`describe` resolves.
    **settings : object
        Arguments of the engine's own ``load``, such as ``device``.

    Raises
    ------
    EngineUnavailable
        If there is no such engine, it is broken, or its packages are missing.
    """
    return _source(name).load(name, **settings)


def load_engine(description: EngineDescription) -> Engine:
    """Load the engine of a plan, to compute with the number of threads that the plan fixes."""
    settings = {"threads": description.threads} if description.threads else {}
    return create_engine(description.name, **settings)


def _choose(operation: str | None, target: str | None, image: ImageSample | None) -> EngineDescription:
    """Return the description of the engine that ``auto`` stands for; its `why` says how it was chosen."""
    preferred = AUTO_ENGINE.read() or ""
    able, rejected, targets = _candidates(preferred, operation, target)
    for name, description in able.items():
        if name == preferred:
            good, reason = True, f"{AUTO_ENGINE.name} says so"
        elif len(able) > 1 and operation is not None:
            good, reason = _judge(name, operation, image)
        else:
            # Neither scores nor the image rule out the only one.
            good, reason = True, f"no other engine here does {operation or 'it'}"
        if good:
            why = "; ".join([part for part in (reason, *rejected) if part] or ["none before it in the order can do it"])
            host = dataclasses.replace(description.host, why=f"'auto' chose {name}: {why}")
            return dataclasses.replace(description, host=host)
        rejected.append(reason)
    if targets:
        raise OperationRefused(
            f"no engine that 'auto' tries translates to '{target}' ({'; '.join(rejected)})",
            f"they translate to {', '.join(dict.fromkeys(targets))}",
            f"choose one of these, or {suggest_engine(target or '')}",
            target=target,
        )
    raise EngineUnavailable(
        f"no engine here does {operation!r} ({'; '.join(rejected) or 'unknown operation'})",
        f"operations are {', '.join(AUTO)}",
        "name an engine or a folder of weights",
    )


def _judge(name: str, operation: str, image: ImageSample | None) -> tuple[bool, str]:
    """Return whether one of several engines is good at an operation on an image, and why."""
    source = _source(name)
    proven, reason = source.merit(name, operation)
    if not proven:
        return False, f"{name}: {reason}"
    like = None if image is None else source.familiarity(name, operation, image)
    if like is None:
        return True, reason
    if like.far:
        return False, like.words
    # What is unlike but not far gets a note of its own.
    return True, "; ".join(part for part in (like.words if like.known else "", reason) if part)


def _candidates(
    preferred: str, operation: str | None, target: str | None
) -> tuple[dict[str, EngineDescription], list[str], list[str]]:
    """Return the engines that can do the job, the reasons against others, and the targets those offer instead."""
    tried = AUTO.get(operation, ()) if operation is not None else ("reference",)
    able: dict[str, EngineDescription] = {}
    rejected: list[str] = []
    targets: list[str] = []
    for name in dict.fromkeys((preferred, *tried) if preferred else tried):
        try:
            description = describe(name, operation)
        except (EngineUnavailable, OperationRefused) as error:
            rejected.append(f"{name}: {error.given}")
            continue
        if target is None or description.translates_to(target):
            able[name] = description
        else:
            rejected.append(f"{name}: does not translate to '{target}'")
            targets += description.targets
    return able, rejected, targets


def _able(operation: str, target: str | None = None) -> list[str]:
    """Return the names of the working engines that perform an operation, and translate to a target."""
    return [
        name
        for name, found in list_engines().items()
        if isinstance(found, EngineDescription)
        and operation in found.operations
        and (target is None or found.translates_to(target))
    ]


def _source(name: str) -> EngineSource:
    source = sources().get(name)
    if source is not None:
        return source
    if Path(name).is_dir():
        return EngineSource("", CHECKPOINTS)
    raise EngineUnavailable(
        f"engine '{name}' is not known",
        f"engines are {', '.join(names())}, 'auto', or a folder of weights that exists",
        f"choose one of these, or install the package of that engine: packages add engines by the entry point "
        f"'{GROUP}' (docs/engines.md)",
        engine=name,
    )
