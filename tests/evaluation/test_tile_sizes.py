"""The benchmark of tile sizes, on small images."""

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation.tile_sizes import SIZES, score_tile_sizes


def test_discs_on_a_slope_are_the_same_in_any_tile(tmp_path):
    y, x = np.mgrid[:150, :200]
    discs = sum(np.hypot(y - 25 - 50 * (i // 4), x - 25 - 50 * (i % 4)) < 10 for i in range(12))
    noise = np.random.default_rng(0).normal(0, 2, y.shape)
    image = ndimage.gaussian_filter(120.0 * discs, 1) + 0.8 * x + noise + 40
    (tmp_path / "discs" / "images").mkdir(parents=True)
    tifffile.imwrite(tmp_path / "discs/images/one.tif", image.clip(0, 65535).astype(np.uint16))
    (score,) = score_tile_sizes(tmp_path, "reference")
    assert (score.name, score.images) == ("discs", 1)
    assert score.agreement == dict.fromkeys(SIZES, 1.0)


def test_a_folder_without_sets_is_refused(tmp_path):
    with pytest.raises(SourceError, match="holds no set"):
        list(score_tile_sizes(tmp_path, "reference"))
