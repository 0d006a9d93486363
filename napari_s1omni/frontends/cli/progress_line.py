"""Progress of a run: a bar on a terminal, else a line every 15 seconds."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from napari_s1omni.core.units import format_duration
from napari_s1omni.execution.run.events import (
    BlockDone,
    Event,
    RunFinished,
    RunNoted,
    RunPaused,
    RunStarted,
    StageStarted,
    TilesDone,
)
from napari_s1omni.frontends.cli.printing import ProgressConsole

_WINDOW = 60.0
"""Seconds over which the rate is averaged."""
_EVERY = 15.0
"""Seconds between two lines without a terminal."""


class ProgressLine:
    """Shows the events of a run. Use it as a context manager and pass it as ``on_event``.

    Parameters
    ----------
    quiet : bool
        Print nothing.
    notes : bool
        Print the notes of the plan when the run starts.
    console : Console, optional
        Where to write; standard error by default.
    """

    def __init__(self, *, quiet: bool = False, notes: bool = True, console: Console | None = None) -> None:
        self._notes = notes
        self._console = console or ProgressConsole(quiet=quiet)
        self._live = self._console.is_terminal and not quiet
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("blocks, {task.fields[words]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._live,
        )
        self._task = self._bar.add_task("running", total=None, words="")
        self._recent: deque[tuple[float, int]] = deque()
        self._tiles = self._tiles_before = 0
        self._total = 0
        self._blocks = self._done = 0
        self._begun = self._said = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        match event:
            case RunStarted(plan=plan, done=done, tiles=tiles, total=total, dashboard=dashboard):
                self._blocks, self._done = len(plan.grid), done
                self._total = max(0, total - tiles)
                self._bar.update(self._task, total=self._blocks, completed=done, words="starting")
                for note in plan.notes if self._notes else ():
                    self._console.print(f"note: {note}", style="dim", highlight=False, markup=False, soft_wrap=True)
                if dashboard:
                    self._console.print(f"Dask dashboard: {dashboard}", highlight=False)
                if done:
                    some = "all" if done == self._blocks else f"{done} of {self._blocks}"
                    self._console.print(f"{some} blocks are already finished", highlight=False)
            case TilesDone(count=count):
                self._tiles += count
                self._recent.append((time.monotonic(), count))
                self._show()
            case BlockDone():
                self._done += 1
                self._bar.update(self._task, completed=self._done)
                self._show()
            case RunPaused(waiting=waiting):
                self._bar.update(self._task, description="paused" if waiting else "running")
            case RunNoted(text=text):
                self._console.print(f"note: {text}", style="dim", highlight=False, markup=False, soft_wrap=True)
            case StageStarted(state=state):
                self._bar.update(self._task, description=state.phrase, words="nearly done")
                if not self._live and self._notes and self._tiles:
                    self._console.print(state.phrase, highlight=False)
            case RunFinished():
                self._bar.update(self._task, description="finished", words=f"{self._tiles} tiles")

    @property
    def rate(self) -> float:
        """Tiles per second over the last minute, or over the whole run if it is shorter."""
        now = time.monotonic()
        while self._recent and now - self._recent[0][0] > _WINDOW:
            self._recent.popleft()
        seconds = min(_WINDOW, now - self._begun)
        return sum(count for _, count in self._recent) / seconds if seconds else 0.0

    def _show(self) -> None:
        rate = self.rate
        left = format_duration(max(0, self._total - self._tiles) / rate) if rate else "unknown time"
        words = f"{rate:.3g} tiles/s, {left} left"
        self._bar.update(self._task, words=words)
        if not self._live and time.monotonic() - self._said >= _EVERY:
            self._said = time.monotonic()
            self._console.print(f"{self._done} of {self._blocks} blocks, {words}", highlight=False)
