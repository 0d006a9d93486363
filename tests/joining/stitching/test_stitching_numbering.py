"""From local ids to final ids."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_s1omni.benchmarks.stitching.memory import ChainedJoins
from napari_s1omni.joining.stitching import block_labels, number_objects, union
from napari_s1omni.joining.stitching.disjoint_sets import compress_paths


def ids(*pairs):
    return tuple(np.array(column, np.int64) for column in zip(*pairs, strict=True))


@st.composite
def forests(draw):
    counts = draw(st.lists(st.integers(0, 6), min_size=1, max_size=8))
    total = sum(counts)
    some = st.integers(0, max(total - 1, 0))
    joins = draw(st.lists(st.tuples(some, some), max_size=12)) if total else []
    cut = draw(st.integers(0, len(joins)))
    return counts, [part for part in (joins[:cut], joins[cut:]) if part]


@settings(deadline=None, max_examples=80)
@given(forests(), st.randoms(use_true_random=False))
def test_final_ids_are_components_in_order_of_their_smallest_id(forest, random):
    counts, parts = forest
    total = sum(counts)
    u, v = (np.array([pair[k] for part in parts for pair in part], int) for k in (0, 1))
    _, expected = connected_components(coo_array((np.ones(len(u)), (u, v)), shape=(max(total, 1),) * 2), directed=False)
    # SciPy numbers components in order of their first node, as we do.
    numbering = number_objects(counts, [ids(*part) for part in parts])
    assert numbering.final_ids(np.arange(total)).tolist() == (expected[:total] + 1).tolist()
    assert numbering.total == len(set(expected[:total].tolist()))
    tables = [numbering.lookup(k) for k in range(len(counts))]
    assert [len(t) for t in tables] == [n + 1 for n in counts]
    assert all(t[0] == 0 for t in tables)
    assert np.concatenate([t[1:] for t in tables]).tolist() == (expected[:total] + 1).tolist()

    shuffled = [[random.sample(pair, 2) for pair in random.sample(part, len(part))] for part in parts]
    again = number_objects(counts, [ids(*part) for part in reversed(shuffled)])
    assert again.final_ids(np.arange(total)).tolist() == numbering.final_ids(np.arange(total)).tolist()


@settings(deadline=None, max_examples=60)
@given(forests(), st.data())
def test_dropped_objects_are_background_and_leave_no_gap(forest, data):
    counts, parts = forest
    total = sum(counts)
    numbering = number_objects(counts, [ids(*part) for part in parts])
    before = numbering.final_ids(np.arange(total))
    gone = np.array(data.draw(st.lists(st.integers(0, max(total - 1, 0)), max_size=4)) if total else [], np.int64)
    after = numbering.without(before[gone])
    left = np.setdiff1d(before, before[gone])
    assert after.total == len(left)
    names = np.zeros(int(before.max(initial=0)) + 1, int)
    names[left] = np.arange(1, len(left) + 1)
    assert after.final_ids(np.arange(total)).tolist() == names[before].tolist()
    tables = [after.lookup(k)[1:] for k in range(len(counts))]
    assert np.concatenate(tables).tolist() == names[before].tolist()
    assert after.merged_ids().tolist() == [n for n in names[numbering.merged_ids()] if n]


def test_a_long_path_in_the_worst_order_is_one_tree():
    n = 50_000
    nodes = np.random.default_rng(0).permutation(n)
    for order in (nodes, np.arange(n), np.arange(n)[::-1]):
        parent = np.arange(n)
        union(parent, order[:-1], order[1:])
        compress_paths(parent)
        assert not parent.any()


def test_joining_in_many_portions_is_joining_at_once():
    rng = np.random.default_rng(1)
    u, v = rng.integers(0, 5000, (2, 4000))
    at_once = number_objects([5000], [(u, v)])
    portions = number_objects([5000], [(u[k : k + 7], v[k : k + 7]) for k in range(0, 4000, 7)])
    assert np.array_equal(at_once.lookup(0), portions.lookup(0))


def test_more_than_43_000_blocks_of_more_than_99_999_objects():
    """Ids that pack block and label into decimals collide here; ours count through."""
    blocks, objects = 44_000, 123_456
    chain = ChainedJoins(blocks, objects, shared=3)
    numbering = number_objects(np.full(blocks, objects), chain)
    assert numbering.total == blocks * objects - 3 * (blocks - 1) > 2**32
    for position in (0, 1, 12_345, 43_999):
        table = numbering.lookup(position)
        own = table[4:] if position else table[1:]
        # All but the joined ones follow each other, right after those of the block before.
        assert np.array_equal(np.diff(own), np.ones(len(own) - 1))
        if position:
            before = numbering.lookup(position - 1)
            assert table[1:4].tolist() == before[-3:].tolist()
            assert own[0] == before[-1] + 1
    assert numbering.lookup(43_999)[-1] == numbering.total


def test_numbering_holds_joined_labels_only():
    few, many = (number_objects(np.full(100, n), ChainedJoins(100, n, shared=5)) for n in (10, 10_000))
    assert few.joined.nbytes + few.final.nbytes == many.joined.nbytes + many.final.nbytes == 16 * 5 * 99


def test_a_block_without_objects_and_no_blocks():
    numbering = number_objects([2, 0, 3], [])
    assert [numbering.lookup(k).tolist() for k in range(3)] == [[0, 1, 2], [0], [0, 3, 4, 5]]
    assert number_objects([], []).total == 0


@settings(deadline=None)
@given(arrays(np.int64, (6, 7), elements=st.sampled_from([0, 1, 2, 3, 70, 2**40])))
def test_block_labels_are_the_objects_that_touch_the_block_without_gaps(labels):
    block, halo, shape = (slice(0, 4), slice(2, 6)), (2, 2), (9, 8)
    # The window is rows 0 to 6 and columns 0 to 8.
    labels = np.pad(labels, ((0, 0), (0, 1)))
    settled = block_labels(labels, block, halo, shape)
    inside = labels[0:4, 2:6]
    present = np.unique(inside[inside > 0])
    assert settled.count == len(present)
    assert np.array_equal(settled.core, np.searchsorted(present, inside) * (inside > 0) + (inside > 0))
    assert settled.areas.tolist() == [int((inside == i).sum()) for i in present]
    assert settled.core.dtype == np.uint32
    slab = settled.slabs[1, 0]
    assert np.array_equal(slab > 0, labels[2:6] > 0)
    own = np.isin(labels[2:6], present)
    assert np.array_equal(slab[own], np.searchsorted(present, labels[2:6][own]) + 1)
    assert (slab[(labels[2:6] > 0) & ~own] > settled.count).all()


def test_labels_of_a_wrong_window_are_refused():
    with pytest.raises(ValueError, match=r"shape \(4, 4\) for a window of shape \(5, 4\)"):
        block_labels(np.zeros((4, 4), int), (slice(0, 4), slice(0, 4)), (1, 0), (8, 4))
    with pytest.raises(ValueError, match="label -3 is negative"):
        block_labels(np.full((5, 4), -3), (slice(0, 4), slice(0, 4)), (1, 0), (8, 4))


def test_a_window_without_objects():
    settled = block_labels(np.zeros((4, 4), int), (slice(0, 4), slice(0, 4)), (1, 1), (4, 4))
    assert settled.count == len(settled.areas) == len(settled.slabs) == 0
    assert not settled.core.any()


def test_every_pair_of_chain_blocks_is_walked_twice_alike():
    chain = ChainedJoins(10, 8, 4)
    first, second = list(chain), list(chain)
    assert all(np.array_equal(a, b) for x, y in zip(first, second, strict=True) for a, b in zip(x, y, strict=True))
    assert len(set(itertools.chain.from_iterable(u.tolist() for u, _ in first))) == 36
