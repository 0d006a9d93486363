"""Upsampling of source tiles: detail lost by averaging is restored."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from scipy import ndimage as ndi
from skimage import data

from napari_s1omni.engine.s1omni.editor.upsampling import match_source, upsample
from napari_s1omni.evaluation.metrics import psnr


@pytest.mark.parametrize("by", [(2, 2), (1, 2), (4, 1)])
@pytest.mark.parametrize("blur", [0.4, 0.5, 0.7])
def test_a_restored_image_is_nearer_to_the_truth_than_bicubic(by, blur):
    truth = np.asarray(data.immunohistochemistry()[100:356, 100:356, 0], np.float32) / 255
    soft = ndi.gaussian_filter(truth, [blur * f if f > 1 else 0 for f in by])
    coarse = soft.reshape(256 // by[0], by[0], 256 // by[1], by[1]).mean((1, 3))
    seen = torch.from_numpy(coarse)[None, None].repeat(1, 3, 1, 1)
    plain, restored = (upsample(seen, (256, 256), how)[0, 0].numpy() for how in ("bicubic", "restored"))
    assert psnr(truth, restored, 1.0) > psnr(truth, plain, 1.0) + 0.5


def test_constant_images_stay_constant_and_fitting_sizes_unchanged():
    flat = torch.full((2, 3, 9, 7), 0.4)
    torch.testing.assert_close(upsample(flat, (18, 28), "restored"), torch.full((2, 3, 18, 28), 0.4))
    assert upsample(flat, (9, 7), "restored") is flat
    torch.testing.assert_close(upsample(flat, (12, 10), "restored"), torch.full((2, 3, 12, 10), 0.4))


@pytest.mark.parametrize(("noise", "gain"), [(0.02, -0.5), (0.05, 0.5)])
def test_a_restored_noisy_image_is_nearer_to_the_truth_than_bicubic(noise, gain):
    truth = np.asarray(data.immunohistochemistry()[100:356, 100:356, 0], np.float32) / 255
    coarse = ndi.gaussian_filter(truth, 1).reshape(128, 2, 128, 2).mean((1, 3))
    coarse = coarse + noise * np.random.default_rng(0).standard_normal(coarse.shape, np.float32)
    seen = torch.from_numpy(coarse)[None, None].repeat(2, 3, 1, 1)
    plain, restored = (upsample(seen, (256, 256), how)[1, 0].numpy() for how in ("bicubic", "restored"))
    assert psnr(truth, restored, 1.0) > psnr(truth, plain, 1.0) + gain


def test_each_image_of_a_batch_is_restored_by_its_own_noise():
    quiet = ndi.gaussian_filter(np.random.default_rng(1).random((3, 48, 48), np.float32), (0, 2, 2))
    loud = quiet + 0.1 * np.random.default_rng(2).standard_normal(quiet.shape, np.float32)
    both = torch.from_numpy(np.stack([quiet, loud]))
    together, alone = upsample(both, (96, 96), "restored"), upsample(both[:1], (96, 96), "restored")
    torch.testing.assert_close(together[:1], alone, rtol=0, atol=0)


def test_a_drawn_image_is_made_consistent_with_a_clean_source():
    truth = np.asarray(data.immunohistochemistry()[100:356, 100:356], np.float32).transpose(2, 0, 1) / 255
    seen = torch.from_numpy(ndi.gaussian_filter(truth, (0, 1, 1)).reshape(3, 128, 2, 128, 2).mean((2, 4)))[None]
    y, x = np.mgrid[:256, :256] / 20
    drawn = upsample(seen, (256, 256), "restored") + torch.from_numpy(0.02 * np.sin(y + x)).float()
    better = match_source(seen, drawn)
    assert psnr(truth, better[0].numpy(), 1.0) > psnr(truth, drawn[0].numpy(), 1.0) + 1
    loud = seen + 0.1 * torch.randn(seen.shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(match_source(loud, drawn), drawn)
    assert match_source(seen, seen) is seen


def test_a_source_of_one_value_gives_that_value():
    tone = torch.tensor([0.2, 0.7, 0.1]).view(1, 3, 1, 1)
    drawn = tone.expand(1, 3, 32, 32) + 0.01 * torch.rand(1, 3, 32, 32)
    assert torch.equal(match_source(tone.expand(1, 3, 16, 16), drawn), tone.expand(1, 3, 32, 32))


def test_back_projection_is_linear():
    image = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(upsample(2.5 * image, (32, 32), "restored"), 2.5 * upsample(image, (32, 32), "restored"))
