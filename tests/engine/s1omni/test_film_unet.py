"""The small editor network: the condition reaches every pixel, and it is built by its class name."""

from __future__ import annotations

from typing import Any

import torch
from tiny_checkpoints import parts_config

from napari_s1omni.engine.s1omni.checkpoint.config import CheckpointConfig
from napari_s1omni.engine.s1omni.checkpoint.loading import editor_class
from napari_s1omni.engine.s1omni.description import size_multiple
from napari_s1omni.engine.s1omni.editor.denoiser import UNetDenoiser, build_denoiser
from napari_s1omni.engine.s1omni.editor.film_unet import FilmUNet2DModel

SIZES: dict[str, Any] = {
    "in_channels": 24,
    "out_channels": 12,
    "block_out_channels": (16, 24, 32),
    "layers_per_block": (1, 2, 1),
    "cross_attention_dim": 16,
    "attention_head_dim": 8,
}


def network(awake: bool = True) -> FilmUNet2DModel:
    """A small one; awake, its blocks do something, as after training."""
    torch.manual_seed(3)
    net = FilmUNet2DModel(**SIZES).eval()
    if awake:
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
    return net


def inputs(rows: int = 2, edge: int = 16, words: int = 9) -> dict[str, torch.Tensor]:
    torch.manual_seed(4)
    return {
        "sample": torch.randn(rows, 24, edge, edge),
        "timestep": torch.tensor(1000.0),
        "encoder_hidden_states": torch.randn(rows, words, 16),
        "encoder_attention_mask": torch.ones(rows, words, dtype=torch.bool),
    }


@torch.inference_mode()
def test_output_has_the_size_of_the_input() -> None:
    given = inputs(edge=24)
    drawn, _ = network()(**given)
    assert drawn.shape == (2, 12, 24, 24)
    assert torch.isfinite(drawn).all()


@torch.inference_mode()
def test_each_row_depends_on_its_own_condition_and_not_on_padding() -> None:
    net, given = network(), inputs()
    plain, _ = net(**given)
    other = given["encoder_hidden_states"].clone()
    other[1] += 1
    told, _ = net(**{**given, "encoder_hidden_states": other})
    torch.testing.assert_close(told[0], plain[0])
    assert (told[1] - plain[1]).abs().amax((1, 2)).mean() > 1e-2
    longer = torch.cat([given["encoder_hidden_states"], torch.full((2, 5, 16), 7.0)], 1)
    mask = torch.cat([given["encoder_attention_mask"], torch.zeros(2, 5, dtype=torch.bool)], 1)
    padded, _ = net(**{**given, "encoder_hidden_states": longer, "encoder_attention_mask": mask})
    torch.testing.assert_close(padded, plain, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_noise_level_and_condition_change_single_pixels() -> None:
    """Not by attention alone, which the finest level has none of: its blocks are scaled and shifted."""
    net, given = network(), inputs()
    finest = net.encoder[0][0]
    heard = []
    finest.register_forward_pre_hook(lambda _, arguments: heard.append(arguments[1]))
    net(**given)
    net(**{**given, "timestep": torch.tensor(300.0)})
    net(**{**given, "encoder_hidden_states": given["encoder_hidden_states"] + 1})
    assert (heard[0] - heard[1]).abs().max() > 1e-3
    assert (heard[0] - heard[2]).abs().max() > 1e-3
    image = torch.randn(2, 16, 16, 16)
    assert (finest(image, heard[0]) - finest(image, heard[2])).abs().max() > 1e-3


@torch.inference_mode()
def test_untrained_blocks_are_the_identity() -> None:
    net = network(awake=False)
    image, told = torch.randn(1, 16, 8, 8), torch.randn(1, 32)
    torch.testing.assert_close(net.encoder[0][0](image, told), image)


def test_it_is_built_by_its_class_name_and_wrapped_as_a_unet() -> None:
    config = CheckpointConfig.model_validate(
        parts_config(
            transformer_config={"_class_name": "FilmUNet2DModel", **SIZES},
            vae_config={"_class_name": "PixelUnshuffleCodec", "factor": 2},
        )
    )
    assert size_multiple(config) == 2 * 2**2
    net = editor_class("FilmUNet2DModel").from_config(config.transformer_config)
    assert isinstance(net, FilmUNet2DModel)
    denoiser = build_denoiser(net)
    assert isinstance(denoiser, UNetDenoiser)
    assert denoiser.align == 4


def test_it_learns_to_follow_the_condition() -> None:
    """One source and two orders: all of it, or nothing."""
    torch.manual_seed(5)
    net = network(awake=False).train()
    optimiser = torch.optim.AdamW(net.parameters(), 5e-3)
    words, mask = torch.randn(2, 9, 16), torch.ones(2, 9, dtype=torch.bool)
    wanted = torch.tensor([1.0, 0.0]).view(2, 1, 1, 1).expand(2, 12, 16, 16)
    for _ in range(60):
        source = torch.rand(1, 12, 16, 16).expand(2, -1, -1, -1)
        drawn, _ = net(torch.cat([torch.zeros_like(source), source], 1), torch.tensor(1000.0), words, mask)
        loss = (drawn - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.02, "without a word it could at best draw grey, 0.25 from either"
