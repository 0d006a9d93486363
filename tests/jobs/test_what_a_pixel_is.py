"""NaN stays in place and changes nothing beside it; labels and masks are no intensities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

import napari_s1omni
from napari_s1omni.errors import PlanError
from napari_s1omni.storage.label_check import looks_like_labels
from napari_s1omni.storage.source import open_source

OPTIONS = {"engine": "reference", "tile_size": 64, "overlap": 16, "block_size": 96}
Y, X = np.mgrid[:120, :150]


def field():
    """Ten nuclei on a noisy ground, float32."""
    rng = np.random.default_rng(0)
    plane = np.zeros(Y.shape)
    for y, x in [
        (20, 20),
        (25, 60),
        (15, 110),
        (60, 30),
        (55, 80),
        (70, 125),
        (100, 20),
        (95, 65),
        (105, 100),
        (40, 140),
    ]:
        plane += np.hypot(Y - y, X - x) < 8
    return (ndi.gaussian_filter(plane, 1.5) * 500 + 100 + rng.normal(0, 5, Y.shape)).astype(np.float32)


def stripe(bad):
    bad[:, 40:52] = True


def border(bad):
    bad[:35] = bad[-10:] = True
    bad[:, :12] = True


def dead_pixels(bad):
    bad[::13, ::17] = True


@pytest.fixture(scope="module")
def plain():
    image = field()
    return {
        "labels": napari_s1omni.segment(image, prompt="nuclei", **OPTIONS).array[...] > 0,
        "fine": napari_s1omni.super_resolve(image, factor=(2, 1), **OPTIONS).array[...],
        "inverted": napari_s1omni.translate(image, target="inverted contrast", **OPTIONS).array[...],
    }


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("lost", [stripe, border, dead_pixels])
def test_unknown_pixels_stay_in_place_and_spoil_no_neighbour(plain, lost, value):
    if value != np.nan and lost is not stripe:
        value = np.nan
    image, bad = field(), np.zeros(Y.shape, bool)
    lost(bad)
    image[bad] = value
    labels = napari_s1omni.segment(image, prompt="nuclei", **OPTIONS).array[...] > 0
    known = ~bad
    assert (labels & plain["labels"])[known].sum() > 0.97 * (labels | plain["labels"])[known].sum()
    if lost is not dead_pixels:
        assert not labels[bad].any()
    inverted = napari_s1omni.translate(image, target="inverted contrast", **OPTIONS).array[...]
    np.testing.assert_array_equal(np.isnan(inverted), bad)
    np.testing.assert_allclose(inverted[known], plain["inverted"][known], atol=0.02)
    result = napari_s1omni.super_resolve(image, factor=(2, 1), **OPTIONS)
    fine, bad = result.array[...], bad.repeat(2, axis=0)
    np.testing.assert_array_equal(np.isnan(fine), bad)
    difference = np.abs(fine - plain["fine"])[~bad]
    assert difference.max() < 0.15 * np.ptp(plain["fine"])
    assert difference.mean() < 0.002 * np.ptp(plain["fine"])
    assert any("NaN in the result" in note for note in result.plan.notes)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2), st.sampled_from([32, 64]), st.sampled_from([48, 96]))
def test_the_result_does_not_depend_on_blocks(which, tile, block):
    image, bad = field(), np.zeros(Y.shape, bool)
    (stripe, border, dead_pixels)[which](bad)
    image[bad] = np.nan
    options = {"engine": "reference", "tile_size": tile, "overlap": 8, "factor": 2, "think": "off"}
    one, other = (napari_s1omni.super_resolve(image, **options, block_size=b).array[...] for b in (block, 256))
    np.testing.assert_array_equal(one, other)


def test_only_the_unknown_channel_of_a_picture_is_unknown():
    picture = np.random.default_rng(0).random((40, 50, 3)).astype(np.float32)
    picture[5:9, 5:9, 0] = np.nan
    fine = napari_s1omni.super_resolve(picture, factor=2, **OPTIONS).array[...]
    assert np.isnan(fine[0]).sum() == 4 * 16
    assert np.isfinite(fine[1:]).all()
    assert np.isnan(napari_s1omni.translate(picture, target="eosin", **OPTIONS).array[...]).sum() == 16


@pytest.mark.parametrize("value", [np.nan, np.inf, 7.0])
def test_images_without_any_contrast(value):
    image = np.full((90, 100), value, np.float32)
    assert not napari_s1omni.segment(image, prompt="nuclei", **OPTIONS).array[...].any()
    fine = napari_s1omni.super_resolve(image, factor=2, **OPTIONS).array[...]
    assert np.isnan(fine).all() if not np.isfinite(value) else (fine == value).all()


MASK = field() > 300
LABELS = ndi.label(MASK)[0]


@pytest.mark.parametrize("pixels", [MASK, LABELS.astype(np.int32), LABELS.astype(np.uint64), MASK.astype(int)])
@pytest.mark.parametrize("verb", ["super_resolve", "translate"])
def test_labels_and_masks_are_refused_with_the_way_on(pixels, verb):
    options = {"factor": 2} if verb == "super_resolve" else {"target": "inverted contrast"}
    with pytest.raises(PlanError, match=r"not intensities.*order=0.*float32"):
        getattr(napari_s1omni, verb)(pixels, engine="reference", **options)
    assert napari_s1omni.segment(pixels.astype(np.float32), engine="reference", prompt="nuclei").array[...].any()


def test_results_of_segmentation_are_refused_too(tmp_path):
    napari_s1omni.segment(field(), tmp_path / "labels.zarr", prompt="nuclei", **OPTIONS)
    with pytest.raises(PlanError, match="holds labels"):
        napari_s1omni.super_resolve(str(tmp_path / "labels.zarr"), factor=2, engine="reference")


def test_a_mask_of_8_bits_is_noted_and_noise_is_not():
    result = napari_s1omni.super_resolve(MASK.astype(np.uint8) * 255, factor=2, engine="reference")
    assert any("like labels or a mask" in note for note in result.plan.notes)
    assert not looks_like_labels(open_source(field().astype(np.uint16)))
    saturated = np.minimum(field() / 2, 60).astype(np.uint8)
    assert not looks_like_labels(open_source(saturated))


def test_labels_as_floats_are_noted_and_intensities_as_floats_are_not():
    labels = np.where(MASK, 7, 0).astype(np.float32)
    assert looks_like_labels(open_source(labels))
    assert looks_like_labels(open_source(np.where(MASK, labels, np.nan)))
    assert not looks_like_labels(open_source(labels / 10))
    assert not looks_like_labels(open_source(field()))
