"""Runs without a model: write the true labels of every block to a result, ready for the stitching pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

from napari_s1omni.benchmarks.stitching.window_engines import Labels, WindowEngine
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
"""Returns the true labels of a time point in a box (z, y, x) of the layer."""


def plan_segmentation(
    shape: tuple[int, ...], axes: str, block: int, halo: int, *, depth: int = 1, halo_z: int = 0
) -> Plan:
    """Plan the segmentation of a layer that need not exist.

    Parameters
    ----------
    shape : tuple of int
    axes : str
        Axes of the layer, such as ``zyx``.
    block, halo : int
        Edge of a block and its halo in pixels, along y and x.
    depth, halo_z : int
        The same along z.
    """
    # Labels with a known answer are joined, and no rule on the shape of objects changes them.
    operation = {"type": "segmentation", "split_z": False, "min_planes": 1}
    job = Job.read({"source": "labels:", "operation": operation, "engine": "reference"})
    source = LayerSpec(shape, tuple(axes), "uint16")
    plan = resolve(job, source, Normalization((0.0,), (1.0,)), describe("reference", "segmentation"))
    grid = dataclasses.replace(plan.grid, block_size=block, halo=halo, depth=depth, halo_z=halo_z)
    return dataclasses.replace(plan, grid=grid)


def create_store(plan: Plan, path: Path) -> ResultStore:
    """Create the empty result of a plan, without fsync."""
    return ResultStore.create(
        path, target=plan.target, block=plan.block_shape, attributes={}, name="labels", disk=Disk(durable=False)
    )


def write_true_labels(
    plan: Plan,
    scratch: LabelScratch,
    truth: Truth,
    engine: WindowEngine,
    order: Callable[[list[BlockIndex]], Iterable[BlockIndex]] = list,
) -> dict[ShardIndex, BlockRecord]:
    """Write the labels of every block to scratch, each labelled by `engine`; return the journal records."""
    records = {}
    for place in order(list(plan.grid.indices())):
        block = plan.grid.block(place)
        window = slice(*block.field_z), slice(*block.field_y), slice(*block.field_x)
        reduced = reduce_labels(plan, block, engine(truth(block.t, window)))
        index = plan.shard_index(place)
        records[index] = BlockRecord(index, "written", scratch.put(index, reduced), labels=reduced.count)
    return records
