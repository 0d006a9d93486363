"""Durability measured: what journal, fsync, processes and leases cost beyond the model, and what a kill costs.

Every function makes its own data, runs a fake model, and returns plain numbers.
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from napari_s1omni.benchmarks.synthetic_run import SyntheticRun
from napari_s1omni.errors import EngineUnavailable, RunInterrupted
from napari_s1omni.execution.run.control import write_control
from napari_s1omni.execution.run.events import BlockDone, Event
from napari_s1omni.execution.run.watch import JournalTail
from napari_s1omni.planning.cost import cost
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.system.machine import load, processors
from napari_s1omni.system.memory import own_peak
from napari_s1omni.system.processes import kill_detached, start_detached

Numbers = dict[str, Any]

_MODULE = "napari_s1omni.benchmarks.durability"


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="s1omni-bench-") as name:
        yield Path(name) / "result.zarr"


def paced(seconds: float, tiles: int) -> SyntheticRun:
    """Plan a run of so many tiles, a multiple of 16, that take so long each."""
    return SyntheticRun.of((1024 * max(1, tiles // 16), 1024), seconds=seconds)


def overhead(fast: int = 1024, slow: int = 128) -> Numbers:
    """Compare one worker with a bare loop, the model taking 50 ms and 500 ms a tile.

    Parameters
    ----------
    fast, slow : int
        Tiles with 50 ms and with 500 ms.

    Returns
    -------
    dict
        ``overhead_50ms`` and ``overhead_500ms`` as fractions of the bare loop's time: one worker
        process behind a scheduler, journal and fsync included, from when it is ready until the
        result is complete. Its start is apart as ``startup_s``; ``overhead_..._with_startup`` has
        it too. ``serial_overhead_...`` is a run in this process.
    """
    found: Numbers = {"cores": processors(), "load": load()}
    for name, seconds, count in (("50ms", 0.05, fast), ("500ms", 0.5, slow)):
        rehearsal = paced(seconds, count)
        bare = rehearsal.bare()
        with _folder() as path:
            clock = rehearsal.run(path, workers=1)
        with _folder() as path:
            alone = rehearsal.run(path)
        found[f"serial_overhead_{name}"] = alone.seconds / bare - 1
        found[f"overhead_{name}"] = clock.seconds / bare - 1
        found[f"overhead_{name}_with_startup"] = (clock.startup + clock.seconds) / bare - 1
        found[f"bare_s_{name}"] = bare
        found[f"tiles_{name}"] = rehearsal.tiles
        found["startup_s"] = clock.startup
    return found


def blank(blocks: int) -> SyntheticRun:
    """Plan a run of so many blocks, a square number, of one tile in which there is nothing to do."""
    edge = int(blocks**0.5)
    return SyntheticRun.of((edge * 16, edge * 16), tile=16, block=16, blank=True, operation="segmentation")


def no_op(blocks: int = 16384, lease: int = 64, times: int = 5) -> Numbers:
    """Time blocks in which there is nothing to do, in leases of 64, with and without fsync: the best of a few runs."""
    rehearsal = blank(blocks)
    best = {"no_op_ms": math.inf, "no_op_fsync_ms": math.inf}
    for _ in range(times):
        for name in best:
            with _folder() as path:
                durable = name == "no_op_fsync_ms"
                clock = rehearsal.run(path, workers=1, durable=durable, dry=True, lease_blocks=lease)
            best[name] = min(best[name], 1e3 * clock.seconds / clock.blocks)
    share = 1 - best["no_op_ms"] / best["no_op_fsync_ms"]
    return {"blocks": len(rehearsal.plan.grid), "lease": lease, **best, "fsync_share": share}


def memory(gigabytes: tuple[float, ...] = (0.25, 1.0, 4.0)) -> Numbers:
    """Measure the peak memory of driver and worker, each time in fresh processes; of a size, the median of three times.

    Returns
    -------
    dict
        Over volumes of different size, ``slope`` of each in MB per GB of volume (least squares),
        the peaks, and the plan's forecast; then, for runs of other kinds (:data:`KINDS`), forecast over peak.
    """
    sizes = [[_in_process("memory_once", {"gb": gb}) for _ in range(3)] for gb in gigabytes]
    rows = [{name: statistics.median(row[name] for row in times) for name in times[0]} for times in sizes]
    found: Numbers = {"gb": list(gigabytes)}
    for name in ("driver_mb", "worker_mb"):
        found[name] = [row[name] for row in rows]
        found[f"{name.removesuffix('_mb')}_slope"] = float(np.polyfit(gigabytes, found[name], 1)[0])
    found["forecast_mb"] = [row["forecast_mb"] for row in rows]
    found["forecast_over_peak"] = [row["forecast_mb"] / row["worker_mb"] for row in rows]
    kinds = {name: _in_process("memory_once", {"kind": name}) for name in KINDS}
    found["kinds_peak_mb"] = {name: row["worker_mb"] for name, row in kinds.items()}
    found["kinds_forecast_over_peak"] = {name: row["forecast_mb"] / row["worker_mb"] for name, row in kinds.items()}
    ratios = [*found["forecast_over_peak"], *found["kinds_forecast_over_peak"].values()]
    found["forecast_over_peak_range"] = [min(ratios), max(ratios)]
    return found


KINDS: dict[str, Numbers] = {
    "tiles of 128 px, uint8": {"shape": (4, 2048, 2048), "tile": 128, "block": 512, "dtype": "uint8"},
    "tiles of 1024 px, float32": {"shape": (2, 4096, 4096), "tile": 1024, "block": 2048, "dtype": "float32"},
    "three channels": {"shape": (3, 4096, 4096), "axes": "cyx", "tile": 512, "block": 1024},
    "twice as large": {"shape": (2, 3072, 3072), "tile": 256, "overlap": 64, "block": 768, "factor": 2},
    "four times as large, uint8": {"shape": (2, 1536, 1536), "tile": 256, "block": 512, "factor": 4, "dtype": "uint8"},
    "blocks of 2048 px": {"shape": (2, 6144, 6144), "tile": 512, "block": 2048},
    "translation, uint8": {
        "shape": (2, 4096, 4096),
        "tile": 512,
        "overlap": 128,
        "block": 1152,
        "operation": "modality_translation",
        "dtype": "uint8",
    },
    "classes": {"shape": (2, 4096, 4096), "tile": 512, "block": 1024, "operation": "segmentation"},
    "objects of 20 px": {
        "shape": (3, 3072, 3072),
        "tile": 256,
        "overlap": 64,
        "block": 768,
        "operation": "segmentation",
        "diameter": 20,
    },
    "objects of 60 px, blocks of 1536 px, uint8": {
        "shape": (2, 4608, 4608),
        "tile": 512,
        "overlap": 128,
        "block": 1536,
        "operation": "segmentation",
        "diameter": 60,
        "dtype": "uint8",
    },
}
"""Runs of which the peak memory is compared with the forecast, beside those that differ in size only."""


def memory_once(run: Numbers) -> Numbers:
    """Run one volume of ``gb`` GB of uint16, or of one of the :data:`KINDS`, on one worker; return peaks in MB."""
    if "kind" in run:
        settings = dict(KINDS[run["kind"]])
        rehearsal = SyntheticRun.of(settings.pop("shape"), **settings)
    else:
        edge = 4096
        rehearsal = SyntheticRun.of((max(1, round(run["gb"] * 1e9 / 2 / edge**2)), edge, edge), tile=512, block=1024)
    with _folder() as path:
        clock = rehearsal.run(path, workers=1, durable=False, dry="gb" in run, lease_seconds=5)
    forecast = cost(rehearsal.plan).peak_memory
    return {"driver_mb": own_peak() / 1e6, "worker_mb": clock.peak_memory / 1e6, "forecast_mb": forecast / 1e6}


def resume(seconds: float = 0.05, workers: int = 2) -> Numbers:
    """Kill a run in the middle, driver and all, and time how soon the next one draws a new tile."""
    with _folder() as path:
        settings = {"seconds": seconds, "workers": workers, "path": str(path)}
        words = [sys.executable, "-m", _MODULE, "resumable", json.dumps(settings)]
        process = start_detached(words, stdout=subprocess.DEVNULL)
        tail = JournalTail(path / WORK / "journal")
        done: set[tuple[int, ...]] = set()
        while len(done) < 16 and process.poll() is None:
            done |= {record.block for record in tail.read()}
            time.sleep(0.05)
        kill_detached(process.pid)
        process.wait()
        done |= {record.block for record in tail.read()}
        again = _in_process("resumable", settings)
        repeated = sum(1 for record in tail.read() if record.block in done)
    return {
        "finished_before": len(done),
        "blocks": again["blocks"] + len(done),
        "repeated_blocks": repeated,
        "startup_s": again["startup_s"],
        "first_new_micro_batch_s": again["first_s"],
        "model_s": 4 * seconds,
        "first_new_tile_s": again["first_s"] - 4 * seconds,
    }


def resumable(settings: Numbers) -> Numbers:
    """Run, or go on with, a run of 32 blocks; return when it began to draw."""
    rehearsal = SyntheticRun.of((2048, 4096), block=512, seconds=settings["seconds"])
    clock = rehearsal.run(Path(settings["path"]), workers=settings["workers"], lease_seconds=1)
    return {"startup_s": clock.startup, "first_s": clock.first, "blocks": clock.blocks}


def scaling(seconds: float = 0.1, tiles: int = 384) -> Numbers:
    """Compare one worker with two, the model sleeping."""
    found: Numbers = {"tiles": tiles}
    for workers in (1, 2):
        rehearsal = SyntheticRun.of((512 * (tiles // 4), 512), block=512, seconds=seconds)
        with _folder() as path:
            clock = rehearsal.run(path, workers=workers, lease_seconds=2)
        found[f"seconds_{workers}"] = clock.seconds - clock.first
    found["speedup"] = found["seconds_1"] / found["seconds_2"]
    return found


def many(blocks: int = 1_000_000) -> Numbers:
    """Plan, run to a half, and resume a run of very many blocks in a fresh process: no-op engine, real journal."""
    return _in_process("many_once", blocks)


def many_once(blocks: int, workers: int = 2) -> Numbers:
    """Do so in this process, whose peak memory is one of the numbers."""
    start = time.perf_counter()
    rehearsal = blank(blocks)
    blocks = len(rehearsal.plan.grid)
    found: Numbers = {"blocks": blocks, "plan_s": time.perf_counter() - start}
    done = 0

    with _folder() as path:

        def stop_halfway(event: Event) -> None:
            nonlocal done
            done += isinstance(event, BlockDone)
            if done == blocks // 2:
                write_control(path, cancel=True)

        start = time.perf_counter()
        try:
            rehearsal.run(path, workers=workers, durable=False, dry=True, on_event=stop_halfway)
        except RunInterrupted:
            found["first_half_s"] = time.perf_counter() - start
        found["blocks_before"] = done
        clock = rehearsal.run(path, workers=workers, durable=False, dry=True)
        found["resume_startup_s"] = clock.startup
        found["second_half_s"] = clock.seconds
        found["blocks_after"] = clock.blocks
        found["ms_per_block"] = 1e3 * clock.seconds / clock.blocks
        found["journal_mb"] = sum(f.stat().st_size for f in (path / WORK / "journal").iterdir()) / 1e6
    found["driver_mb"] = own_peak() / 1e6
    found["minutes"] = sum(v for k, v in found.items() if k.endswith("_s")) / 60
    return found


def _in_process(name: str, argument: Any) -> Numbers:
    """Call one of the functions above in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", _MODULE, name, json.dumps(argument)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise EngineUnavailable(f"measuring {name} failed: {done.stderr.strip()[-500:]}")
    numbers: Numbers = json.loads(done.stdout.splitlines()[-1])
    return numbers


if __name__ == "__main__":
    sys.stdout.write(json.dumps(globals()[sys.argv[1]](json.loads(sys.argv[2]))) + "\n")
