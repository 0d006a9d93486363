"""Pixels that are NaN or infinite are filled so that nothing beside them changes."""

import warnings

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.core.unknown_pixels import fill_unknown, mean_of_known
from napari_s1omni.storage.result.pyramid import halve

Y, X = np.mgrid[:40, :48]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.99))
def test_known_pixels_stay_and_all_others_get_a_value_of_the_image(seed, share):
    rng = np.random.default_rng(seed)
    image = rng.random((3, 20, 24), np.float32) + 1
    unknown = rng.random((1, 20, 24)) < share
    unknown[0, 0, 0] = False
    ground = np.where(unknown, np.float32(-9), image)
    filled = fill_unknown(ground, unknown)
    np.testing.assert_array_equal(filled[:, ~unknown[0]], image[:, ~unknown[0]])
    assert filled.min() >= 1
    assert filled.max() <= 2


def test_a_stripe_is_mirrored_without_a_step():
    slope = np.repeat((X / 48).astype(np.float32)[None], 3, axis=0)
    unknown = (X >= 20) & (X < 26)
    filled = fill_unknown(np.where(unknown, 0, slope), unknown[None])
    beside = np.abs(np.diff(filled, axis=2))[..., [18, 19, 20, 24, 25, 26]]
    assert beside.max() <= 1.001 * np.diff(slope, axis=2).max()
    assert (filled[0, :, 20] == slope[0, :, 18]).all()


def test_each_channel_has_its_own_gaps_and_an_empty_one_keeps_the_ground():
    image = np.stack([np.full((6, 6), v, np.float32) for v in (1, 2, 3)])
    unknown = np.zeros((3, 6, 6), bool)
    unknown[0, :, :2] = True
    unknown[1] = True
    filled = fill_unknown(np.where(unknown, np.float32(0.5), image), unknown)
    assert (filled[0] == 1).all()
    assert (filled[1] == 0.5).all()
    assert (filled[2] == 3).all()


def test_levels_and_means_leave_nan_out():
    pixels = np.arange(64, dtype=np.float32).reshape(8, 8)
    pixels[0, :3] = pixels[1, :2] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small = halve(pixels, (True, True))
    assert np.isnan(small[0, 0])
    assert small[0, 1] == np.float32(np.mean([3, 10, 11]))
    assert np.isnan(small).sum() == 1
    assert mean_of_known(pixels, (0,))[2] == pixels[1:, 2].mean()
