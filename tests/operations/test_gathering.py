"""Objects from the ways to their middles: true ones, weak ones, and ways that end in several places."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from napari_s1omni.engine.protocol import Division
from napari_s1omni.gathering import gather
from napari_s1omni.intensity import Normalization
from napari_s1omni.operations import Segmentation
from napari_s1omni.spec import LayerSpec
from napari_s1omni.training.offsets import offsets_of

Y, X = np.mgrid[:96, :128]


def discs(*places):
    """Labels of discs (y, x, radius), the first over the others."""
    labels = np.zeros(Y.shape, np.uint16)
    for i, (y, x, radius) in enumerate(places):
        labels[(np.hypot(Y - y, X - x) <= radius) & (labels == 0)] = i + 1
    return labels


def same(found, labels):
    """Whether two label images differ in numbers only."""
    pairs = np.unique(np.stack([found.ravel(), labels.ravel()]), axis=1)
    return len(pairs.T) == found.max() + 1 == labels.max() + 1


TOUCHING = discs((40, 30, 16), (40, 58, 12), (66, 44, 14), (20, 100, 5), (25, 109, 5), (75, 100, 18))


@pytest.mark.parametrize("weak", [1.0, 0.5])
def test_objects_that_touch_are_told_apart_whatever_their_size(weak):
    assert same(gather(weak * offsets_of(TOUCHING), TOUCHING > 0, 0.3), TOUCHING)


def test_blurred_ways_with_noise_still_lead_home():
    rng = np.random.default_rng(0)
    drawn = np.stack([ndi.gaussian_filter(along, 1.5) for along in offsets_of(TOUCHING)])
    drawn += 0.1 * rng.standard_normal(drawn.shape).astype(np.float32)
    found = gather(drawn, TOUCHING > 0, 0.3)
    homes = [np.bincount(found[number == TOUCHING]).argmax() for number in range(1, 7)]
    assert len(set(homes)) == 6
    for number, home in enumerate(homes, 1):
        assert ((found == home) == (number == TOUCHING)).mean() > 0.999


def test_long_objects_side_by_side_stay_two_and_whole():
    labels = np.zeros(Y.shape, np.uint16)
    for i, x in enumerate((50, 62)):
        labels[((Y - 48) / 40) ** 2 + ((X - x) / 6) ** 2 <= 1] = i + 1
    assert same(gather(offsets_of(labels), labels > 0, 0.3), labels)


def test_two_middles_of_one_object_are_joined_unless_nothing_is():
    labels = discs((48, 64, 30))
    ways = offsets_of(labels)
    # A dent in the middle: ways end on both sides of it, and hardly point apart in between.
    ways[1] += np.where(labels > 0, 0.3 * np.sign(X - 64) * (np.abs(X - 64) < 8), 0).astype(np.float32)
    assert gather(ways, labels > 0, 0.4).max() == 1
    assert gather(ways, labels > 0, 0.0).max() > 1


def test_a_px_without_a_way_is_its_own_place_and_an_empty_mask_has_none():
    nothing = np.zeros((2, *Y.shape), np.float32)
    assert gather(nothing, np.zeros(Y.shape, bool), 0.5).max() == 0
    one = np.zeros(Y.shape, bool)
    one[5, 7] = True
    found = gather(nothing, one, 0.5)
    assert found[5, 7] == 1
    assert found.sum() == 1


def test_a_segmentation_of_drawn_offsets_gives_the_objects():
    drawn = np.stack([(TOUCHING > 0).astype(np.float32), *(0.5 + 0.5 * offsets_of(TOUCHING))])
    target = LayerSpec(TOUCHING.shape, ("y", "x"), "uint32", kind="labels")
    finished = Segmentation(fill_holes=False).finish(
        drawn[:, None], Normalization((0.0,), (1.0,)), (0,), target, encoding="offsets", division=Division(jump=0.4)
    )
    assert same(finished.pixels.squeeze(), TOUCHING)
    assert finished.confidence.min() == 1
