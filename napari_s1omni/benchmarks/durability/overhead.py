"""The cost of durable runs beyond the model: journal, fsync, worker processes and leases.

Every function makes its own data, runs a fake model, and returns plain numbers.
"""

from __future__ import annotations

import math

from napari_s1omni.benchmarks.fresh_process import Numbers, temporary_output
from napari_s1omni.benchmarks.synthetic_run import SyntheticRun
from napari_s1omni.system.machine import load, processors


def timed_run(seconds: float, tiles: int) -> SyntheticRun:
    """Return a run of `tiles` tiles, a multiple of 16, that take `seconds` each."""
    return SyntheticRun((1024 * max(1, tiles // 16), 1024), seconds=seconds)


def blank_run(blocks: int) -> SyntheticRun:
    """Return a run of `blocks` blocks, a square number, with one blank tile each, which needs no work."""
    edge = int(blocks**0.5)
    return SyntheticRun((edge * 16, edge * 16), tile=16, block=16, blank=True, operation="segmentation")


def overhead(fast: int = 1024, slow: int = 128) -> Numbers:
    """Compare one worker with a bare loop, for a model that takes 50 ms and one that takes 500 ms per tile.

    Parameters
    ----------
    fast, slow : int
        Number of tiles with 50 ms and with 500 ms.

    Returns
    -------
    dict
        ``overhead_50ms`` and ``overhead_500ms`` as fractions of the bare loop's time: one worker
        process behind a scheduler, including journal and fsync, from when the worker is ready until
        the result is complete. ``startup_s`` is the time before; ``overhead_..._with_startup``
        includes it. ``serial_overhead_...`` is a run in this process.
    """
    found: Numbers = {"cores": processors(), "load": load()}
    for name, seconds, count in (("50ms", 0.05, fast), ("500ms", 0.5, slow)):
        run = timed_run(seconds, count)
        bare = run.time_bare_loop()
        with temporary_output() as path:
            timer = run.run(path, workers=1)
        with temporary_output() as path:
            serial = run.run(path)
        found[f"serial_overhead_{name}"] = serial.seconds / bare - 1
        found[f"overhead_{name}"] = timer.seconds / bare - 1
        found[f"overhead_{name}_with_startup"] = (timer.startup + timer.seconds) / bare - 1
        found[f"bare_s_{name}"] = bare
        found[f"tiles_{name}"] = run.tiles
        found["startup_s"] = timer.startup
    return found


def no_op(blocks: int = 16384, lease: int = 64, times: int = 5) -> Numbers:
    """Time blank blocks, in leases of 64, with and without fsync; the best of several runs."""
    run = blank_run(blocks)
    best = {"no_op_ms": math.inf, "no_op_fsync_ms": math.inf}
    for _ in range(times):
        for name in best:
            with temporary_output() as path:
                durable = name == "no_op_fsync_ms"
                timer = run.run(path, workers=1, durable=durable, dry=True, lease_blocks=lease)
            best[name] = min(best[name], 1e3 * timer.seconds / timer.blocks)
    share = 1 - best["no_op_ms"] / best["no_op_fsync_ms"]
    return {"blocks": len(run.plan.grid), "lease": lease, **best, "fsync_share": share}


def scaling(seconds: float = 0.1, tiles: int = 384) -> Numbers:
    """Compare one worker with two, for a model that sleeps."""
    found: Numbers = {"tiles": tiles}
    for workers in (1, 2):
        run = SyntheticRun((512 * (tiles // 4), 512), block=512, seconds=seconds)
        with temporary_output() as path:
            timer = run.run(path, workers=workers, lease_seconds=2)
        found[f"seconds_{workers}"] = timer.seconds - timer.first
    found["speedup"] = found["seconds_1"] / found["seconds_2"]
    return found
