"""Events: what a run tells whoever watches. Plain values; watching never changes a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.logs.journal import BlockRecord


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The store is open and locked; work begins."""

    plan: Plan
    done: int
    """Blocks that an earlier run finished."""
    tiles: int = 0
    """Tiles of those blocks."""
    workers: int = 1
    """Processes that draw."""
    dashboard: str | None = None
    """Address at which Dask shows its workers."""


@dataclass(frozen=True, slots=True)
class TilesDone:
    """Some tiles were drawn."""

    count: int
    seconds: float
    """Time they took, thinking and drawing."""


@dataclass(frozen=True, slots=True)
class BlockDone:
    """A block is in the store and in the journal."""

    record: BlockRecord


@dataclass(frozen=True, slots=True)
class RunPaused:
    """The run waits because it was asked to, or goes on again."""

    waiting: bool


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A pass after the blocks begins: ``joining labels``, ``writing the pyramid``."""

    name: str


@dataclass(frozen=True, slots=True)
class RunFinished:
    """Everything is written."""

    holes: int
    """Tiles that failed twice and are missing in the result."""
    objects: int | None
    """Objects in the result, for labels."""


Event = RunStarted | TilesDone | BlockDone | RunPaused | StageStarted | RunFinished
OnEvent = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Watch nothing."""
