"""A volume in blocks against the same volume as a whole."""

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_s1omni.evaluation.volumes import Volume, score, volumes


@pytest.fixture
def balls():
    z, y, x = np.mgrid[:12, :48, :48]
    truth = np.zeros(z.shape, int)
    for i, (row, col) in enumerate([(12, 12), (12, 36), (36, 12), (36, 36)], 1):
        truth[(z - 6) ** 2 + (y - row) ** 2 + (x - col) ** 2 <= 64] = i
    truth[[0, 1, 11]] = 0
    noise = np.random.default_rng(0).normal(0, 20, truth.shape)
    return (ndimage.gaussian_filter((truth > 0) * 1000.0, 1) + 100 + noise).astype(np.uint16), truth


def test_cutting_changes_nothing_here(balls):
    image, truth = balls
    found = score(Volume("balls", image, truth, (1.0, 1.0, 1.0), "balls of about 14 px"))
    assert found.blocks >= 4
    assert found.objects == found.found_whole == found.found_blocks == 4
    assert found.ap_whole == found.ap_blocks == 1
    assert found.difference == 0


def test_stacks_are_found_in_their_folders(balls, tmp_path):
    image, truth = balls
    for part, pixels in (("images", image), ("masks", truth.astype(np.uint16))):
        (tmp_path / "stardist_synthetic3d" / part).mkdir(parents=True)
        tifffile.imwrite(tmp_path / "stardist_synthetic3d" / part / "img3d.tif", pixels)
    (volume,) = volumes(tmp_path)
    assert volume.name == "stardist_synthetic3d"
    np.testing.assert_array_equal(volume.truth, truth)
