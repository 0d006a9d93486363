"""Noise of a source: estimated, and removed before sharpening."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi
from skimage import data

import napari_s1omni
from napari_s1omni.engine.denoising import MIN_NOISE, back_projection_rounds, image_noise, remove_noise
from napari_s1omni.evaluation.metrics import psnr


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    """A micrograph of stained tissue, (3, 192, 192), 0 to 1."""
    return np.moveaxis(data.immunohistochemistry()[100:292, 100:292], -1, 0).astype(np.float32) / 255


def with_noise(image: np.ndarray, sd: float) -> np.ndarray:
    """Add Gaussian noise."""
    return image + np.float32(sd) * np.random.default_rng(0).standard_normal(image.shape, np.float32)


@pytest.mark.parametrize("sd", [0.02, 0.05, 0.1])
def test_noise_is_measured_and_removed(cells, sd):
    seen = with_noise(cells, sd)
    assert image_noise(seen) == pytest.approx(sd, rel=0.25)
    assert psnr(cells, remove_noise(seen, image_noise(seen)), 1.0) > psnr(cells, seen, 1.0) + (0.5 if sd < 0.05 else 3)
    assert psnr(cells[:1], remove_noise(seen[:1], sd), 1.0) > psnr(cells[:1], seen[:1], 1.0) + 0.5


def test_a_clean_image_is_unchanged(cells):
    assert remove_noise(cells, MIN_NOISE / 2) is cells
    rounds = [back_projection_rounds(noise) for noise in (0, MIN_NOISE, 0.02, 0.05, 0.3)]
    assert rounds == sorted(rounds, reverse=True)
    assert rounds[-1] == 0


@pytest.mark.parametrize(("sd", "gain", "sharpened"), [(0.02, -0.5, 0.5), (0.05, 0.7, 4.0)])
def test_the_reference_engine_restores_noisy_images(cells, sd, gain, sharpened):
    """It loses little where texture looks like noise, and gains where noise is seen; detail is never bought with noise."""
    truth = cells[0]
    seen = with_noise(ndi.gaussian_filter(truth, 1).reshape(96, 2, 96, 2).mean((1, 3)), sd)
    made = napari_s1omni.super_resolve(seen, factor=2, engine="reference", think="per_tile")
    found = psnr(truth, made.array[:], 1.0)
    for rounds, least in ((0, gain), (4, sharpened)):
        steps = f"- denoise: 0\n- blur: 0.4 px\n- rounds: {rounds}"
        other = napari_s1omni.super_resolve(seen, factor=2, engine="reference", think="off", prompt=steps)
        assert found > psnr(truth, other.array[:], 1.0) + least
    (thought, *_) = made.thoughts.values()
    assert "non-local means" in thought.text
