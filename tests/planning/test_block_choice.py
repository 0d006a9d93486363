"""The blocks of a volume are chosen by what they read in all, within a bound of memory."""

import pytest

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.reference.description import describe
from napari_s1omni.planning.block_choice import BOUND
from napari_s1omni.planning.cost import estimate_cost
from napari_s1omni.planning.job import Job
from napari_s1omni.planning.resolve import resolve


def plan(shape, memory=None, **tiling):
    spec = LayerSpec(shape, tuple("zyx"), "uint16")
    job = Job.read({"source": "a.zarr", "operation": {"type": "segmentation"}, "tiling": tiling}, "a test")
    return resolve(job, spec, Normalization((0.0,), (1.0,)), describe(), memory=memory)


@pytest.mark.parametrize(
    ("shape", "reads"), [((60, 1024, 1024), 1.4), ((64, 2048, 2048), 2.2), ((300, 8192, 8192), 2.4)]
)
def test_default_blocks_read_little_twice_and_draw_nothing_twice(shape, reads):
    found = plan(shape)
    cost = estimate_cost(found)
    assert cost.tiles_computed == cost.tiles
    assert cost.read_amplification < reads
    assert cost.peak_memory - found.engine.host.memory.resident <= BOUND
    before = estimate_cost(plan(shape, block_size=384, depth=16))
    assert cost.read_bytes < 0.62 * before.read_bytes


def test_little_memory_makes_smaller_blocks_and_says_so():
    usual, small = plan((64, 2048, 2048)), plan((64, 2048, 2048), memory=10**9)
    assert estimate_cost(small).peak_memory <= 10**9 < estimate_cost(usual).peak_memory
    assert any(f"instead of {usual.grid.block_size} px" in note for note in small.notes)
    assert plan((64, 2048, 2048), memory=10**12) == usual


def test_what_the_job_says_is_kept():
    assert plan((64, 2048, 2048), block_size=384, depth=8).grid.block_size == 384
    assert plan((64, 2048, 2048), depth=8).grid.depth == 8
    assert plan((64, 2048, 2048), block_size=384).grid.block_size == 384
