"""The page docs/durability.md, written from the numbers of one run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_s1omni.benchmarks.durability.numbers import MAP_OVERLAP_BLOCKS
from napari_s1omni.benchmarks.fresh_process import Numbers


def page(numbers: Numbers) -> str:
    """Write the numbers of one run as a page in Markdown; parts that were not measured are left out."""
    machine = numbers["machine"]
    text = f"""\
# Benchmarks of durable runs

One command measured everything below, in one run on a machine with {machine["cores"]} cores
and {machine["memory_gb"]:.0f} GB ({machine["system"]}; load average {machine["load"]:.2f} at the start):

    s1omni bench page docs/durability.md

The pixels are synthetic and the model is a fake one that sleeps, so that only the overhead remains. Each part can be
measured on its own: `s1omni bench overhead`, `memory`, `resume`, `scaling`, each with `--json`.
"""
    return text + "".join(_SECTIONS[name](numbers[name]) for name in _SECTIONS if name in numbers)


def _overhead(found: Numbers) -> str:
    return f"""
## One worker against a bare loop

The bare loop reads, thinks, draws and keeps the result in memory: {found["tiles_50ms"]} tiles of 50 ms
in {found["bare_s_50ms"]:.1f} s, {found["tiles_500ms"]} tiles of 500 ms in {found["bare_s_500ms"]:.1f} s.
All others also write a result. They are timed from when their worker is ready until everything is written and the
worker has stopped; the table shows how much longer than the loop they take.

| | start | 50 ms per tile | 500 ms per tile | output |
|---|---|---|---|---|
| run, one Dask worker | {found["startup_s"]:.1f} s | {found["overhead_50ms"]:+.1%} | {found["overhead_500ms"]:+.1%} \
| Zarr with pyramid, fsynced; journal, thoughts, quality maps; resumes by block |
| run, in this process | | {found["serial_overhead_50ms"]:+.1%} | {found["serial_overhead_500ms"]:+.1%} | the same |
| daisy 2, one worker | {found["daisy_startup_s"]:.1f} s | {found["daisy_50ms"]:+.1%} | \
| one uncompressed file; marks of finished blocks |
| `dask.array.map_overlap`, one worker | {found["map_overlap_startup_s"]:.1f} s | {found["map_overlap_50ms"]:+.1%} | \
| Zarr; cannot resume |
"""


def _no_op(found: Numbers) -> str:
    return f"""
## A block without work

The cost of scheduling with one worker: {found["blocks"]:,} blank blocks of one tile
({MAP_OVERLAP_BLOCKS:,} for `map_overlap`).

| | ms per block |
|---|---|
| run, leases of {found["lease"]}, journal without fsync | {found["no_op_ms"]:.3f} |
| run, leases of {found["lease"]}, journal with fsync (share of fsync: {found["fsync_share"]:.0%}) \
| {found["no_op_fsync_ms"]:.3f} |
| daisy 2 | {found["daisy_ms"]:.3f} |
| `dask.array.map_overlap`, no neighbours | {found["map_overlap_0_ms"]:.3f} |
| `dask.array.map_overlap`, 2 px of the neighbours | {found["map_overlap_2_ms"]:.3f} |
"""


def _merging(rows: list[Numbers]) -> str:
    text = """
## Objects across blocks

The labels of one engine, block by block, joined in two ways: by stitching ([stitching.md](stitching.md)), and by faces
as in distributed Cellpose, which shrinks each label and joins what is still connected across the two planes at a face
(`napari_s1omni/benchmarks/stitching/face_merging.py`). "Merged" and "split" count objects. VI is the variation of
information against the truth in bits, 0 if both are equal. Seconds are those of joining, in memory. With jittered
borders, blocks disagree about single voxels, so that every object contains some voxels of its neighbours;
there, compare VI.

| volume | objects | blocks | method | found | merged | split | VI | s |
|---|---|---|---|---|---|---|---|---|
"""
    for row in rows:
        for method in ("stitched", "by_faces"):
            agreement, seconds = row[method], row[f"{method}_s"]
            text += f"| {row['name']} | {agreement['expected']:,} | {row['blocks']} | {method.replace('_', ' ')} "
            text += f"| {agreement['found']:,} | {agreement['merges']:,} | {agreement['splits']:,} "
            text += f"| {agreement['information']:.3f} | {seconds:.2f} |\n"
    return text


def _scaling(found: Numbers) -> str:
    return f"""
## Two workers

{found["tiles"]} tiles of 0.1 s: {found["seconds_1"]:.1f} s with one worker, {found["seconds_2"]:.1f} s with two:
{found["speedup"]:.2f} times as fast.
"""


def _resume(found: Numbers) -> str:
    return f"""
## Killed and resumed

The run was killed with its workers after {found["finished_before"]} of {found["blocks"]} blocks. The next run was ready
after {found["startup_s"]:.1f} s. {found["first_new_tile_s"]:.2f} s later, not counting the model's own time, the first
new tiles were in the journal. {found["repeated_blocks"]} finished blocks were repeated.
"""


def _memory(found: Numbers) -> str:
    text = """
## Memory

| GB of volume | driver, MB | worker, MB | estimate, MB | estimate over peak |
|---|---|---|---|---|
"""
    names = ("gb", "driver_mb", "worker_mb", "forecast_mb", "forecast_over_peak")
    for gb, driver, worker, forecast, ratio in zip(*(found[name] for name in names), strict=True):
        text += f"| {gb:g} | {driver:.0f} | {worker:.0f} | {forecast:.0f} | {ratio:.2f} |\n"
    text += f"""
The driver grows by {found["driver_slope"]:.2f} MB per GB of volume, the worker by {found["worker_slope"]:.2f} MB.
Other kinds of runs:

| | worker, MB | estimate over peak |
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
workers; {found["minutes"]:.1f} minutes in total. The driver took {found["driver_mb"]:.0f} MB, the journal
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
