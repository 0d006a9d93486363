"""Stitching at scale: a plane of touching ellipses that is never held in memory as a whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_s1omni.benchmarks.stitching.agreement import Agreement
from napari_s1omni.benchmarks.stitching.ellipses import Ellipses
from napari_s1omni.benchmarks.stitching.label_run import create_store, plan_segmentation, write_true_labels
from napari_s1omni.benchmarks.stitching.window_engines import Labels, known_ids
from napari_s1omni.execution.stitching.stitching_pass import stitch
from napari_s1omni.joining.stitching import Box, ContingencyTable, contingency_table
from napari_s1omni.results.region_properties import Layers, measure_blocks, write_tables
from napari_s1omni.storage.result.label_scratch import DiskScratch
from napari_s1omni.system.memory import own_peak


@dataclass(frozen=True, slots=True)
class ScaleReport:
    """Agreement, time and memory of one run."""

    edge: int
    """Edge of the plane in pixels."""
    blocks: int
    agreement: Agreement
    """Result compared with the truth."""
    joins: int
    """Pairs of labels joined across faces."""
    uncertain: int
    """Rows in the table of uncertain joins."""
    fill_seconds: float
    """Time for making the labels of all blocks; not part of stitching."""
    merge_seconds: float
    """Time for comparing neighbours, uniting and numbering labels."""
    write_seconds: float
    """Time for writing final labels and the pyramid levels that belong to single blocks."""
    pyramid_seconds: float
    """Time for writing the coarse levels."""
    measure_seconds: float
    """Time for measuring the shape of every object into a table on disk."""
    measured: int
    """Rows of that table."""
    measure_memory: int
    """Bytes by which measuring raised the peak resident size; 0 if it needed less than stitching."""
    peak_memory: int
    """Peak resident size of the whole process in bytes."""


def measure(folder: Path, edge: int = 16384, count: int = 200_000, block: int = 1024, halo: int = 64) -> ScaleReport:
    """Label blocks, stitch them on disk, and compare the result with the truth block by block.

    Parameters
    ----------
    folder : Path
        Folder for the result; must not exist.
    edge, count : int
        Size of the plane and number of ellipses, see :class:`~napari_s1omni.benchmarks.stitching.ellipses.Ellipses`.
    block, halo : int
        Edge of a block and its halo in pixels.
    """
    truth = Ellipses(edge, count)
    plan = plan_segmentation((edge, edge), "yx", block, halo)
    store = create_store(plan, folder)

    def one_plane(t: int, box: Box) -> Labels:
        return truth.labels(box[1:])[None]

    clock = [time.perf_counter()]
    records = write_true_labels(plan, DiskScratch(store), one_plane, known_ids())
    clock.append(time.perf_counter())
    report = stitch(plan, store, records)
    clock.append(time.perf_counter())
    store.complete_pyramid(report.digests)
    clock.append(time.perf_counter())
    before = own_peak()
    layers = Layers(store.levels[0], store.target, store.block)
    measured = write_tables(measure_blocks(layers), store.work / "objects.csv")
    clock.append(time.perf_counter())
    return ScaleReport(
        edge=edge,
        blocks=len(plan.grid),
        agreement=Agreement.from_tables(_compare(edge, block, truth, store.read)),
        joins=report.joins,
        uncertain=report.uncertain,
        fill_seconds=clock[1] - clock[0],
        merge_seconds=report.seconds["match"] + report.seconds["number"],
        write_seconds=report.seconds["write"],
        pyramid_seconds=clock[3] - clock[2],
        measure_seconds=clock[4] - clock[3],
        measured=measured,
        measure_memory=own_peak() - before,
        peak_memory=own_peak(),
    )


def _compare(edge: int, block: int, truth: Ellipses, read: Callable[[Box], Labels]) -> list[ContingencyTable]:
    tables = []
    for top in range(0, edge, block):
        for left in range(0, edge, block):
            box = slice(top, min(top + block, edge)), slice(left, min(left + block, edge))
            tables.append(contingency_table(truth.labels(box) + 1, read(box).astype(np.int64) + 1))
    return tables
