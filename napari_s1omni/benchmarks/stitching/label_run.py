"""A run without an engine: the true labels of every block go to a result on disk, and through the stitching pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

from napari_s1omni.benchmarks.stitching.oracle_images import Labels, WindowEngine
from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tiling import BlockIndex, ShardIndex
from napari_s1omni.engine.registry import describe
from napari_s1omni.execution.stitching.block_labels import reduce_labels
from napari_s1omni.joining.stitching import Box
from napari_s1omni.planning.job import Job
from napari_s1omni.planning.plan import Plan
from napari_s1omni.planning.resolve import resolve
from napari_s1omni.storage.files.disk import Disk
from napari_s1omni.storage.logs.journal import BlockRecord
from napari_s1omni.storage.result.label_scratch import LabelScratch
from napari_s1omni.storage.result.store import ResultStore

Truth = Callable[[int, Box], Labels]
"""True labels of a time point over a box (z, y, x) of the whole layer."""


def plan_of(shape: tuple[int, ...], axes: str, block: int, halo: int, *, depth: int = 1, halo_z: int = 0) -> Plan:
    """Plan the segmentation of a layer that need not exist.

    Parameters
    ----------
    shape, axes
        Of the layer.
    block, halo : int
        Edge of a block and its halo in px, along y and x.
    depth, halo_z : int
        The same along z.
    """
    job = Job.read({"source": "labels:", "operation": {"type": "segmentation"}, "engine": "reference"})
    source = LayerSpec(shape, tuple(axes), "uint16")
    plan = resolve(job, source, Normalization((0.0,), (1.0,)), describe("reference", "segmentation"))
    grid = dataclasses.replace(plan.grid, block_size=block, halo=halo, depth=depth, halo_z=halo_z)
    return dataclasses.replace(plan, grid=grid)


def store_of(plan: Plan, path: Path) -> ResultStore:
    """Create the empty result of a plan, without waiting for the medium."""
    return ResultStore.create(
        path, target=plan.target, block=plan.block_shape, attributes={}, name="labels", disk=Disk(durable=False)
    )


def fill(
    plan: Plan,
    scratch: LabelScratch,
    truth: Truth,
    engine: WindowEngine,
    order: Callable[[list[BlockIndex]], Iterable[BlockIndex]] = list,
) -> dict[ShardIndex, BlockRecord]:
    """Put the labels of every block into scratch, each seen through `engine`; return their records."""
    records = {}
    for place in order(list(plan.grid.indices())):
        block = plan.grid.block(place)
        seen = slice(*block.field_z), slice(*block.field_y), slice(*block.field_x)
        settled = reduce_labels(plan, block, engine(truth(block.t, seen)))
        index = plan.shard_index(place)
        records[index] = BlockRecord(index, "written", scratch.put(index, settled), labels=settled.count)
    return records
