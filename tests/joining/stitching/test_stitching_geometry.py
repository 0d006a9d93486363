"""The voxels that two neighbouring blocks share."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.benchmarks.stitching.block_stitching import block_boxes
from napari_s1omni.joining.stitching import neighbour_pairs, slabs, window


@st.composite
def layers(draw):
    ndim = draw(st.integers(1, 3))
    shape = tuple(draw(st.lists(st.integers(1, 12), min_size=ndim, max_size=ndim)))
    block = tuple(draw(st.lists(st.integers(2, 9), min_size=ndim, max_size=ndim)))
    halo = tuple(draw(st.lists(st.integers(0, 6), min_size=ndim, max_size=ndim)))
    return shape, block, halo


def intersection(a, b):
    return tuple(slice(max(s.start, t.start), min(s.stop, t.stop)) for s, t in zip(a, b, strict=True))


@settings(deadline=None, max_examples=60)
@given(layers())
def test_a_slab_is_what_both_windows_hold(layer):
    shape, block, halo = layer
    boxes = block_boxes(shape, block)
    for index, box in boxes.items():
        for offset, slab in slabs(box, halo, shape).items():
            other = boxes[tuple(i + o for i, o in zip(index, offset, strict=True))]
            assert slab == intersection(window(box, halo, shape), window(other, halo, shape))
            assert slab == slabs(other, halo, shape)[tuple(-o for o in offset)]
            assert all(side.start < side.stop for side in slab)


@settings(deadline=None, max_examples=60)
@given(layers())
def test_every_pair_of_neighbours_comes_once_and_has_slabs(layer):
    shape, block, halo = layer
    boxes = block_boxes(shape, block)
    places = list(boxes)
    grid = tuple(i + 1 for i in places[-1])
    found = [(i, j) for i, j, _ in neighbour_pairs(grid, halo)]
    reach = [1 if h else 0 for h in halo]
    expected = [
        (i, j)
        for (i, a), (j, b) in itertools.combinations(enumerate(places), 2)
        if all(abs(p - q) <= r for p, q, r in zip(a, b, reach, strict=True))
    ]
    assert sorted(found) == sorted(expected)
    assert found == sorted(found, key=lambda pair: pair[0])
    for i, _, offset in neighbour_pairs(grid, halo):
        assert offset in slabs(boxes[places[i]], halo, shape)


def test_corner_in_2d():
    box = (slice(0, 32), slice(0, 32))
    found = slabs(box, (4, 4), (64, 64))
    assert found == {
        (0, 1): (slice(0, 36), slice(28, 36)),
        (1, 0): (slice(28, 36), slice(0, 36)),
        (1, 1): (slice(28, 36), slice(28, 36)),
    }


def test_a_middle_block_has_all_neighbours_and_none_across_an_axis_without_halo():
    box = (slice(8, 16),) * 3
    assert len(slabs(box, (2, 2, 2), (24, 24, 24))) == 26
    assert set(slabs(box, (0, 2, 2), (24, 24, 24))) == {
        (0, y, x) for y, x in itertools.product((-1, 0, 1), repeat=2) if (y, x) != (0, 0)
    }


def test_slabs_of_a_wide_plane_are_a_small_share_of_it():
    box = (slice(1024, 2048), slice(1024, 2048))
    sizes = [np.prod([s.stop - s.start for s in slab]) for slab in slabs(box, (64, 64), (16384, 16384)).values()]
    # Four faces of 128 px x 1152 px and four corners of 128 px x 128 px.
    assert sum(sizes) == 4 * 128 * 1152 + 4 * 128 * 128
