"""Rehearsal: large runs on made-up px with a fake model, to see what everything but the model costs."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tiling import Span
from napari_s1omni.execution.executors.cluster import Fleet
from napari_s1omni.execution.executors.dask_executor import run_dask
from napari_s1omni.execution.executors.serial import run_serial
from napari_s1omni.execution.run.events import BlockDone, Event, RunStarted, TilesDone
from napari_s1omni.planning.job import Job
from napari_s1omni.planning.plan import Plan, resolve
from napari_s1omni.testing.fake_engine import FakeEngine


class SyntheticSource:
    """A layer of any size that takes no space: stripes, or nothing at all.

    Parameters
    ----------
    spec : LayerSpec
        Axes ``y x``, ``z y x`` or ``c y x``.
    blank : bool
        All px are 0.
    """

    def __init__(self, spec: LayerSpec, blank: bool = False) -> None:
        self.spec = spec
        self.notes: tuple[str, ...] = ()
        self.chunks = tuple(min(256, n) for n in spec.shape)
        self._blank = blank

    def read(self, box: Sequence[slice] | None = None) -> NDArray[Any]:
        """Make the px of a box up, always the same ones."""
        box = [slice(0, n) for n in self.spec.shape] if box is None else box
        if self._blank:
            return np.zeros([part.stop - part.start for part in box], self.spec.dtype)
        y, x = (np.arange(part.start, part.stop, dtype=np.uint32) for part in box[-2:])
        plane = ((y[:, None] * 7 + x * 13) % 4093).astype(self.spec.dtype)
        return np.broadcast_to(plane, [part.stop - part.start for part in box]).copy()

    def fingerprint(self) -> str:
        """Name it."""
        return f"made up {self.spec.shape} {self._blank}"


@dataclass(frozen=True, slots=True)
class SyntheticRun:
    """A run of so many tiles."""

    plan: Plan
    seconds: float
    """Time that the fake model takes for a tile."""
    blank: bool = False

    @classmethod
    def of(
        cls,
        shape: tuple[int, ...],
        *,
        tile: int = 256,
        block: int = 1024,
        seconds: float = 0.0,
        blank: bool = False,
        operation: str = "super_resolution",
        factor: int = 1,
        dtype: str = "uint16",
        axes: str = "",
        overlap: int = 0,
        diameter: float | None = None,
    ) -> SyntheticRun:
        """Plan a run over a made-up layer; unless said otherwise in tiles that do not overlap, easy to count.

        Parameters
        ----------
        shape : tuple of int
        tile, block, overlap : int
            In px of the layer.
        seconds : float
            Time that the fake model takes for a tile.
        blank : bool
            All px are 0.
        operation : str
        factor : int
            Of super-resolution.
        dtype : str
            Of the layer.
        axes : str
            Of the layer; by default ``yx`` or ``zyx``.
        diameter : float, optional
            Of objects in px, which are then told apart; by default all are one class.
        """
        document: dict[str, Any] = {
            "source": "memory:made up",
            "operation": {"type": operation},
            "tiling": {"tile_size": tile, "overlap": overlap, "block_size": block},
        }
        if operation == "super_resolution":
            document["operation"]["factor"] = (factor, factor)
        elif operation == "segmentation":
            document["operation"]["instances"] = diameter is not None
            if diameter is not None:
                document["operation"]["prompt"] = f"objects of about {diameter:g} px"
        else:
            document["operation"]["target"] = "made up"
        axes = axes or "zyx"[-len(shape) :]
        spec = LayerSpec(shape, tuple(axes), dtype)
        engine = FakeEngine(seconds=seconds).description
        channels = spec.size("c")
        whole = Normalization((0.0,) * channels, (4093.0,) * channels)
        plan = resolve(Job.read(document, "rehearsal"), spec, whole, engine)
        # Without a halo, too, a block of one tile is one call of the model.
        grid = plan.grid if diameter is not None else dataclasses.replace(plan.grid, halo=0)
        return cls(dataclasses.replace(plan, grid=grid, source_digest=str(shape)), seconds, blank)

    @property
    def source(self) -> SyntheticSource:
        """The layer."""
        return SyntheticSource(self.plan.source, self.blank)

    @property
    def engine(self) -> Callable[[], FakeEngine]:
        """Makes the fake model, here or in a worker."""
        return functools.partial(FakeEngine, seconds=self.seconds)

    @property
    def tiles(self) -> int:
        """Tiles of the run."""
        grid = self.plan.grid
        return len(grid.tile_rows(grid.y)) * len(grid.tile_cols(grid.x)) * (grid.z[1] - grid.z[0])

    def bare(self) -> float:
        """Run the model over all tiles in the plainest loop: read, think, draw, keep in memory; return seconds."""
        grid, plan, source, engine = self.plan.grid, self.plan, self.source, self.engine()
        result = np.zeros((grid.z[1] - grid.z[0], *grid.extent), np.float32)
        tiles = [
            (z, grid.tile(row, col))
            for z in range(*grid.z)
            for row in grid.tile_rows(grid.y)
            for col in grid.tile_cols(grid.x)
        ]
        start = time.perf_counter()
        for first in range(0, len(tiles), plan.engine.micro_batch):
            batch = tiles[first : first + plan.engine.micro_batch]
            lead = len(plan.source.shape) - 2
            boxes = [(*[slice(z, z + 1)] * lead, slice(*tile.y), slice(*tile.x)) for z, tile in batch]
            images = np.stack([np.float32(source.read(box).reshape(box_shape(box))) / 4093 for box in boxes])
            images = np.repeat(images[:, None], 3, axis=1)
            thoughts = engine.think(images, plan.instruction, plan.sampling)
            drawn = engine.generate(images, thoughts, plan.sampling, [_noise(tile.y, tile.x) for _, tile in batch])
            for (z, tile), image in zip(batch, drawn, strict=True):
                result[z, slice(*tile.y), slice(*tile.x)] = image[0]
        return time.perf_counter() - start

    def run(
        self,
        path: Path,
        *,
        workers: int | None = None,
        durable: bool = True,
        dry: bool = False,
        lease_seconds: float = 30.0,
        lease_blocks: int = 256,
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> Clock:
        """Run it for real; in this process, or in `workers` processes."""
        clock = Clock(on_event)
        source: Any = self.source
        opens: Any = functools.partial(SyntheticSource, self.plan.source, self.blank)
        if workers is None:
            run_serial(self.plan, source, path, durable=durable, engine=self.engine, on_event=clock)
        else:
            run_dask(
                self.plan,
                source,
                path,
                fleet=Fleet(workers),
                durable=durable,
                engine=self.engine,
                opens=opens,
                on_event=clock,
                dry=dry,
                lease_seconds=lease_seconds,
                lease_blocks=lease_blocks,
            )
        clock.stop()
        return clock


class Clock:
    """Times of a run, from its events.

    Parameters
    ----------
    on_event : callable
        Told of every event too.
    """

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self._on_event = on_event
        self._begun = time.perf_counter()
        self._started = self._first = self._finished = 0.0
        self.peak_memory = 0
        """Largest resident size of a worker, in bytes."""
        self.blocks = 0
        """Blocks that were finished."""

    def __call__(self, event: Event) -> None:
        """Take note of when something happened."""
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
        """Take note that the run has returned: the result is complete, workers have left."""
        self._finished = time.perf_counter()

    @property
    def startup(self) -> float:
        """Seconds until work could begin: checks, replay of the journal, worker processes."""
        return self._started - self._begun

    @property
    def first(self) -> float:
        """Seconds from there to the end of the first micro-batch."""
        return self._first - self._started

    @property
    def seconds(self) -> float:
        """Seconds from there to the end."""
        return self._finished - self._started


def box_shape(box: Sequence[slice]) -> tuple[int, int]:
    """Rows and columns of a box."""
    return box[-2].stop - box[-2].start, box[-1].stop - box[-1].start


def _noise(y: Span, x: Span) -> NoiseField:
    return NoiseField(0, (0, 0), (y[0], x[0]), (y[1] - y[0], x[1] - x[0]))
