"""A tile of mere noise is told from one with objects, and nano draws nothing in it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import napari_s1omni
from napari_s1omni.engine.mere_noise import is_mere_noise

EDGE = 256


def noises():
    rng = np.random.default_rng(5)
    yield "normal", rng.normal(0.5, 0.2, (1, EDGE, EDGE))
    yield "uniform", rng.random((1, EDGE, EDGE))
    yield "two values", rng.random((1, EDGE, EDGE)) < 0.5
    yield "few levels", np.floor(rng.random((1, EDGE, EDGE)) * 4)
    yield "colours", rng.random((3, EDGE, EDGE))
    yield "small", rng.random((1, 40, 40))


@pytest.mark.parametrize(("name", "pixels"), list(noises()))
def test_noise_of_any_distribution_is_noise(name, pixels):
    assert is_mere_noise(np.broadcast_to(pixels, (3, *pixels.shape[1:])).astype(np.float32))


@pytest.mark.parametrize(("contrast", "diameter"), [(0.15, 60), (0.5, 20), (3, 3), (3, 8), (3, 60)])
def test_a_few_objects_are_no_noise_however_faint(contrast, diameter):
    """Nine objects, with a contrast as a multiple of the noise of a pixel; fainter ones are hardly seen by anybody."""
    rng, y, x = np.random.default_rng(6), *np.mgrid[:EDGE, :EDGE]
    inside = np.hypot(y % 85 - 42, x % 85 - 42) < diameter / 2
    tile = (rng.normal(0, 0.1, (EDGE, EDGE)) + 0.1 * contrast * inside).astype(np.float32)
    assert not is_mere_noise(np.repeat(tile[None], 3, 0))


def test_blanks_textures_and_blurred_noise_are_not_said_to_be_noise():
    rng = np.random.default_rng(7)
    blurred = ndimage.gaussian_filter(rng.normal(size=(EDGE, EDGE)), 4)
    for tile in (np.zeros((EDGE, EDGE)), blurred, np.ones((1, 1))):
        assert not is_mere_noise(np.repeat(tile[None].astype(np.float32), 3, 0))


def test_nano_draws_nothing_in_noise():
    pytest.importorskip("diffusers")
    colours = np.random.default_rng(8).integers(0, 256, (EDGE, EDGE, 3), np.uint8)
    for pixels, axes in ((colours, "yxc"), (colours[..., 0], "yx")):
        result = napari_s1omni.segment(pixels, prompt="segment the nuclei", engine="nano", axes=axes, durable=False)
        assert all(thought.trace.startswith("empty; high noise") for thought in result.thoughts.values())
        assert not np.asarray(result.array[...]).any()
