"""The events of a run, as plain values for any observer. Observing never changes a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.logs.journal import BlockRecord


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The store is open and locked, the engine is ready, and work begins."""

    plan: Plan
    done: int
    """Blocks that an earlier run finished."""
    tiles: int = 0
    """Tiles of those blocks."""
    total: int = 0
    """Tiles of the whole run, as the forecast counts them."""
    workers: int = 1
    """Number of worker processes."""
    dashboard: str | None = None
    """Address of Dask's dashboard."""


@dataclass(frozen=True, slots=True)
class TilesDone:
    """Some tiles were generated."""

    count: int
    seconds: float
    """Seconds they took, thinking and generating."""


@dataclass(frozen=True, slots=True)
class BlockDone:
    """A block is in the store and in the journal."""

    record: BlockRecord


@dataclass(frozen=True, slots=True)
class RunPaused:
    """The run was paused, or continues."""

    waiting: bool


@dataclass(frozen=True, slots=True)
class RunNoted:
    """Something that the user should know came up during the run."""

    text: str
    """One sentence."""


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A stage after the blocks begins."""

    state: RunState
    """``JOINING`` or ``PYRAMID``."""


@dataclass(frozen=True, slots=True)
class RunFinished:
    """Everything is written."""

    holes: int
    """Tiles that failed and are missing in the result."""
    objects: int | None
    """Objects in the result; None for images."""
    thin: int = 0
    """Objects of a stack that were dropped since they lie in too few planes."""


Event = RunStarted | TilesDone | BlockDone | RunPaused | RunNoted | StageStarted | RunFinished
OnEvent = Callable[[Event], None]


def ignore_event(event: Event) -> None:
    """Do nothing."""
