"""Changes that other microscopes and files bring: the image changes, its range and known noise stay plausible."""

from __future__ import annotations

import numpy as np
import pytest

from napari_s1omni.training.data.variation import acquisition
from napari_s1omni.training.data.variation.acquisition import CAMERA, COLOUR, LIGHT, OPTICS, vary_acquisition
from napari_s1omni.training.data.variation.appearance import Appearance

CHANGES = [change for table in (LIGHT, OPTICS, CAMERA) for _, change in table]


def _image(channels: int = 1) -> np.ndarray:
    y, x = np.mgrid[0:64, 0:64]
    spots = 0.1 + 0.7 * ((y // 12 + x // 12) % 2)
    return np.repeat(spots[None].astype(np.float32), channels, axis=0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_keeps_shape_and_finite_values(change, channels):
    seen = change(np.random.default_rng(1), Appearance(_image(channels), 0.01, 0.5))
    assert seen.image.shape == (channels, 64, 64)
    assert np.isfinite(seen.image).all()
    assert not np.array_equal(seen.image, _image(channels))


@pytest.mark.parametrize("change", [change for _, change in COLOUR], ids=lambda change: change.__name__)
def test_colours_change_but_the_structure_stays(change):
    image = _image(3) * np.array([0.9, 0.6, 0.3], np.float32)[:, None, None]
    seen = change(np.random.default_rng(1), Appearance(image, None, None))
    assert np.corrcoef(seen.image.mean(0).ravel(), image.mean(0).ravel())[0, 1] > 0.99


def test_photon_noise_is_as_large_as_it_says():
    flat = Appearance(np.full((1, 128, 128), 0.5, np.float32), 0.0, 0.0)
    seen = acquisition.photon_noise(np.random.default_rng(3), flat)
    assert seen.noise == pytest.approx(float(seen.image.std()), rel=0.1)


@pytest.mark.parametrize("change", [acquisition.defocus, acquisition.motion], ids=["defocus", "motion"])
def test_blur_is_about_as_wide_as_it_says(change):
    point = np.zeros((1, 65, 65), np.float32)
    point[0, 32, 32] = 1
    seen = change(np.random.default_rng(2), Appearance(point, 0.0, 0.0))
    y, x = np.mgrid[-32:33, -32:33]
    sigma = np.sqrt(float((seen.image[0] * (y**2 + x**2)).sum() / seen.image.sum()) / 2)
    assert seen.blur == pytest.approx(sigma, rel=0.35)


def test_without_optics_nothing_is_blurred_or_made_noisy():
    rng = np.random.default_rng(0)
    for _ in range(20):
        seen = vary_acquisition(rng, Appearance(_image(), 0.01, 0.5), optics=False)
        assert (seen.noise, seen.blur) == (0.01, 0.5)
