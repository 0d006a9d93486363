"""The same fake model over the same synthetic pixels in other frameworks, to compare runs with.

Neither framework journals, calls fsync, blends tiles or writes a pyramid, so both
are timed at less work than a run does.
"""

from __future__ import annotations

import importlib.util
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.benchmarks.synthetic_run import SyntheticRun
from napari_s1omni.benchmarks.synthetic_source import SyntheticSource
from napari_s1omni.core.noise import NoiseField
from napari_s1omni.errors import EngineUnavailable


@dataclass(frozen=True, slots=True)
class FrameworkTiming:
    """Times of one framework."""

    startup: float
    """Seconds until its worker could begin."""
    seconds: float
    """Seconds from there until everything was written."""


class TileModel:
    """The fake model of a run as a function of one tile; loaded once per process.

    Parameters
    ----------
    run : SyntheticRun
        A run over one plane.
    """

    def __init__(self, run: SyntheticRun) -> None:
        self._run = run
        self._engine: Any = None

    def __getstate__(self) -> SyntheticRun:
        return self._run

    def __setstate__(self, run: SyntheticRun) -> None:
        self._run, self._engine = run, None

    def __call__(self, tile: NDArray[Any]) -> NDArray[np.float32]:
        """Think and generate; pixels of any type, (H, W), to float32 (H, W)."""
        if self._engine is None:
            self._engine = self._run.engine()
        plan = self._run.plan
        image = np.repeat(np.asarray(tile, np.float32)[None, None] / np.float32(4093), 3, axis=1)
        thoughts = self._engine.think(image, plan.instruction, plan.sampling)
        noise = NoiseField(0, (0, 0), (0, 0), (tile.shape[0], tile.shape[1]))
        return np.asarray(self._engine.generate(image, thoughts, plan.sampling, [noise])[0, 0])


def time_map_overlap(run: SyntheticRun, path: Path, depth: int = 0) -> FrameworkTiming:
    """Time ``dask.array.map_overlap`` on one worker process with one thread, from synthetic pixels to a Zarr array.

    Parameters
    ----------
    run : SyntheticRun
        A run over one plane; a tile becomes a chunk.
    path : Path
        Folder to create.
    depth : int
        Overlap with the neighbours in pixels.
    """
    import dask.array
    import distributed

    edge = run.plan.grid.tile_size
    start = time.perf_counter()
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
        ) as cluster,
        distributed.Client(cluster),
    ):
        ready = time.perf_counter()
        layer = dask.array.from_array(_LazyPlane(run.source), chunks=edge)
        drawn = layer.map_overlap(TileModel(run), depth=depth, boundary="none", dtype="float32")
        drawn.to_zarr(str(path))
        return FrameworkTiming(ready - start, time.perf_counter() - ready)


class _LazyPlane:
    """A synthetic layer as a lazy array, so that workers compute the pixels and the graph stays small."""

    ndim = 2

    def __init__(self, source: SyntheticSource) -> None:
        self._source = source
        self.shape, self.dtype = source.spec.shape, source.spec.np_dtype

    def __getitem__(self, box: tuple[slice, ...]) -> NDArray[Any]:
        return self._source.read(box)


def time_daisy(run: SyntheticRun, path: Path) -> FrameworkTiming:
    """Time daisy on one worker process, from synthetic pixels to an ``.npy`` file, with its tracking of blocks.

    The startup time is that of a run over a single block.

    Parameters
    ----------
    run : SyntheticRun
        A run over one plane; a tile becomes a block.
    path : Path
        File to create.

    Raises
    ------
    EngineUnavailable
        If daisy is not installed.
    """
    if importlib.util.find_spec("daisy") is None:
        raise EngineUnavailable("daisy, which is not installed", remedy="pip install 'napari_s1omni[bench]'")
    edge, extent = run.plan.grid.tile_size, run.plan.grid.extent
    startup = _run_daisy(run, path, (edge, edge))
    return FrameworkTiming(startup, _run_daisy(run, path, extent) - startup)


def _run_daisy(run: SyntheticRun, path: Path, extent: tuple[int, int]) -> float:
    """Run daisy over a plane and return the seconds."""
    import daisy
    import daisy.logging

    np.lib.format.open_memmap(path, "w+", "float32", extent).flush()
    edge = run.plan.grid.tile_size
    one = daisy.Roi((0, 0), (edge, edge))
    task = daisy.Task(
        "draw",
        daisy.Roi((0, 0), extent),
        one,
        one,
        _BlockFunction(run, path),
        read_write_conflict=False,
        max_workers=1,
    )
    daisy.logging.set_log_basedir(None)
    start = time.perf_counter()
    daisy.run_blockwise(task, progress=False, summary=False)
    return time.perf_counter() - start


class _BlockFunction:
    """Processes one block of daisy; it is pickled and sent to another process."""

    def __init__(self, run: SyntheticRun, path: Path) -> None:
        self._arguments = run, path
        self._model: TileModel | None = None
        self._output: Any = None

    def __getstate__(self) -> tuple[SyntheticRun, Path]:
        return self._arguments

    def __setstate__(self, arguments: tuple[SyntheticRun, Path]) -> None:
        self.__init__(*arguments)  # type: ignore[misc]

    def __call__(self, block: Any) -> None:
        run, path = self._arguments
        if self._model is None:
            self._model = TileModel(run)
            self._output = np.lib.format.open_memmap(path, "r+")
        edge = run.plan.grid.tile_size
        box = tuple(slice(start, start + edge) for start in block.write_roi.begin)
        self._output[box] = self._model(run.source.read(box))
