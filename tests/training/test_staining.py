"""Stain augmentation changes colours and keeps structures."""

from __future__ import annotations

import numpy as np
from skimage import data
from skimage.color import rgb2hed

from napari_s1omni.training.data.variation.staining import vary_stains


def test_stains_change_and_structures_do_not() -> None:
    image = np.moveaxis(data.immunohistochemistry()[:128, :128], -1, 0).astype(np.float32) / 255
    rng = np.random.default_rng(0)
    varied = [vary_stains(image, rng) for _ in range(4)]
    nuclei = rgb2hed(image, channel_axis=0)[0]
    for one in varied:
        assert one.dtype == np.float32
        assert one.shape == image.shape
        assert one.min() >= 0
        assert one.max() <= 1
        assert np.abs(one - image).mean() > 0.005
        assert np.corrcoef(rgb2hed(one, channel_axis=0)[0].ravel(), nuclei.ravel())[0, 1] > 0.8
    tones = np.array([one.mean((1, 2)) for one in varied])
    assert np.ptp(tones, axis=0).max() > 0.02


def test_pixels_out_of_range_are_clipped() -> None:
    wild = np.stack([np.full((4, 4), v, np.float32) for v in (-1.0, 0.5, 3.0)])
    assert np.isfinite(vary_stains(wild, np.random.default_rng(1))).all()
