"""Objects of single planes linked along z."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.benchmarks.stitching.agreement import Agreement
from napari_s1omni.benchmarks.stitching.block_stitching import stitch
from napari_s1omni.benchmarks.stitching.oracle_images import voronoi
from napari_s1omni.joining.stitching import link_planes


def disks(depth=12, moving=1, missing=()):
    """Two disks that drift apart, planes `missing` left empty for the first; true ids."""
    y, x = np.mgrid[:48, :64]
    stack = np.zeros((depth, 48, 64), int)
    for z in range(depth):
        if z not in missing:
            stack[z][np.hypot(y - 14, x - 15 - moving * z) < 8] = 1
        stack[z][np.hypot(y - 34, x - 50 + moving * z) < 7] = 2
    return stack


def forget(stack, seed=0):
    """Ids of every plane drawn anew."""
    rng = np.random.default_rng(seed)
    planes = []
    for plane in stack:
        names, index = np.unique(plane, return_inverse=True)
        ids = rng.choice(np.arange(1, 10 * len(names) + 1), len(names), replace=False)
        ids[names == 0] = 0
        planes.append(ids[index.reshape(plane.shape)])
    return np.stack(planes)


def test_drifting_objects_are_followed():
    truth = disks()
    found = link_planes(forget(truth))
    assert Agreement.of(truth, found).equal
    assert found.dtype == np.uint32


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_upright_prisms_without_gap_are_linked_and_never_merged(seed):
    truth = np.repeat(voronoi((30, 30), 25, seed)[None], 4, axis=0)
    assert Agreement.of(truth, link_planes(forget(truth, seed))).equal


def test_a_jump_is_no_link():
    truth = disks(moving=0)
    truth[6:] = np.roll(truth[6:], 12, axis=2)
    truth[6:][truth[6:] > 0] += 2
    assert Agreement.of(truth, link_planes(forget(truth))).equal


@pytest.mark.parametrize(("missing", "gap", "objects"), [((5,), False, 3), ((5,), True, 2), ((5, 6), True, 3)])
def test_one_missing_plane_is_allowed_by_a_flag(missing, gap, objects):
    found = link_planes(forget(disks(missing=missing)), gap=gap)
    assert found.max() == objects


def test_the_threshold_is_the_least_iou():
    stack = np.zeros((2, 1, 10), int)
    stack[0, 0, :6], stack[1, 0, 4:10] = 1, 1
    assert link_planes(stack, iou=0.2).max() == 1
    assert link_planes(stack, iou=0.21).max() == 2


def test_a_ball_is_one_object_to_its_poles():
    z, y, x = np.mgrid[:25, :25, :25]
    ball = ((z - 12) ** 2 + (y - 12) ** 2 + (x - 12) ** 2 <= 121).astype(int)
    assert link_planes(ball).max() == 1
    assert link_planes(ball, containment=1.1).max() == 3


def test_a_speck_on_an_object_that_goes_on_is_no_part_of_it():
    stack = np.zeros((2, 10, 20), int)
    stack[0, 1:9, 1:19] = 1
    stack[1, 1:9, 1:17], stack[1, 3:5, 17:19] = 1, 2
    assert link_planes(stack).max() == 2


def test_a_division_links_the_better_half():
    stack = np.zeros((2, 1, 10), int)
    stack[0] = 1
    stack[1, 0, :6], stack[1, 0, 6:] = 1, 2
    assert link_planes(stack).tolist() == [[[1] * 10], [[1] * 6 + [2] * 4]]


@pytest.mark.parametrize("shape", [(1, 4, 5), (3, 4, 5), (0, 4, 5)])
def test_one_plane_empty_planes_and_none(shape):
    assert not link_planes(np.zeros(shape, int), gap=True).any()
    full = link_planes(np.ones(shape, int))
    assert full.shape == shape
    assert (full == 1).all()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="2 dimensions"):
        link_planes(np.zeros((3, 3), int))
    with pytest.raises(ValueError, match="negative"):
        link_planes(np.full((2, 3, 3), -1))


@pytest.mark.parametrize(("gap", "halo"), [(False, 1), (True, 2)])
def test_blocks_that_link_their_own_planes_are_stitched_to_the_whole(gap, halo):
    """A halo of one plane (two with a gap) is enough for the links across a face."""
    rng = np.random.default_rng(5)
    planes = forget(np.concatenate([disks(depth=7, missing=(3,)), disks(depth=8, moving=-1, missing=(0,))]))
    planes[rng.integers(0, 15)] = 0

    def engine(window):
        return link_planes(window, gap=gap)

    result = stitch(planes, engine, (4, 24, 32), (halo, 16, 16))
    assert Agreement.of(engine(planes), result.labels).equal
