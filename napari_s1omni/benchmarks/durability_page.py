"""Comparison: every number of durable execution from one run on one machine, and the page that shows them."""

from __future__ import annotations

import dataclasses
import platform
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from napari_s1omni.benchmarks import durability
from napari_s1omni.benchmarks import other_frameworks as rivals
from napari_s1omni.benchmarks.stitching import face_merging
from napari_s1omni.system.machine import load, processors, system_name
from napari_s1omni.system.memory import total_memory

Numbers = dict[str, Any]

_BLOCKS = 1024
"""Blocks with nothing to do for map_overlap, whose graph grows with every one."""


def measure(tiles: int = 512, million: int = 1_000_000) -> Iterator[Numbers]:
    """Measure everything, one after the other; yield what is known so far after each part.

    Parameters
    ----------
    tiles : int
        With 50 ms; a quarter of them with 500 ms.
    million : int
        Blocks of the largest rehearsal; 0 for none.

    Yields
    ------
    dict
        One entry per section of :func:`page`, and ``machine``.
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
        "memory": durability.memory,
        "overhead": lambda: overhead(tiles),
        "no_op": no_op,
        "scaling": durability.scaling,
        "resume": durability.resume,
        "merging": lambda: [dataclasses.asdict(face_merging.compare(oracle)) for oracle in face_merging.volumes()],
    }
    if million:
        parts["million"] = lambda: durability.many(million)
    for name, part in parts.items():
        found[name] = part()
        yield found


def no_op() -> Numbers:
    """Time blocks in which there is nothing to do: runs, daisy, map_overlap with and without neighbours."""
    found = durability.no_op()
    with tempfile.TemporaryDirectory(prefix="s1omni-bench-") as name:
        folder, blank = Path(name), durability.blank(found["blocks"])
        found["daisy_ms"] = 1e3 * rivals.daisy(blank, folder / "daisy.npy").seconds / found["blocks"]
        few = durability.blank(_BLOCKS)
        for depth in (0, 2):
            seconds = rivals.map_overlap(few, folder / f"overlap-{depth}.zarr", depth).seconds
            found[f"map_overlap_{depth}_ms"] = 1e3 * seconds / _BLOCKS
    return found


def overhead(tiles: int) -> Numbers:
    """Time a run at both paces, and daisy and map_overlap at the faster one, against the same bare loop."""
    found = durability.overhead(tiles, tiles // 4)
    rehearsal = durability.paced(0.05, tiles)
    with tempfile.TemporaryDirectory(prefix="s1omni-bench-") as folder:
        timed = {
            "daisy": rivals.daisy(rehearsal, Path(folder) / "daisy.npy"),
            "map_overlap": rivals.map_overlap(rehearsal, Path(folder) / "overlap.zarr"),
        }
    for rival, its in timed.items():
        found[f"{rival}_50ms"] = its.seconds / found["bare_s_50ms"] - 1
        found[f"{rival}_startup_s"] = its.startup
    return found


def page(numbers: Numbers) -> str:
    """Word the numbers of one run as a page in Markdown."""
    machine = numbers["machine"]
    text = f"""\
# Benchmarks of durable execution

Made by one command, from one run on one machine of {machine["cores"]} cores and {machine["memory_gb"]:.0f} GB
({machine["system"]}; {machine["load"]:.2f} processes wanted a core when it began):

    s1omni bench page docs/benchmarks.md

The px are made up and the model is a fake one that sleeps, so that everything else shows. Each part can be measured by
itself: `s1omni bench overhead`, `memory`, `resume`, `scaling`, each with `--json`.
"""
    return text + "".join(_SECTIONS[name](numbers[name]) for name in _SECTIONS if name in numbers)


def _overhead(found: Numbers) -> str:
    return f"""
## One worker against a bare loop

The bare loop reads, thinks, draws and keeps in memory: {found["tiles_50ms"]} tiles of 50 ms
in {found["bare_s_50ms"]:.1f} s, {found["tiles_500ms"]} of 500 ms in {found["bare_s_500ms"]:.1f} s.
All others write a result, too, and are timed from when their worker is ready until everything is written and the worker
is gone; the table says how much longer than the loop they take.

| | start | 50 ms a tile | 500 ms a tile | what is kept |
|---|---|---|---|---|
| run, one Dask worker | {found["startup_s"]:.1f} s | {found["overhead_50ms"]:+.1%} | {found["overhead_500ms"]:+.1%} \
| Zarr with pyramid, fsynced; journal, thoughts, quality maps; resumes by block |
| run, in this process | | {found["serial_overhead_50ms"]:+.1%} | {found["serial_overhead_500ms"]:+.1%} | the same |
| daisy 2, one worker | {found["daisy_startup_s"]:.1f} s | {found["daisy_50ms"]:+.1%} | \
| one file without compression; marks of finished blocks |
| `dask.array.map_overlap`, one worker | {found["map_overlap_startup_s"]:.1f} s | {found["map_overlap_50ms"]:+.1%} | \
| Zarr; nothing to resume from |
"""


def _no_op(found: Numbers) -> str:
    return f"""
## A block with nothing to do

What scheduling costs, one worker each: {found["blocks"]:,} blocks of one tile ({_BLOCKS:,} for `map_overlap`).

| | ms a block |
|---|---|
| run, leases of {found["lease"]}, journal without fsync | {found["no_op_ms"]:.3f} |
| run, leases of {found["lease"]}, journal with fsync (share of the fsync: {found["fsync_share"]:.0%}) \
| {found["no_op_fsync_ms"]:.3f} |
| daisy 2 | {found["daisy_ms"]:.3f} |
| `dask.array.map_overlap`, no neighbours | {found["map_overlap_0_ms"]:.3f} |
| `dask.array.map_overlap`, 2 px of the neighbours | {found["map_overlap_2_ms"]:.3f} |
"""


def _merging(rows: list[Numbers]) -> str:
    text = """
## Objects across blocks

The answers of one engine, block by block, put together by stitching ([stitching.md](stitching.md)) and in the way of
distributed Cellpose, which joins what hangs together on the two planes at a face after shrinking each label there
(`napari_s1omni/benchmarks/stitching/face_merging.py`). Merged and split count objects; VI is the variation of information against
the truth in bits, 0 where both are equal; seconds are those of putting together, in memory. Where borders waver, blocks
disagree about single voxels, so that every object holds some of its neighbours': there, VI tells.

| volume | objects | blocks | way | found | merged | split | VI | s |
|---|---|---|---|---|---|---|---|---|
"""
    for row in rows:
        for way in ("stitched", "by_faces"):
            seen, seconds = row[way], row[f"{way}_s"]
            text += f"| {row['name']} | {seen['expected']:,} | {row['blocks']} | {way.replace('_', ' ')} "
            text += f"| {seen['found']:,} | {seen['merges']:,} | {seen['splits']:,} "
            text += f"| {seen['information']:.3f} | {seconds:.2f} |\n"
    return text


def _scaling(found: Numbers) -> str:
    return f"""
## Two workers

{found["tiles"]} tiles of 0.1 s: {found["seconds_1"]:.1f} s with one worker, {found["seconds_2"]:.1f} s with two:
{found["speedup"]:.2f} times as fast.
"""


def _resume(found: Numbers) -> str:
    return f"""
## Killed and run again

Killed with its workers after {found["finished_before"]} of {found["blocks"]} blocks. The next run was ready
after {found["startup_s"]:.1f} s; {found["first_new_tile_s"]:.2f} s later, the model's own time taken off, the first new
tiles were in the journal. {found["repeated_blocks"]} finished blocks were run again.
"""


def _memory(found: Numbers) -> str:
    text = """
## Memory

| GB of volume | driver, MB | worker, MB | forecast, MB | forecast over peak |
|---|---|---|---|---|
"""
    names = ("gb", "driver_mb", "worker_mb", "forecast_mb", "forecast_over_peak")
    for gb, driver, worker, forecast, ratio in zip(*(found[name] for name in names), strict=True):
        text += f"| {gb:g} | {driver:.0f} | {worker:.0f} | {forecast:.0f} | {ratio:.2f} |\n"
    text += f"""
The driver grows by {found["driver_slope"]:.2f} MB per GB of volume, the worker by {found["worker_slope"]:.2f} MB.
Runs of other kinds:

| | worker, MB | forecast over peak |
|---|---|---|
"""
    for name, peak in found["kinds_peak_mb"].items():
        text += f"| {name} | {peak:.0f} | {found['kinds_forecast_over_peak'][name]:.2f} |\n"
    return text


def _million(found: Numbers) -> str:
    return f"""
## {found["blocks"]:,} blocks

Planned in {found["plan_s"]:.1f} s; stopped after {found["blocks_before"]:,} blocks and {found["first_half_s"]:.0f} s;
resumed, ready after {found["resume_startup_s"]:.1f} s; the other half in {found["second_half_s"]:.0f} s with two
workers: {found["minutes"]:.1f} minutes in all. The driver took {found["driver_mb"]:.0f} MB, the journal
{found["journal_mb"]:.0f} MB.
"""


_SECTIONS: dict[str, Callable[[Any], str]] = {
    "overhead": _overhead,
    "no_op": _no_op,
    "merging": _merging,
    "scaling": _scaling,
    "resume": _resume,
    "memory": _memory,
    "million": _million,
}
