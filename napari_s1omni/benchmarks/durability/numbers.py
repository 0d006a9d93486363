"""All numbers about durable runs, measured one after the other on one machine."""

from __future__ import annotations

import dataclasses
import platform
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from napari_s1omni.benchmarks.durability import overhead, resuming
from napari_s1omni.benchmarks.durability.memory import memory
from napari_s1omni.benchmarks.durability.other_frameworks import time_daisy, time_map_overlap
from napari_s1omni.benchmarks.fresh_process import Numbers
from napari_s1omni.benchmarks.stitching import face_merging
from napari_s1omni.system.machine import load, processors, system_name
from napari_s1omni.system.memory import total_memory

MAP_OVERLAP_BLOCKS = 1024
"""Blank blocks for map_overlap, whose graph grows with every block."""


def measure(tiles: int = 512, million: int = 1_000_000) -> Iterator[Numbers]:
    """Measure everything; yield the numbers so far after each part.

    Parameters
    ----------
    tiles : int
        Number of tiles with 50 ms; a quarter of it with 500 ms.
    million : int
        Blocks of the largest run; 0 for none.

    Yields
    ------
    dict
        One entry per section of :func:`napari_s1omni.benchmarks.durability.page.page`, and ``machine``.
    """
    found: Numbers = {
        "machine": {
            "cores": processors(),
            "memory_gb": total_memory() / 1e9,
            "system": f"{system_name()}, Python {platform.python_version()}",
            "load": load(),
        }
    }
    parts: dict[str, Callable[[], Any]] = {
        "memory": memory,
        "overhead": lambda: _overhead(tiles),
        "no_op": _no_op,
        "scaling": overhead.scaling,
        "resume": resuming.resume,
        "merging": lambda: [dataclasses.asdict(face_merging.compare(oracle)) for oracle in face_merging.volumes()],
    }
    if million:
        parts["million"] = lambda: resuming.large_run(million)
    for name, part in parts.items():
        found[name] = part()
        yield found


def _no_op() -> Numbers:
    """Time blank blocks: runs, daisy, and map_overlap with and without neighbours."""
    found = overhead.no_op()
    with tempfile.TemporaryDirectory(prefix="s1omni-bench-") as name:
        folder, run = Path(name), overhead.blank_run(found["blocks"])
        found["daisy_ms"] = 1e3 * time_daisy(run, folder / "daisy.npy").seconds / found["blocks"]
        small = overhead.blank_run(MAP_OVERLAP_BLOCKS)
        for depth in (0, 2):
            seconds = time_map_overlap(small, folder / f"overlap-{depth}.zarr", depth).seconds
            found[f"map_overlap_{depth}_ms"] = 1e3 * seconds / MAP_OVERLAP_BLOCKS
    return found


def _overhead(tiles: int) -> Numbers:
    """Time a run with both models, and daisy and map_overlap with the faster one, against the same bare loop."""
    found = overhead.overhead(tiles, tiles // 4)
    run = overhead.timed_run(0.05, tiles)
    with tempfile.TemporaryDirectory(prefix="s1omni-bench-") as folder:
        timings = {
            "daisy": time_daisy(run, Path(folder) / "daisy.npy"),
            "map_overlap": time_map_overlap(run, Path(folder) / "overlap.zarr"),
        }
    for framework, timing in timings.items():
        found[f"{framework}_50ms"] = timing.seconds / found["bare_s_50ms"] - 1
        found[f"{framework}_startup_s"] = timing.startup
    return found
