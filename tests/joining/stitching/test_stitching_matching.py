"""Matching the labels of two neighbouring blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_s1omni.joining.stitching import REASONS, MatchRule, contingency_table, match_labels

labelings = arrays(np.int64, st.tuples(st.integers(1, 7), st.integers(1, 9)), elements=st.integers(0, 4))


def joined(found):
    return {(int(a), int(b)) for a, b in zip(found.joins["a"], found.joins["b"], strict=True)}


def uncertain(found):
    rows = zip(found.uncertain["a"], found.uncertain["b"], found.uncertain["reason"], strict=True)
    return {(int(a), int(b)): REASONS[reason] for a, b, reason in rows}


@settings(deadline=None)
@given(labelings, st.randoms(use_true_random=False))
def test_contingency_counts_voxels(a, random):
    b = np.array([random.choice((0, 1, 2, 2**40)) for _ in range(a.size)]).reshape(a.shape)
    table = contingency_table(a, b)
    expected = {(i, j): int(((a == i) & (b == j)).sum()) for i in np.unique(a) if i for j in np.unique(b) if j}
    found = {(i, j): n for i, j, n in zip(table.a.tolist(), table.b.tolist(), table.shared.tolist(), strict=True)}
    assert found == {pair: n for pair, n in expected.items() if n}
    assert table.area_a.tolist() == [int((a == i).sum()) for i in table.a]
    assert table.area_b.tolist() == [int((b == j).sum()) for j in table.b]


def test_contingency_refuses_other_voxels():
    with pytest.raises(ValueError, match="do not cover the same voxels"):
        contingency_table(np.zeros((2, 3), int), np.zeros((3, 2), int))
    with pytest.raises(ValueError, match="do not cover the same voxels"):
        match_labels(np.zeros((2, 3), int), np.zeros((3, 2), int), 0, 0)
    with pytest.raises(ValueError, match="negative"):
        contingency_table(np.array([-1]), np.array([1]))


@given(labelings, st.permutations(range(1, 5)))
@settings(deadline=None)
def test_the_same_labels_under_other_ids_match_one_to_one(a, ids):
    b = np.array([0, *ids])[a]
    found = match_labels(a, b, 4, 4)
    present = np.unique(a[a > 0])
    assert joined(found) == {(int(i), int(ids[i - 1])) for i in present}
    assert len(found.uncertain) == 0


@settings(deadline=None)
@given(labelings, labelings)
def test_match_is_symmetric_and_says_where(a, b):
    h, w = np.minimum(a.shape, b.shape)
    a, b = a[:h, :w], b[:h, :w]
    there, back = match_labels(a, b, 4, 4, across=(0,)), match_labels(b, a, 4, 4, across=(0,))
    assert joined(there) == {(j, i) for i, j in joined(back)}
    assert uncertain(there) == {(j, i): reason for (i, j), reason in uncertain(back).items()}
    for row in (*there.joins, *there.uncertain):
        assert (a.flat[row["at"]], b.flat[row["at"]]) == (row["a"], row["b"])
        assert 0 < row["iou"] <= row["containment"] <= 1


@pytest.mark.parametrize("ndim", [2, 3])
def test_windings_of_a_serpent_are_all_joined(ndim):
    """Labels as wholes would agree by one half only: {1, 2} against {2, 3}."""
    a = np.zeros((7,) + (4,) * (ndim - 1), int)
    b = a.copy()
    a[[0, 2]], a[[4, 6]] = 1, 2
    b[0], b[[2, 4]], b[6] = 1, 2, 3
    assert joined(match_labels(a, b, 2, 3)) == {(1, 1), (1, 2), (2, 2), (2, 3)}


def test_touching_is_not_matching():
    a = np.zeros((8, 8), int)
    b = a.copy()
    a[:, :4], b[:, 4:] = 1, 1
    found = match_labels(a, b, 1, 1)
    assert not joined(found)
    assert not uncertain(found)


def test_two_cells_under_one_label_take_one_and_list_the_other():
    a, b = np.ones((10, 10), int), np.ones((10, 10), int)
    b[:, 6:] = 2
    found = match_labels(a, b, 1, 2)
    assert joined(found) == {(1, 1)}
    assert uncertain(found) == {(1, 2): "second claim"}


def test_a_part_inside_is_joined_and_listed_as_weak():
    a, b = np.zeros((12, 12), int), np.zeros((12, 12), int)
    a[1:11, 1:11], b[1:11, 1:4] = 1, 1
    found = match_labels(a, b, 1, 1)
    assert joined(found) == {(1, 1)}
    assert uncertain(found) == {(1, 1): "weak overlap"}
    assert not joined(match_labels(a, b, 1, 1, MatchRule(voxels=31)))


def test_a_poor_overlap_is_listed_and_not_joined():
    a, b = np.zeros((10, 20), int), np.zeros((10, 20), int)
    a[:, :12], b[:, 7:19] = 1, 1
    found = match_labels(a, b, 1, 1)
    assert found.joins.size == 0
    assert uncertain(found) == {(1, 1): "weak overlap"}
    assert not uncertain(match_labels(a, b, 1, 1, MatchRule(uncertain_iou=0.3)))


def test_labels_of_the_halo_compete_but_are_never_joined():
    a, b = np.zeros((10, 10), int), np.zeros((10, 10), int)
    a[:, :5] = 1
    b[:, :4], b[:, 4:] = 2, 1
    # b's label 2 is seen in the halo only, and it, not 1, is what a calls 1.
    assert not joined(match_labels(a, b, 1, 1))
    assert joined(match_labels(a, b, 1, 2)) == {(1, 2)}


def test_a_tip_at_the_end_of_the_other_window_is_no_second_claim():
    """`b` stops seeing at the left end and takes the tip of 2 for a part of 1; in the middle it would count."""
    a, b = np.zeros((10, 16), int), np.zeros((10, 16), int)
    a[2:8, 3:14], b[2:8, :14] = 1, 1
    a[2:8, :2] = 2
    assert uncertain(match_labels(a, b, 2, 1)) == {(2, 1): "second claim"}
    assert uncertain(match_labels(a, b, 2, 1, across=(0,))) == {(2, 1): "second claim"}
    assert not uncertain(match_labels(a, b, 2, 1, across=(1,)))
    assert joined(match_labels(a, b, 2, 1, across=(1,))) == {(1, 1)}


def test_background_only():
    found = match_labels(np.zeros((4, 4), int), np.ones((4, 4), int), 0, 1)
    assert found.joins.size == found.uncertain.size == 0


def test_a_thousand_touching_pairs_stay_apart():
    rng = np.random.default_rng(3)
    a = np.repeat(np.repeat(rng.permutation(1024).reshape(32, 32) + 1, 4, axis=0), 4, axis=1)
    ids = np.concatenate([[0], rng.permutation(1024) + 1])
    found = match_labels(a, ids[a], 1024, 1024)
    assert joined(found) == {(i, int(ids[i])) for i in range(1, 1025)}


@settings(deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6))))
def test_fragments_are_components_by_faces(mask):
    """Each component seen by both under any grouping is found again: the labels of `a` group them at random."""
    parts, n = ndimage.label(mask)
    rng = np.random.default_rng(n)
    group = np.concatenate([[0], rng.integers(1, 4, n)])
    a = group[parts]
    found = match_labels(a, parts, 3, n)
    assert joined(found) == {(int(group[i]), i) for i in range(1, n + 1)}
