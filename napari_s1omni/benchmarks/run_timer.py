"""Times of a run, taken from its events."""

from __future__ import annotations

import time
from collections.abc import Callable

from napari_s1omni.execution.run.events import BlockDone, Event, RunStarted, TilesDone


class RunTimer:
    """Receives the events of one run and keeps times, memory and blocks.

    Parameters
    ----------
    on_event : callable
        Receives every event as well.
    """

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self._on_event = on_event
        self._begun = time.perf_counter()
        self._started = self._first = self._finished = 0.0
        self.peak_memory = 0
        """Largest resident size of a worker in bytes."""
        self.blocks = 0
        """Finished blocks."""

    def __call__(self, event: Event) -> None:
        """Record an event."""
        self._on_event(event)
        now = time.perf_counter()
        match event:
            case RunStarted():
                self._started = now
            case TilesDone():
                self._first = self._first or now
            case BlockDone(record):
                self.blocks += 1
                self.peak_memory = max(self.peak_memory, record.peak_memory or 0)

    def stop(self) -> None:
        """Record that the run has returned: the result is complete and the workers are gone."""
        self._finished = time.perf_counter()

    @property
    def startup(self) -> float:
        """Seconds until work could begin: checks, replay of the journal, worker processes."""
        return self._started - self._begun

    @property
    def first(self) -> float:
        """Seconds from the start of work to the end of the first micro-batch."""
        return self._first - self._started

    @property
    def seconds(self) -> float:
        """Seconds from the start of work to the end of the run."""
        return self._finished - self._started
