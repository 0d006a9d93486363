"""Halving against plain arithmetic, the shapes of the levels, and which levels are written with the blocks."""

import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.storage.result.pyramid import SMALLEST_LEVEL, SMALLEST_SHARD, Pyramid, halve


def windows(pixels, axes):
    """Yield (output index, values in C order) of every window."""
    shape = [math.ceil(n / 2) if h else n for n, h in zip(pixels.shape, axes, strict=True)]
    for at in itertools.product(*map(range, shape)):
        box = tuple(slice(2 * i, 2 * i + 2) if h else slice(i, i + 1) for i, h in zip(at, axes, strict=True))
        yield at, [v.item() for v in pixels[box].ravel()]


def half_to_even(value):
    return round(value)  # of a Fraction: exact, and half to even


@st.composite
def arrays(draw, dtypes):
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=3, max_side=7))
    axes = tuple(draw(st.booleans()) for _ in shape)
    info = np.iinfo(dtype)
    near = st.integers(0, 3).flatmap(
        lambda k: st.sampled_from([info.min + k, info.max - k, (info.max + info.min) // 2 + k])
    )
    return draw(hnp.arrays(dtype, shape, elements=near)), axes


@settings(max_examples=200, deadline=None)
@given(arrays(["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]))
def test_integers_take_the_exact_mean_rounded_half_to_even(case):
    pixels, axes = case
    result = halve(pixels, axes)
    assert result.dtype == pixels.dtype
    for at, values in windows(pixels, axes):
        assert result[at] == half_to_even(Fraction(sum(values), len(values)))


@settings(max_examples=200, deadline=None)
@given(arrays(["uint8", "uint32", "uint64"]))
def test_labels_take_the_most_frequent_id_and_the_first_among_equals(case):
    pixels, axes = case
    result = halve(pixels, axes, labels=True)
    assert result.dtype == pixels.dtype
    for at, values in windows(pixels, axes):
        assert result[at] == Counter(values).most_common(1)[0][0]  # ties: the first met


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_take_the_mean(dtype):
    pixels = np.random.default_rng(0).standard_normal((3, 7, 5)).astype(dtype)
    result = halve(pixels, (False, True, True))
    assert result.dtype == pixels.dtype
    for at, values in windows(pixels, (False, True, True)):
        mean = np.dtype(dtype).type(math.fsum(values) / len(values))
        assert abs(result[at] - mean) <= (4e-16 if dtype == "float64" else 0)


def test_a_constant_stays_and_the_input_is_left_alone():
    pixels = np.full((5, 5), 0.1, "float32")
    assert (halve(pixels, (True, True)) == np.float32(0.1)).all()
    labels = np.arange(25, dtype="uint32").reshape(5, 5)
    before = labels.copy()
    assert not np.shares_memory(halve(labels, (True, True), labels=True), labels)
    assert (labels == before).all()


def layout(axes, shape, block, scale=(), dtype="uint16"):
    return Pyramid.of(LayerSpec(shape, tuple(axes), dtype, scale=scale), block)


def test_levels_halve_with_ceil_until_the_larger_side_is_small():
    levels = layout("yx", (3001, 2777), (1024, 1024)).levels
    assert [level.shape for level in levels] == [(3001, 2777), (1501, 1389), (751, 695), (376, 348)]
    assert [level.factor for level in levels] == [(1, 1), (2, 2), (4, 4), (8, 8)]
    assert [level.shard for level in levels] == [(1024, 1024), (512, 512), (256, 256), (256, 256)]
    assert [level.with_blocks for level in levels] == [True, True, True, False]


def test_time_and_channels_are_never_halved():
    assert {level.shape[:2] for level in layout("tcyx", (4, 6, 2000, 2000), (1, 1, 512, 512)).levels} == {(4, 6)}


@pytest.mark.parametrize(("z_scale", "depths"), [(1.0, [40, 20, 10, 5]), (4.0, [40, 40, 40, 20]), (100.0, [40] * 4)])
def test_z_is_halved_once_its_pixel_is_not_the_larger_one(z_scale, depths):
    levels = layout("zyx", (40, 4000, 4000), (8, 512, 512), scale=(z_scale, 1.0, 1.0)).levels
    assert [level.shape[0] for level in levels] == depths


def test_a_block_of_one_plane_is_not_written_with_levels_that_average_planes():
    levels = layout("zyx", (40, 2000, 2000), (1, 1024, 1024)).levels
    assert [level.with_blocks for level in levels] == [True, False, False]
    assert levels[1].shard == (1, 512, 512)


def test_a_single_block_writes_every_level():
    assert all(level.with_blocks for level in layout("yx", (1999, 1801), (2048, 2048)).levels)


sizes = st.integers(1, 5000)


@settings(max_examples=300, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 60), sizes, sizes),
    block=st.tuples(st.integers(1, 16), st.integers(16, 2500), st.integers(16, 2500)),
    z_scale=st.sampled_from([0.5, 1.0, 3.0, 10.0]),
)
def test_every_part_of_every_level_has_one_owner_and_shards_are_nested(shape, block, z_scale):
    pyramid = layout("zyx", shape, block, scale=(z_scale, 1.0, 1.0))
    assert max(pyramid.levels[-1].shape[1:]) <= SMALLEST_LEVEL
    for i, (above, level) in enumerate(itertools.pairwise(pyramid.levels), 1):
        assert level.with_blocks <= above.with_blocks
        for n, m, h in zip(above.shape, level.shape, level.halved, strict=True):
            assert m == (math.ceil(n / 2) if h else n)
        count = [-(-n // s) for n, s in zip(level.shape, level.shard, strict=True)]
        if level.with_blocks:
            # One shard per block: the writer of the block is its only writer.
            assert count == [-(-n // b) for n, b in zip(shape, block, strict=True)]
        else:
            assert len(list(pyramid.shard_origins(i))) == math.prod(count)
            assert all(s >= min(SMALLEST_SHARD, n) for s, n in zip(level.shard[1:], level.shape[1:], strict=True))
        for s, t, n, h in zip(above.shard, level.shard, above.shape, level.halved, strict=True):
            assert t * (2 if h else 1) % s == 0 or s >= n


def test_a_coarse_shard_knows_the_blocks_under_it():
    pyramid = layout("yx", (3000, 3000), (256, 256))
    for level in pyramid.coarse_levels:
        found = [block for unit in pyramid.shard_origins(level) for block in pyramid.blocks_under(level, unit)]
        assert len(found) == len(set(found)) == 12 * 12
