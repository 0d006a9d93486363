"""Copy-paste augmentation: labels and distances match the image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from napari_s1omni.training.data.simulation.shapes import relative_border_distance
from napari_s1omni.training.data.variation.copy_paste import copy_paste

Tile = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture
def tile() -> Tile:
    y, x = np.mgrid[:96, :96]
    labels = np.zeros((96, 96), np.uint16)
    for number, (cy, cx, r) in enumerate(((24, 24, 9), (60, 66, 12), (4, 80, 8)), start=1):
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= r * r] = number
    image = ndi.gaussian_filter((labels > 0).astype(np.float32) * 0.5, 1)[None] + 0.1
    return image, labels, relative_border_distance(labels)


def test_copies_are_whole_and_touch_their_host(tile: Tile) -> None:
    image, labels, distance = tile
    touching = added = 0
    for seed in range(40):
        new, found, share = copy_paste(image, labels, distance, np.random.default_rng(seed))
        before, after = np.bincount(labels.ravel()), np.bincount(found.ravel())
        assert (after[1:4] >= 0.88 * before[1:4]).all()
        # Copies are of the two whole discs, never of the one at the side.
        for area in after[4:]:
            assert any(0.88 * whole <= area <= whole for whole in before[1:3])
        assert not share[found == 0].any()
        summits = np.asarray(ndi.maximum(share, found, np.arange(1, len(after))))
        assert (summits > 0.7).all()
        assert share.max() <= 1
        far = ~ndi.binary_dilation(found != labels, iterations=12)
        assert np.array_equal(new[:, far], image[:, far])
        added += len(after) - 4
        for axis in (0, 1):
            a, b = np.moveaxis(found, axis, 0)[:-1], np.moveaxis(found, axis, 0)[1:]
            low = np.minimum(np.moveaxis(share, axis, 0)[:-1], np.moveaxis(share, axis, 0)[1:])
            border = (a != b) & (a > 0) & (b > 0)
            touching += int(border.any())
            assert not border.any() or low[border].max() < 0.25
    assert added > 20
    assert touching > 20


def test_light_of_a_copy_adds_to_the_image(tile: Tile) -> None:
    image, labels, distance = tile
    new, found, _ = copy_paste(image, labels, distance, np.random.default_rng(2))
    copies = found > 3
    assert copies.any()
    assert new[0][copies].mean() == pytest.approx(image[0][labels > 0].mean(), rel=0.25)


def test_a_tile_without_whole_objects_is_unchanged(tile: Tile) -> None:
    image, labels, distance = tile
    only = np.where(labels == 3, labels, 0)
    new, found, share = copy_paste(image, only, distance, np.random.default_rng(0))
    assert new is image
    assert found is only
    assert share is distance
