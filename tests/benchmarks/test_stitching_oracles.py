"""Whole layers cut into blocks and put together again."""

import functools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_s1omni.benchmarks.stitching.agreement import Agreement
from napari_s1omni.benchmarks.stitching.block_stitching import stitch
from napari_s1omni.benchmarks.stitching.oracle_images import ellipses, random_mask, voronoi
from napari_s1omni.benchmarks.stitching.oracles import HEAD, oracles, row
from napari_s1omni.benchmarks.stitching.window_engines import components, jittered_ids, known_ids
from napari_s1omni.joining.stitching import contingency_table

ORACLES = oracles()


@functools.cache
def outcome(oracle):
    layer = oracle.layer()
    result = oracle.stitch(layer)
    return layer.shape, Agreement.of(oracle.truth(layer), result.labels), result


@pytest.mark.parametrize("oracle", ORACLES, ids=[oracle.name for oracle in ORACLES])
def test_oracle(oracle):
    _, seen, result = outcome(oracle)
    assert seen.equal
    assert seen.information < 1e-9
    assert oracle.objects in (None, seen.found)
    assert result.numbering.total == seen.found == result.labels.max()
    assert len(result.doubts) == 0


def test_the_table_in_the_docs_is_what_the_command_prints():
    page = Path(__file__).parents[2] / "docs" / "stitching.md"
    rows = "".join(row(oracle, *outcome(oracle)[:2]) for oracle in ORACLES)
    assert HEAD + rows in page.read_text()


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 10_000),
    st.sampled_from([(19, 23), (7, 9, 11), (1, 17, 12)]),
    st.sampled_from([0.2, 0.4, 0.6]),
    st.integers(1, 3),
    st.integers(4, 9),
    st.booleans(),
)
def test_components_of_any_mask_in_any_blocks(seed, shape, share, halo, edge, corners):
    mask = random_mask(shape, share, seed)
    connectivity = mask.ndim if corners else 1
    result = stitch(mask, components(connectivity), (edge,) * mask.ndim, (halo,) * mask.ndim)
    whole, n = ndimage.label(mask, ndimage.generate_binary_structure(mask.ndim, connectivity))
    assert Agreement.of(whole, result.labels).equal
    assert result.numbering.total == n


def test_order_of_blocks_and_of_pairs_does_not_matter():
    mask = random_mask((120, 130), 0.59)
    runs = [stitch(mask, components(1), (32, 32), (3, 3), order).labels for order in (list, shuffled, list)]
    backwards = stitch(mask, components(1), (32, 32), (3, 3), lambda places: places[::-1]).labels
    assert all(np.array_equal(run, runs[0]) for run in (*runs[1:], backwards))


def shuffled(places):
    return np.random.default_rng(4).permutation(places).tolist()


def test_a_plane_is_a_stack_of_one_plane():
    mask = random_mask((120, 130), 0.59)
    flat = stitch(mask, components(1), (32, 32), (3, 3)).labels
    stack = stitch(mask[None], components(1), (1, 32, 32), (0, 3, 3)).labels
    deep = stitch(mask[None], components(1), (4, 32, 32), (2, 3, 3)).labels
    assert np.array_equal(flat, stack[0])
    assert np.array_equal(flat, deep[0])


def test_joining_by_touch_would_merge_what_stays_apart():
    """The oracle has teeth: fusing all that touches across a face gives a clearly different answer."""
    truth = voronoi((120, 120), 80)
    fused = stitch(truth > 0, components(1), (32, 32), (4, 4)).labels
    seen = Agreement.of(truth, fused)
    assert seen.merges == 1
    assert seen.information > 3


def test_without_a_halo_nothing_is_joined():
    truth = np.ones((64, 64), int)
    assert stitch(truth, known_ids(), (32, 32), (0, 0)).numbering.total == 4


def test_borders_that_waver_neither_merge_nor_split_objects():
    truth = ellipses(1024, 900)
    result = stitch(truth, jittered_ids(4), (256, 256), (32, 32))
    seen = contingency_table(truth, result.labels)
    assert result.numbering.total == 900
    assert (seen.iou > 0.5).sum() == 900
    assert len(np.unique(seen.b[seen.iou > 0.5])) == 900


def test_wavering_borders_of_touching_cells_do_not_merge_them():
    truth = voronoi((512, 512), 375)
    result = stitch(truth, jittered_ids(3), (128, 128), (32, 32))
    seen = contingency_table(truth, result.labels)
    # Slivers that discretisation cuts off are smaller than the wavering.
    cells = seen.area_a > 60
    own = cells & (seen.shared > 0.5 * seen.area_a)
    assert own.sum() == len(np.unique(seen.a[cells]))
    assert len(np.unique(seen.b[own])) == own.sum()


def test_agreement_counts_merges_splits_and_missed_voxels():
    truth = np.array([1, 1, 2, 2, 3, 3, 0, 0])
    assert Agreement.of(truth, truth * 7).equal
    seen = Agreement.of(truth, np.array([5, 5, 5, 5, 6, 7, 0, 8]))
    assert (seen.expected, seen.found, seen.merges, seen.splits, seen.missed) == (3, 4, 1, 1, 1)
    # Halves merged or split cost their share of one bit.
    assert Agreement.of(np.array([1, 1, 2, 2]), np.ones(4, int)).information == pytest.approx(1.0)
