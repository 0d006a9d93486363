"""Events of a preview: its progress and its parts, then a result, a failure, or that it was cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from napari_s1omni.engine.protocol import Thought
from napari_s1omni.execution.run.status import Failure
from napari_s1omni.planning.plan import Plan


@dataclass(frozen=True, slots=True)
class PreviewProgress:
    """Progress of a preview."""

    request: int
    message: str
    """Such as ``loading nano`` or ``4 of 9 tiles``."""
    done: int = 0
    total: int = 0
    loading: str = ""
    """Name of the engine that is being loaded."""
    loaded: str = ""
    """Name of the engine that is ready."""


@dataclass(frozen=True, slots=True)
class PreviewPixels:
    """Pixels and thoughts of a preview."""

    request: int
    plan: Plan
    """Plan of the previewed region; its target says where `pixels` lie."""
    pixels: NDArray[Any]
    """In the axes of the target; 0 where no tile is drawn yet."""
    thoughts: Mapping[str, Thought]


@dataclass(frozen=True, slots=True)
class PreviewPart(PreviewPixels):
    """What is there of a preview while further tiles are being drawn."""


@dataclass(frozen=True, slots=True)
class PreviewResult(PreviewPixels):
    """A whole preview."""

    seconds: float
    """Seconds from request to result, including loading the engine."""
    errors: tuple[str, ...] = ()
    """Errors of tiles that failed."""


@dataclass(frozen=True, slots=True)
class PreviewFailed:
    """A preview that failed."""

    request: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class PreviewCancelled:
    """A preview that was cancelled."""

    request: int


PreviewEvent = PreviewProgress | PreviewPart | PreviewResult | PreviewFailed | PreviewCancelled
