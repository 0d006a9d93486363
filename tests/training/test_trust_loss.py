"""The second output of the editor learns how large its errors are."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

import torch

from napari_s1omni.engine.s1omni.editor.film_unet import FilmUNet2DModel
from napari_s1omni.training.stages.trust_loss import QUANTILES, trust_loss

SMALL = {"block_out_channels": (8, 16), "layers_per_block": 1, "cross_attention_dim": 16, "attention_head_dim": 8}


def _fitted(segmentation: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Return planes (3,) fitted to 4,000 errors by gradient descent, and the errors."""
    torch.manual_seed(0)
    error = 0.3 * torch.randn(1, 3, 40, 100)
    planes = torch.zeros(1, 3, 1, 1, requires_grad=True)
    optimiser = torch.optim.Adam([planes], lr=0.02)
    for _ in range(400):
        optimiser.zero_grad()
        trust_loss(planes.expand(1, 3, 40, 100), error, torch.tensor([segmentation])).sum().backward()
        optimiser.step()
    return planes.detach().flatten(), error


def test_for_masks_it_learns_the_mean_error():
    planes, error = _fitted(segmentation=True)
    assert planes[0].exp() == pytest.approx(float(error[:, 0].abs().mean()), rel=0.03)


def test_for_images_it_learns_the_quantiles_of_the_error():
    planes, error = _fitted(segmentation=False)
    mean = error.mean(1)
    for plane, share in zip(planes[1:], QUANTILES, strict=True):
        assert float((mean < plane).float().mean()) == pytest.approx(share, abs=0.02)


def test_new_parts_change_nothing_before_training():
    torch.manual_seed(1)
    plain = FilmUNet2DModel(**SMALL)
    extended = FilmUNet2DModel(**SMALL, hint_channels=36, trust_channels=12)
    extended.load_state_dict(extended.state_dict() | plain.state_dict())
    sample, states = torch.rand(2, 24, 16, 16), torch.rand(2, 5, 16)
    mask, time = torch.ones(2, 5, dtype=torch.bool), torch.tensor(1000.0)
    drawn, none = plain(sample, time, states, mask)
    same, trust = extended(sample, time, states, mask, hints=torch.rand(2, 36, 16, 16))
    assert none is None
    assert torch.equal(drawn, same)
    assert trust.shape == (2, 12, 16, 16)
