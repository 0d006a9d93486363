"""Seconds per tile that earlier runs took on this machine, in a small file in the cache folder.

A run teaches the forecasts after it. What is measured is the time from one micro-batch to the next, reading and writing
included; the first one, in which an engine warms up, is left out. Engines, tile sizes and machines are kept apart.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from napari_s1omni.execution.run.events import Event, OnEvent, RunPaused, RunStarted, TilesDone
from napari_s1omni.planning.cost import Cost
from napari_s1omni.planning.plan import Plan
from napari_s1omni.settings import cache_folder
from napari_s1omni.system.locks import lock_file
from napari_s1omni.system.machine import usable_processors

NAME = "tile_times.json"
_KEPT = 20
"""Runs that are kept for each kind of tile."""
_KINDS = 200
"""Kinds of tiles that are kept."""
_FEW = 8
"""Tiles below which a measurement counts only if there is no longer one."""
_CHUNK = 1.0
"""Seconds over which a rate is taken, at least."""
_SPREAD = (0.75, 1.35)
"""Shares of the median that a forecast reaches at least: other programs want the processor too."""
_GUESS = (0.5, 2.0)
"""Likewise where only tiles of another size were measured, or the engine states its rate itself."""


class TileTimer:
    """Measures the seconds per tile of one run from its events."""

    def __init__(self) -> None:
        self.tiles = 0
        """Tiles that were measured."""
        self._last: float | None = None
        self._workers = 1
        self._count = 0
        self._rates: list[float] = []

    def start(self, workers: int) -> None:
        """Begin, or begin again after a pause, with a number of worker processes."""
        self._workers, self._last, self._count = workers, None, 0

    def add(self, count: int) -> None:
        """Count tiles that were generated just now."""
        now = time.perf_counter()
        if self._last is None:
            self._last = now
            return
        self.tiles += count
        self._count += count
        if now - self._last >= _CHUNK:
            self._close_chunk(now)

    @property
    def rate(self) -> float | None:
        """Seconds per tile of one worker; None if nothing was measured."""
        if not self._rates and self._count and self._last is not None:
            self._close_chunk(time.perf_counter())
        return statistics.median(self._rates) if self._rates else None

    def _close_chunk(self, now: float) -> None:
        if self._last is not None:
            self._rates.append((now - self._last) * self._workers / self._count)
        self._last, self._count = now, 0


class LearningRun:
    """Passes the events of a run on, and teaches later forecasts when it ends. Use it as a context manager."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._timer = TileTimer()
        self._plan: Plan | None = None
        self._workers = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._plan is not None:
            learn(self._plan, self._timer.rate, self._timer.tiles)

    def __call__(self, event: Event) -> None:
        """Measure an event and pass it on."""
        match event:
            case RunStarted():
                self._plan, self._workers = event.plan, event.workers
                self._timer.start(event.workers)
            case RunPaused():
                self._timer.start(self._workers)
            case TilesDone():
                self._timer.add(event.count)
        self._on_event(event)


def learn(plan: Plan, rate: float | None, tiles: int) -> None:
    """Keep what a run or a preview took; a cache that cannot be written is left as it is.

    Parameters
    ----------
    plan : Plan
    rate : float or None
        Seconds per tile of one worker; None keeps nothing.
    tiles : int
        Tiles that were measured.
    """
    if not rate or not tiles:
        return
    with contextlib.suppress(OSError), _locked() as file:
        known = _read(file)
        samples = known.pop(_kind(plan), [])
        known[_kind(plan)] = [*samples, [_edge(plan), round(rate, 6), tiles]][-_KEPT:]
        temporary = file.with_suffix(".tmp")
        temporary.write_text(json.dumps(dict(list(known.items())[-_KINDS:]), indent=1), encoding="utf-8")
        temporary.replace(file)


def with_learned_time(cost: Cost, plan: Plan) -> Cost:
    """Return a forecast with the time that earlier runs of the same kind of tile suggest."""
    found = _seconds_per_tile(plan)
    if found is None:
        return cost
    low, middle, high = (rate * cost.tiles_computed for rate in found)
    return dataclasses.replace(cost, seconds=middle, seconds_range=(low, high))


def _seconds_per_tile(plan: Plan) -> tuple[float, float, float] | None:
    """Return the least, the usual and the most seconds per tile that are to be expected."""
    known: dict[str, list[Any]] = {}
    with contextlib.suppress(OSError):
        known = _read(cache_folder() / NAME)
    samples = known.get(_kind(plan), [])
    same = [one for one in samples if one[0] == _edge(plan)]
    rates = [rate for _, rate, tiles in same if tiles >= _FEW] or [rate for _, rate, _ in same]
    if rates:
        middle = statistics.median(rates)
        low, high = np.quantile(rates, (0.2, 0.8)).tolist()
        return min(low, _SPREAD[0] * middle), middle, max(high, _SPREAD[1] * middle)
    # Tiles of another size take as much longer as they have more pixels.
    others = [rate * (_edge(plan) / size) ** 2 for size, rate, _ in samples]
    stated = plan.engine.host.seconds_per_tile
    if not others and stated is None:
        return None
    middle = statistics.median(others) if others else stated or 0.0
    return _GUESS[0] * middle, middle, _GUESS[1] * middle


def _edge(plan: Plan) -> int:
    """Return the edge in source px of a square with as many pixels as are drawn for a tile."""
    return math.isqrt(math.prod(plan.drawn_shape) // math.prod(plan.grid.factor))


def _kind(plan: Plan) -> str:
    """Name what decides how long a tile takes, apart from its size."""
    engine, sampling = plan.engine, plan.sampling
    parts = (
        engine.name,
        engine.revision,
        plan.job.operation.type,
        f"thinks {sampling.think}",
        f"{sampling.num_inference_steps} steps",
        f"{socket.gethostname()}, {usable_processors()} processors, {engine.host.devices[0]}",
    )
    return "; ".join(parts)


@contextlib.contextmanager
def _locked() -> Iterator[Path]:
    base = cache_folder()
    with lock_file(base / f"{NAME}.lock", mode=0o600):
        yield base / NAME


def _read(file: Path) -> dict[str, list[Any]]:
    """Read the file; a damaged one is as good as none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {str(kind): [[int(n), float(r), int(k)] for n, r, k in rows] for kind, rows in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
