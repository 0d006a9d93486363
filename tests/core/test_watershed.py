"""Watershed from h-maxima: regions are split, merged over shallow saddles, and small fragments merged."""

import numpy as np

from napari_s1omni.core.watershed import watershed_from_h_maxima

Y, X = np.mgrid[:40, :60]


def cone(y, x, radius, top):
    return top * np.clip(1 - np.hypot(Y - y, X - x) / radius, 0, None)


def test_two_maxima_with_a_deep_saddle_are_split():
    height = np.maximum(cone(20, 16, 14, 1.0), cone(20, 42, 14, 1.0))
    labels = watershed_from_h_maxima(height, height > 0.02, 0.1)
    assert labels.max() == 2
    assert labels[20, 16] != labels[20, 42]


def test_a_shallow_saddle_does_not_split():
    height = np.maximum(cone(20, 24, 16, 1.0), cone(20, 36, 16, 1.0))
    assert watershed_from_h_maxima(height, height > 0.02, 0.7).max() == 1


def test_a_fragment_is_merged_into_the_object_it_touches_and_a_separate_small_one_stays():
    height = np.maximum(cone(20, 16, 14, 1.0), cone(20, 31, 4, 1.0)) + cone(5, 55, 4, 1.0)
    mask = height > 0.02
    apart = watershed_from_h_maxima(height, mask, 0.1)
    joined = watershed_from_h_maxima(height, mask, 0.1, share=0.15)
    assert apart.max() == 3
    assert joined.max() == 2
    assert joined[20, 16] == joined[20, 31]
    assert joined[5, 55] not in (0, joined[20, 16])


def test_a_chain_of_fragments_is_merged_into_the_largest():
    height = np.maximum.reduce([cone(20, 16, 14, 1.0), cone(20, 31, 4, 0.9), cone(20, 34, 1.5, 0.8)])
    labels = watershed_from_h_maxima(height, height > 0.02, 0.0, share=0.3)
    assert set(np.unique(labels)) == {0, 1}
