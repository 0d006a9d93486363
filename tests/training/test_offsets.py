"""Offsets to the middle of an object: their size, their turning, and where they weigh more."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.draw import ellipse

from napari_s1omni.training.bank import _cut
from napari_s1omni.training.cutting import turned
from napari_s1omni.training.emphasis import between_objects
from napari_s1omni.training.offsets import offsets_of
from napari_s1omni.training.samples import Sample
from napari_s1omni.training.traces import Truth


def _labels() -> np.ndarray:
    labels = np.zeros((64, 64), np.uint16)
    labels[ellipse(32, 30, 20, 6, rotation=0.6)] = 7
    labels[2:8, 40:60] = 3
    labels[8:14, 40:60] = 9
    return labels


def _drawn(labels: np.ndarray) -> np.ndarray:
    return np.stack([(labels > 0).astype(np.float32), *(0.5 + 0.5 * offsets_of(labels))])


def test_the_border_of_an_ellipse_is_at_one_all_around() -> None:
    labels = np.zeros((128, 128), np.uint16)
    labels[ellipse(60, 66, 50, 12, rotation=1.0)] = 4
    offsets = offsets_of(labels)
    length = np.hypot(*offsets)
    rim = (labels > 0) & (np.roll(labels, 1, 0) * np.roll(labels, -1, 0) * np.roll(labels, 1, 1) == 0)
    assert 0.85 < length[rim].min() < length[rim].max() < 1.05
    assert np.abs(offsets[:, 60, 66]).max() < 0.05
    assert not offsets[:, labels == 0].any()


def test_single_px_and_lines_are_finite() -> None:
    labels = np.zeros((16, 16), np.uint16)
    labels[3, 3], labels[9, 2:14] = 1, 2
    offsets = offsets_of(labels)
    assert np.isfinite(offsets).all()
    assert not offsets[:, 3, 3].any()
    assert offsets[1, 9, 2] > 0.75 > 0.1 > abs(offsets[0, 9, 2])


@pytest.mark.parametrize("which", range(8))
def test_turned_offsets_are_those_of_the_turned_labels(which: int) -> None:
    labels, image = _labels(), _drawn(_labels())
    other = np.rot90(labels, which % 4)
    other = other[:, ::-1] if which >= 4 else other
    sample = Sample(image, "", Truth("segmentation", "nuclei"), image, image)
    np.testing.assert_allclose(turned(sample, which, offsets=True).target, _drawn(other), atol=1e-5)


def test_the_bank_turns_the_offsets_of_masks_and_leaves_images() -> None:
    torch.manual_seed(3)
    images = torch.from_numpy(_drawn(_labels()))[None].repeat(32, 1, 1, 1)
    # Rows of each eighth are turned alike: the second of two is an image.
    pointing = torch.arange(32) % 2 == 0
    labels = torch.from_numpy(_labels().astype(np.float32))[None, None].repeat(32, 3, 1, 1)
    base, target = _cut(labels, images, 64, pointing)
    for row in range(0, 32, 2):
        np.testing.assert_allclose(target[row], _drawn(base[row, 0].numpy().astype(np.uint16)), atol=1e-5)
        if not torch.equal(base[row, 0], labels[row, 0]):
            assert not torch.allclose(target[row], target[row + 1])


def test_only_the_border_between_touching_objects_weighs_more() -> None:
    found = between_objects(torch.from_numpy(_drawn(_labels()))[None], "offsets")[0, 0].numpy()
    assert (found[7:9, 45:55] == 1).all()
    assert found[20:].sum() == 0
