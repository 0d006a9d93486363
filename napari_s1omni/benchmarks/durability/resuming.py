"""Resuming: how soon a killed run draws new tiles, and a run of a million blocks that stops halfway."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from napari_s1omni.benchmarks.durability.overhead import blank_run
from napari_s1omni.benchmarks.fresh_process import (
    Numbers,
    call_in_fresh_process,
    fresh_process_command,
    temporary_output,
)
from napari_s1omni.benchmarks.synthetic_run import SyntheticRun
from napari_s1omni.errors import RunInterrupted
from napari_s1omni.execution.run.control import write_control
from napari_s1omni.execution.run.events import BlockDone, Event
from napari_s1omni.execution.run.watch import JournalTail
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.system.memory import own_peak
from napari_s1omni.system.processes import kill_detached, start_detached


def resume(seconds: float = 0.05, workers: int = 2) -> Numbers:
    """Kill a run with its workers halfway, and time how soon the next one draws a new tile."""
    with temporary_output() as path:
        settings = {"seconds": seconds, "workers": workers, "path": str(path)}
        process = start_detached(fresh_process_command(run_or_resume, settings), stdout=subprocess.DEVNULL)
        tail = JournalTail(path / WORK / "journal")
        done: set[tuple[int, ...]] = set()
        while len(done) < 16 and process.poll() is None:
            done |= {record.block for record in tail.read()}
            time.sleep(0.05)
        kill_detached(process.pid)
        process.wait()
        done |= {record.block for record in tail.read()}
        again = call_in_fresh_process(run_or_resume, settings)
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


def run_or_resume(settings: Numbers) -> Numbers:
    """Execute or resume a run of 32 blocks; return when it drew its first tiles."""
    run = SyntheticRun((2048, 4096), block=512, seconds=settings["seconds"])
    timer = run.run(Path(settings["path"]), workers=settings["workers"], lease_seconds=1)
    return {"startup_s": timer.startup, "first_s": timer.first, "blocks": timer.blocks}


def large_run(blocks: int = 1_000_000) -> Numbers:
    """Plan a run of very many blank blocks, stop it halfway and resume it, in a fresh process with a real journal."""
    return call_in_fresh_process(large_run_once, blocks)


def large_run_once(blocks: int, workers: int = 2) -> Numbers:
    """Do so in this process, whose peak memory is one of the numbers."""
    start = time.perf_counter()
    run = blank_run(blocks)
    blocks = len(run.plan.grid)
    found: Numbers = {"blocks": blocks, "plan_s": time.perf_counter() - start}
    done = 0

    with temporary_output() as path:

        def stop_halfway(event: Event) -> None:
            nonlocal done
            done += isinstance(event, BlockDone)
            if done == blocks // 2:
                write_control(path, cancel=True)

        start = time.perf_counter()
        try:
            run.run(path, workers=workers, durable=False, dry=True, on_event=stop_halfway)
        except RunInterrupted:
            found["first_half_s"] = time.perf_counter() - start
        found["blocks_before"] = done
        timer = run.run(path, workers=workers, durable=False, dry=True)
        found["resume_startup_s"] = timer.startup
        found["second_half_s"] = timer.seconds
        found["blocks_after"] = timer.blocks
        found["ms_per_block"] = 1e3 * timer.seconds / timer.blocks
        found["journal_mb"] = sum(f.stat().st_size for f in (path / WORK / "journal").iterdir()) / 1e6
    found["driver_mb"] = own_peak() / 1e6
    found["minutes"] = sum(v for k, v in found.items() if k.endswith("_s")) / 60
    return found
