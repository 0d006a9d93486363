"""Measuring at scale: a table of all objects of a plane that is computed where it is read."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.benchmarks.stitching.ellipses import Ellipses
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.results.region_properties import Layers, measure_blocks, write_tables
from napari_s1omni.system.memory import own_peak


@dataclass(frozen=True, slots=True)
class MeasureReport:
    """Time and memory of measuring."""

    objects: int
    """Rows of the table."""
    cpu_seconds: float
    """CPU time for measuring and writing the table, without making the labels."""
    seconds: float
    """Wall-clock time, including making the labels."""
    peak_memory: int
    """Peak resident size of the whole process in bytes."""


class _Plane:
    """Labels of ellipses, made when sliced; counts the CPU time for making them."""

    def __init__(self, truth: Ellipses) -> None:
        self._truth = truth
        self.seconds = 0.0

    def __getitem__(self, box: tuple[slice, ...]) -> NDArray[Any]:
        start = time.process_time()
        labels = self._truth.labels(box).astype(np.uint32)
        self.seconds += time.process_time() - start
        return labels


def measure(path: Path, edge: int = 16384, count: int = 200_000, block: int = 1024) -> MeasureReport:
    """Measure every object of a plane into a table.

    Parameters
    ----------
    path : Path
        Table to write, ``.csv`` or ``.parquet``.
    edge, count : int
        Size of the plane and number of ellipses, see :class:`~napari_s1omni.benchmarks.stitching.ellipses.Ellipses`.
    block : int
        Edge of a block in pixels.
    """
    plane = _Plane(Ellipses(edge, count))
    layers = Layers(plane, LayerSpec((edge, edge), ("y", "x"), "uint32", kind="labels"), (block, block))
    clock, cpu = time.perf_counter(), time.process_time()
    rows = write_tables(measure_blocks(layers), path)
    return MeasureReport(
        objects=rows,
        cpu_seconds=time.process_time() - cpu - plane.seconds,
        seconds=time.perf_counter() - clock,
        peak_memory=own_peak(),
    )
