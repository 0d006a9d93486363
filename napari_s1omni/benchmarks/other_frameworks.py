"""Other ways to run a model over tiles, timed on the same made-up px with the same fake model as a rehearsal.

Neither of them journals, waits for the medium, joins tiles or writes a
pyramid; so they are timed at less than a run has to do.
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

from napari_s1omni.benchmarks.synthetic_run import SyntheticRun, SyntheticSource
from napari_s1omni.core.noise import NoiseField
from napari_s1omni.errors import EngineUnavailable


@dataclass(frozen=True, slots=True)
class FrameworkTiming:
    """How long a way took."""

    startup: float
    """Seconds until its worker could begin."""
    seconds: float
    """Seconds from there until everything was written."""


class TileModel:
    """What is done to a tile: the model of a rehearsal, once per process.

    Parameters
    ----------
    rehearsal : SyntheticRun
        A plane.
    """

    def __init__(self, rehearsal: SyntheticRun) -> None:
        self._rehearsal = rehearsal
        self._engine: Any = None

    def __getstate__(self) -> SyntheticRun:
        return self._rehearsal

    def __setstate__(self, rehearsal: SyntheticRun) -> None:
        self._rehearsal, self._engine = rehearsal, None

    def __call__(self, tile: NDArray[Any]) -> NDArray[np.float32]:
        """Think and draw; px of any type, (H, W), to float32 (H, W)."""
        if self._engine is None:
            self._engine = self._rehearsal.engine()
        plan = self._rehearsal.plan
        image = np.repeat(np.asarray(tile, np.float32)[None, None] / np.float32(4093), 3, axis=1)
        thoughts = self._engine.think(image, plan.instruction, plan.sampling)
        noise = NoiseField(0, (0, 0), (0, 0), (tile.shape[0], tile.shape[1]))
        return np.asarray(self._engine.generate(image, thoughts, plan.sampling, [noise])[0, 0])


def map_overlap(rehearsal: SyntheticRun, path: Path, depth: int = 0) -> FrameworkTiming:
    """Time ``dask.array.map_overlap`` on one worker process with one thread, from made-up px to a Zarr array.

    Parameters
    ----------
    rehearsal : SyntheticRun
        A plane; a tile is a chunk.
    path : Path
        Folder to be made.
    depth : int
        px of the neighbours that are seen, too.
    """
    import dask.array
    import distributed

    edge = rehearsal.plan.grid.tile_size
    start = time.perf_counter()
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
        ) as cluster,
        distributed.Client(cluster),
    ):
        ready = time.perf_counter()
        layer = dask.array.from_array(_Layer(rehearsal.source), chunks=edge)
        drawn = layer.map_overlap(TileModel(rehearsal), depth=depth, boundary="none", dtype="float32")
        drawn.to_zarr(str(path))
        return FrameworkTiming(ready - start, time.perf_counter() - ready)


class _Layer:
    """Made-up px as dask wants to see an array, so that workers make them and the graph does not hold them."""

    ndim = 2

    def __init__(self, source: SyntheticSource) -> None:
        self._source = source
        self.shape, self.dtype = source.spec.shape, source.spec.np_dtype

    def __getitem__(self, box: tuple[slice, ...]) -> NDArray[Any]:
        return self._source.read(box)


def daisy(rehearsal: SyntheticRun, path: Path) -> FrameworkTiming:
    """Time daisy on one worker process, from made-up px into an ``.npy`` file; its own tracking of blocks is on.

    Its start is that of a run of a single block.

    Parameters
    ----------
    rehearsal : SyntheticRun
        A plane; a tile is a block.
    path : Path
        File to be made.
    """
    if importlib.util.find_spec("daisy") is None:
        raise EngineUnavailable("daisy, which is not installed", remedy="pip install 'napari_s1omni[bench]'")
    edge, extent = rehearsal.plan.grid.tile_size, rehearsal.plan.grid.extent
    startup = _daisy(rehearsal, path, (edge, edge))
    return FrameworkTiming(startup, _daisy(rehearsal, path, extent) - startup)


def _daisy(rehearsal: SyntheticRun, path: Path, extent: tuple[int, int]) -> float:
    import daisy
    import daisy.logging

    np.lib.format.open_memmap(path, "w+", "float32", extent).flush()
    edge = rehearsal.plan.grid.tile_size
    one = daisy.Roi((0, 0), (edge, edge))
    task = daisy.Task(
        "draw",
        daisy.Roi((0, 0), extent),
        one,
        one,
        _Block(rehearsal, path),
        read_write_conflict=False,
        max_workers=1,
    )
    daisy.logging.set_log_basedir(None)
    start = time.perf_counter()
    daisy.run_blockwise(task, progress=False, summary=False)
    return time.perf_counter() - start


class _Block:
    """A block of daisy, which goes to another process."""

    def __init__(self, rehearsal: SyntheticRun, path: Path) -> None:
        self._given = rehearsal, path
        self._drawing: TileModel | None = None
        self._written: Any = None

    def __getstate__(self) -> tuple[SyntheticRun, Path]:
        return self._given

    def __setstate__(self, given: tuple[SyntheticRun, Path]) -> None:
        self.__init__(*given)  # type: ignore[misc]

    def __call__(self, block: Any) -> None:
        rehearsal, path = self._given
        if self._drawing is None:
            self._drawing = TileModel(rehearsal)
            self._written = np.lib.format.open_memmap(path, "r+")
        edge = rehearsal.plan.grid.tile_size
        box = tuple(slice(start, start + edge) for start in block.write_roi.begin)
        self._written[box] = self._drawing(rehearsal.source.read(box))
