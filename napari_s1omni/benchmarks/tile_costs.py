"""What a megapixel costs: how often a tile is drawn, and the time of a run against a bare loop over its tiles."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np

from napari_s1omni.benchmarks.run_timer import RunTimer
from napari_s1omni.benchmarks.synthetic_run import SyntheticRun
from napari_s1omni.errors import EngineError
from napari_s1omni.execution.executors.serial import run_serial
from napari_s1omni.jobs.run import run
from napari_s1omni.planning.job import Job
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.source import open_source

_FLAT = SyntheticRun((2048, 2048), 256, 768, 64, operation="segmentation", diameter=20)
_DEEP = SyntheticRun((12, 512, 512), 128, 192, 32, operation="segmentation", diameter=12)
_DEPTH = 3
"""Planes of a block of the volume, so that tiles are shared along z too."""
_LOOPS = {0.05: SyntheticRun((1984, 1984), 256, 768, 64, 0.05), 0.5: SyntheticRun((1024, 1024), 256, 768, 64, 0.5)}
"""Runs that are compared with a bare loop, by the seconds that a tile takes."""
_EDGE = 1024
"""Edge in pixels of the image that real engines segment."""


def measure(engines: tuple[str, ...] = ("reference", "nano")) -> dict[str, Any]:
    """Count and time.

    Parameters
    ----------
    engines : tuple of str
        Engines whose time is measured; those that are not installed are left out.

    Returns
    -------
    dict
        ``drawn_over_lattice`` (calls of the engine over cells of the lattice, ``2d`` and ``3d``),
        ``overhead`` (by milliseconds per tile: time of a run over that of the loop, minus 1), and
        ``seconds_per_megapixel`` by engine.
    """
    deep = dataclasses.replace(_DEEP.plan, grid=dataclasses.replace(_DEEP.plan.grid, depth=_DEPTH))
    with tempfile.TemporaryDirectory(prefix="s1omni-bench-") as name:
        home = Path(name)
        drawn = {"2d": _drawn(_FLAT, _FLAT.plan, home / "2d"), "3d": _drawn(_DEEP, deep, home / "3d")}
        overhead = {
            f"{1000 * seconds:.0f} ms": loop.run(home / f"{seconds}").seconds / loop.time_bare_loop() - 1
            for seconds, loop in _LOOPS.items()
        }
        return {
            "drawn_over_lattice": {name: round(share, 4) for name, share in drawn.items()},
            "overhead": {name: round(share, 4) for name, share in overhead.items()},
            "seconds_per_megapixel": _seconds_per_megapixel(engines, home),
        }


def _drawn(synthetic: SyntheticRun, plan: Plan, path: Path) -> float:
    """Run a plan and return the tiles that the engine drew over the cells of the lattice."""
    engine, source = synthetic.engine(), cast("Any", synthetic.source)
    run_serial(plan, source, path, durable=False, engine=lambda: engine)
    return engine.drawn / synthetic.tiles


def _seconds_per_megapixel(engines: tuple[str, ...], home: Path) -> dict[str, float]:
    """Segment one image with each engine; the time of loading it is left out."""
    scene = open_source(f"synthetic://nuclei?shape={_EDGE},{_EDGE}&seed=1&diameter=20")
    np.save(home / "image.npy", scene.read().squeeze())
    found: dict[str, float] = {}
    for engine in engines:
        job = Job.read(
            {
                "source": str(home / "image.npy"),
                "output": str(home / engine),
                "operation": {"type": "segmentation", "prompt": "segment the nuclei, about 20 px"},
                "engine": engine,
            }
        )
        timer = RunTimer(lambda event: None)
        try:
            run(job, on_event=timer)
        except EngineError:
            continue
        timer.stop()
        found[engine] = round(timer.seconds / (_EDGE**2 / 1e6), 3)
    return found
