"""Stitching at scale: a plane of touching ellipses that is never in memory as a whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.benchmarks.stitching.label_run import fill, plan_of, store_of
from napari_s1omni.benchmarks.stitching.oracle_images import Agreement, Labels, known_ids
from napari_s1omni.execution.stitching.stitching_pass import stitch
from napari_s1omni.joining.stitching import Box, Contingency, contingency
from napari_s1omni.results.region_properties import Layers, measure_blocks, write_tables
from napari_s1omni.storage.result.label_scratch import DiskScratch
from napari_s1omni.system.memory import own_peak


class Ellipses:
    """Ellipses on a shaken lattice; where two overlap, each keeps the side of its own centre, so that they touch.

    Parameters
    ----------
    edge : int
        Edge of the square plane in px.
    count : int
        Ellipses, about: the next square number.
    seed : int
    """

    def __init__(self, edge: int, count: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._rows = int(np.ceil(np.sqrt(count)))
        self._pitch = edge / self._rows
        lattice = np.indices((self._rows, self._rows)) + 0.5
        self._centres = ((lattice + rng.uniform(-0.2, 0.2, lattice.shape)) * self._pitch).astype(np.float32)
        self._axes = (rng.uniform(0.45, 0.7, lattice.shape) * self._pitch).astype(np.float32)
        self._angles = rng.uniform(0, np.pi, lattice.shape[1:]).astype(np.float32)

    def __len__(self) -> int:
        return self._rows**2

    def labels(self, box: Box) -> NDArray[np.int32]:
        """True labels, 1 to the number of ellipses, over a box (y, x)."""
        y, x = (np.arange(side.start, side.stop, dtype=np.float32) for side in box)
        y, x = y[:, None], x[None]
        row, column = ((v / self._pitch).astype(np.int32) for v in (y, x))
        best = np.full((y.size, x.size), np.inf, np.float32)
        nearest = np.zeros(best.shape, np.int32)
        # Shaken by a fifth of the pitch, the nearest centre is never further than the next cell.
        for i in (-1, 0, 1):
            for j in (-1, 0, 1):
                r, c = np.clip(row + i, 0, self._rows - 1), np.clip(column + j, 0, self._rows - 1)
                distance = (y - self._centres[0][r, c]) ** 2 + (x - self._centres[1][r, c]) ** 2
                closer = distance < best
                best[closer] = distance[closer]
                nearest[closer] = (r * self._rows + c)[closer]
        dy, dx = y - self._centres[0].ravel()[nearest], x - self._centres[1].ravel()[nearest]
        cos, sin = np.cos(self._angles).ravel()[nearest], np.sin(self._angles).ravel()[nearest]
        long, short = (axis.ravel()[nearest] for axis in self._axes)
        inside = ((dx * cos + dy * sin) / long) ** 2 + ((dy * cos - dx * sin) / short) ** 2 <= 1
        return np.where(inside, nearest + 1, 0).astype(np.int32)


@dataclass(frozen=True, slots=True)
class ScaleReport:
    """What was measured."""

    edge: int
    """Edge of the plane in px."""
    blocks: int
    agreement: Agreement
    """Result against truth."""
    joins: int
    """Pairs of labels that were joined across faces."""
    uncertain: int
    """Rows in the table of uncertain joins."""
    fill_seconds: float
    """Making the labels of all blocks; not part of stitching."""
    merge_seconds: float
    """Comparing neighbours, uniting and numbering."""
    write_seconds: float
    """Writing final labels and the levels of the pyramid that blocks own."""
    pyramid_seconds: float
    """Writing the coarse levels."""
    measure_seconds: float
    """Measuring every object, shape only, into a table on disk."""
    measured: int
    """Rows of that table."""
    measure_memory: int
    """Bytes by which measuring raised the largest resident size; 0 where it needed less than stitching."""
    peak_memory: int
    """Largest resident size of the whole process in bytes."""


def measure(folder: Path, edge: int = 16384, count: int = 200_000, block: int = 1024, halo: int = 64) -> ScaleReport:
    """Label blocks, stitch them on disk, and compare with the truth block by block.

    Parameters
    ----------
    folder : Path
        For the result; must not exist.
    edge, count
        Of the plane, see :class:`Ellipses`.
    block, halo : int
        In px.
    """
    truth = Ellipses(edge, count)
    plan = plan_of((edge, edge), "yx", block, halo)
    store = store_of(plan, folder)

    def one_plane(t: int, box: Box) -> Labels:
        return truth.labels(box[1:])[None]

    clock = [time.perf_counter()]
    records = fill(plan, DiskScratch(store), one_plane, known_ids())
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


def _compare(edge: int, block: int, truth: Ellipses, read: Callable[[Box], Labels]) -> list[Contingency]:
    tables = []
    for top in range(0, edge, block):
        for left in range(0, edge, block):
            box = slice(top, min(top + block, edge)), slice(left, min(left + block, edge))
            tables.append(contingency(truth.labels(box) + 1, read(box).astype(np.int64) + 1))
    return tables
