"""Linked objects of a stack: split where two lie one above the other, thin ones dropped, never by block."""

import numpy as np
import pytest

from napari_s1omni.benchmarks.stitching.agreement import Agreement
from napari_s1omni.evaluation.volumes import relink_planes
from napari_s1omni.joining.stitching import PlaneAreas, StackRule, number_objects, split_stack
from napari_s1omni.joining.stitching.plane_areas import find_waists

SPLIT = StackRule(split=True, least=1)


def profile(areas, planes=None):
    """One object with an area in each plane."""
    areas = np.array(areas, np.int64)
    planes = np.arange(len(areas)) if planes is None else np.array(planes)
    return PlaneAreas(np.ones(len(areas), np.int64), planes, areas)


def pile(*heights, width=20):
    """Balls one above the other, without a plane between them; true ids."""
    y, x = np.mgrid[:32, :32]
    planes = []
    for n, height in enumerate(heights, 1):
        radii = width / 2 * np.sqrt(1 - np.linspace(-0.85, 0.85, height) ** 2)
        planes += [np.where(np.hypot(y - 16, x - 15 - n % 2) <= radius, n, 0) for radius in radii]
    return np.stack(planes)


@pytest.mark.parametrize("heights", [(8, 8), (5, 12), (6, 6, 6), (4, 9, 5, 7)])
def test_nuclei_one_above_the_other_are_parted_where_they_meet(heights):
    truth = pile(*heights)
    assert relink_planes(truth).max() == 1
    assert Agreement.of(truth, relink_planes(truth, SPLIT)).equal


@pytest.mark.parametrize(
    ("areas", "waists"),
    [
        ([10, 40, 60, 70, 60, 40, 10], []),
        # One plane that the engine drew too small is no waist.
        ([10, 40, 60, 30, 60, 40, 10], []),
        ([60, 60, 55, 53, 53, 60, 60], []),
        ([40, 60, 30, 20, 50, 60, 20], [3]),
        ([60, 60, 40, 40, 60, 60], [3]),
        # A single plane beyond is no object.
        ([60, 60, 20, 50], []),
        ([5], []),
        ([], []),
    ],
)
def test_a_waist_is_less_than_the_areas_on_both_sides(areas, waists):
    assert find_waists(profile(areas)).tolist() == waists


def test_a_plane_without_the_object_is_no_waist():
    assert find_waists(profile([30, 60, 70, 60, 30], [0, 1, 2, 4, 5])).tolist() == []


def test_many_objects_of_any_length_are_searched_as_one_by_one():
    rng = np.random.default_rng(3)
    single = [rng.integers(1, 9, rng.integers(1, 40)) for _ in range(200)]
    ids = np.repeat(np.arange(1, 201), [len(areas) for areas in single])
    rows = PlaneAreas(ids, np.concatenate([np.arange(len(a)) for a in single]), np.concatenate(single))
    first = np.cumsum([0, *map(len, single)])
    one_by_one = [first[n] + at for n, areas in enumerate(single) for at in find_waists(profile(areas))]
    assert find_waists(rows).tolist() == one_by_one
    assert one_by_one


def thin(rule, *planes, depth=30):
    """Which of some columns of 9 px, each in so many planes from 5 on, are thin."""
    stack = np.zeros((depth, 3, 3 * len(planes)), int)
    for n, count in enumerate(planes):
        stack[5 : 5 + count, :, 3 * n : 3 * n + 3] = n + 1
    found = split_stack([PlaneAreas.of(stack)], number_objects([len(planes)], []), rule, depth)
    return found.thin.tolist()


def test_objects_in_far_fewer_planes_than_their_size_spans_are_thin():
    rule = StackRule(split=True, expected=8.1)
    assert thin(rule, 8, 1, 2, 3, 9) == [2, 3]
    assert thin(StackRule(split=True, expected=8.1, least=1), 8, 1) == []
    assert thin(StackRule(split=True, least=4), 8, 1, 2, 3, 4) == [2, 3, 4]
    assert thin(StackRule(split=True), 8, 1) == []


def test_flat_objects_are_kept_if_most_are_flat():
    assert thin(StackRule(split=True, expected=30), 5, 5, 5, 4, 2, 1) == [6]


def test_the_end_of_the_stack_may_cut_an_object():
    stack = np.zeros((20, 3, 9), int)
    stack[0, :, :3], stack[19, :, 3:6], stack[2:15, :, 6:] = 1, 2, 3
    found = split_stack([PlaneAreas.of(stack)], number_objects([3], []), StackRule(split=True, least=5), 20)
    assert found.thin.tolist() == []
