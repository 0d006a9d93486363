"""Large runs on synthetic pixels with a fake model, to measure everything except the model."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_s1omni.benchmarks.run_timer import RunTimer
from napari_s1omni.benchmarks.synthetic_source import SyntheticSource
from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tiling import Span
from napari_s1omni.execution.executors.cluster import ClusterConfig
from napari_s1omni.execution.executors.dask_executor import run_dask
from napari_s1omni.execution.executors.serial import run_serial
from napari_s1omni.execution.run.events import Event
from napari_s1omni.planning.job import Job
from napari_s1omni.planning.plan import Plan
from napari_s1omni.planning.resolve import resolve
from napari_s1omni.testing.fake_engine import FakeEngine


@dataclass(frozen=True)
class SyntheticRun:
    """A run over a synthetic layer; by default in tiles without overlap, which are easy to count."""

    shape: tuple[int, ...]
    """Size of the layer."""
    tile: int = 256
    """Edge of a tile in pixels."""
    block: int = 1024
    """Edge of a block in pixels."""
    overlap: int = 0
    """Overlap of tiles in pixels."""
    seconds: float = 0.0
    """Time that the fake model takes for a tile."""
    blank: bool = False
    """Whether all pixels are 0."""
    operation: str = "super_resolution"
    factor: int = 1
    """Factor of super-resolution."""
    dtype: str = "uint16"
    axes: str = ""
    """Axes of the layer; by default ``yx`` or ``zyx``."""
    diameter: float | None = None
    """Diameter of objects in pixels, for instance segmentation; None: all objects are one class."""

    @functools.cached_property
    def plan(self) -> Plan:
        """The plan of the run."""
        document: dict[str, Any] = {
            "source": "memory:made up",
            "operation": {"type": self.operation},
            "tiling": {"tile_size": self.tile, "overlap": self.overlap, "block_size": self.block},
        }
        if self.operation == "super_resolution":
            document["operation"]["factor"] = (self.factor, self.factor)
        elif self.operation == "segmentation":
            document["operation"]["instances"] = self.diameter is not None
            if self.diameter is not None:
                document["operation"]["prompt"] = f"objects of about {self.diameter:g} px"
        else:
            document["operation"]["target"] = "made up"
        spec = LayerSpec(self.shape, tuple(self.axes or "zyx"[-len(self.shape) :]), self.dtype)
        engine = FakeEngine(seconds=self.seconds).description
        channels = spec.size("c")
        normalization = Normalization((0.0,) * channels, (4093.0,) * channels)
        plan = resolve(Job.read(document, "benchmark"), spec, normalization, engine)
        # Without a halo, a block of one tile is one call of the model.
        grid = plan.grid if self.diameter is not None else dataclasses.replace(plan.grid, halo=0)
        return dataclasses.replace(plan, grid=grid, source_digest=str(self.shape))

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
        """Number of tiles."""
        grid = self.plan.grid
        return len(grid.tile_rows(grid.y)) * len(grid.tile_cols(grid.x)) * (grid.z[1] - grid.z[0])

    def time_bare_loop(self) -> float:
        """Run the model over all tiles in a simple loop that keeps the result in memory; return the seconds."""
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
            leading = len(plan.source.shape) - 2
            boxes = [(*[slice(z, z + 1)] * leading, slice(*tile.y), slice(*tile.x)) for z, tile in batch]
            images = np.stack([np.float32(source.read(box).reshape(_plane_shape(box))) / 4093 for box in boxes])
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
    ) -> RunTimer:
        """Execute the run in this process, or in `workers` worker processes; return its times."""
        timer = RunTimer(on_event)
        source: Any = self.source
        worker_source: Any = functools.partial(SyntheticSource, self.plan.source, self.blank)
        if workers is None:
            run_serial(self.plan, source, path, durable=durable, engine=self.engine, on_event=timer)
        else:
            run_dask(
                self.plan,
                source,
                path,
                cluster=ClusterConfig(workers, lease_seconds=lease_seconds, lease_blocks=lease_blocks),
                durable=durable,
                engine=self.engine,
                worker_source=worker_source,
                on_event=timer,
                dry=dry,
            )
        timer.stop()
        return timer


def _plane_shape(box: Sequence[slice]) -> tuple[int, int]:
    return box[-2].stop - box[-2].start, box[-1].stop - box[-1].start


def _noise(y: Span, x: Span) -> NoiseField:
    return NoiseField(0, (0, 0), (y[0], x[0]), (y[1] - y[0], x[1] - x[0]))
