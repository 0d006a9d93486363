"""Peak memory of driver and worker, compared with the plan's estimate."""

from __future__ import annotations

import statistics

import numpy as np

from napari_s1omni.benchmarks.fresh_process import Numbers, call_in_fresh_process, temporary_output
from napari_s1omni.benchmarks.synthetic_run import SyntheticRun
from napari_s1omni.planning.cost import estimate_cost
from napari_s1omni.system.memory import own_peak

KINDS = {
    "tiles of 128 px, uint8": SyntheticRun((4, 2048, 2048), tile=128, block=512, dtype="uint8"),
    "tiles of 1024 px, float32": SyntheticRun((2, 4096, 4096), tile=1024, block=2048, dtype="float32"),
    "three channels": SyntheticRun((3, 4096, 4096), axes="cyx", tile=512, block=1024),
    "twice as large": SyntheticRun((2, 3072, 3072), tile=256, overlap=64, block=768, factor=2),
    "four times as large, uint8": SyntheticRun((2, 1536, 1536), tile=256, block=512, factor=4, dtype="uint8"),
    "blocks of 2048 px": SyntheticRun((2, 6144, 6144), tile=512, block=2048),
    "translation, uint8": SyntheticRun(
        (2, 4096, 4096), tile=512, overlap=128, block=1152, operation="modality_translation", dtype="uint8"
    ),
    "classes": SyntheticRun((2, 4096, 4096), tile=512, block=1024, operation="segmentation"),
    "objects of 20 px": SyntheticRun(
        (3, 3072, 3072), tile=256, overlap=64, block=768, operation="segmentation", diameter=20
    ),
    "objects of 60 px, blocks of 1536 px, uint8": SyntheticRun(
        (2, 4608, 4608), tile=512, overlap=128, block=1536, operation="segmentation", diameter=60, dtype="uint8"
    ),
}
"""Runs whose peak memory is compared with the estimate, besides those that differ only in size."""


def memory(gigabytes: tuple[float, ...] = (0.25, 1.0, 4.0)) -> Numbers:
    """Measure the peak memory of driver and worker in fresh processes; the median of three runs per size.

    Returns
    -------
    dict
        For volumes of different size: the peaks, the plan's estimate (``forecast``), and the
        ``slope`` of each peak in MB per GB of volume (least squares). For the runs of
        :data:`KINDS`: the peaks, and estimate over peak.
    """
    sizes = [[call_in_fresh_process(memory_once, {"gb": gb}) for _ in range(3)] for gb in gigabytes]
    rows = [{name: statistics.median(row[name] for row in times) for name in times[0]} for times in sizes]
    found: Numbers = {"gb": list(gigabytes)}
    for name in ("driver_mb", "worker_mb"):
        found[name] = [row[name] for row in rows]
        found[f"{name.removesuffix('_mb')}_slope"] = float(np.polyfit(gigabytes, found[name], 1)[0])
    found["forecast_mb"] = [row["forecast_mb"] for row in rows]
    found["forecast_over_peak"] = [row["forecast_mb"] / row["worker_mb"] for row in rows]
    kinds = {name: call_in_fresh_process(memory_once, {"kind": name}) for name in KINDS}
    found["kinds_peak_mb"] = {name: row["worker_mb"] for name, row in kinds.items()}
    found["kinds_forecast_over_peak"] = {name: row["forecast_mb"] / row["worker_mb"] for name, row in kinds.items()}
    ratios = [*found["forecast_over_peak"], *found["kinds_forecast_over_peak"].values()]
    found["forecast_over_peak_range"] = [min(ratios), max(ratios)]
    return found


def memory_once(which: Numbers) -> Numbers:
    """Execute one run on one worker, over ``gb`` GB of uint16 or of one ``kind``; return the peaks in MB."""
    if "kind" in which:
        run = KINDS[which["kind"]]
    else:
        edge = 4096
        planes = max(1, round(which["gb"] * 1e9 / 2 / edge**2))
        run = SyntheticRun((planes, edge, edge), tile=512, block=1024)
    with temporary_output() as path:
        timer = run.run(path, workers=1, durable=False, dry="gb" in which, lease_seconds=5)
    forecast = estimate_cost(run.plan).peak_memory
    return {"driver_mb": own_peak() / 1e6, "worker_mb": timer.peak_memory / 1e6, "forecast_mb": forecast / 1e6}
