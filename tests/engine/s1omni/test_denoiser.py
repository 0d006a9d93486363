"""Denoising against the pipelines of diffusers and against an oracle of its own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_checkpoints import mmdit_parts

from napari_s1omni.engine.s1omni.editor.codec import PixelUnshuffleCodec, VaeCodec
from napari_s1omni.engine.s1omni.editor.denoiser import Guidance, MmditDenoiser, build_denoiser, denoise
from napari_s1omni.engine.s1omni.editor.schedule import noise_levels
from napari_s1omni.engine.s1omni.editor.upsampling import upsample


@pytest.fixture(scope="module")
def parts():
    config, modules = mmdit_parts()
    return config, {name: module.eval().requires_grad_(False) for name, module in modules.items()}


def _inputs(rows=1, length=7, seed=3):
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(rows, length, 16, generator=generator)
    start = torch.randn(rows, 16, 8, 8, generator=generator)
    image = torch.randint(0, 256, (rows, 3, 64, 64), generator=generator).float() / 255
    return states, torch.ones(rows, length, dtype=torch.bool), start, image


def _pack(latent):
    b, c, h, w = latent.shape
    return latent.view(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(b, h * w // 4, c * 4)


def _stock_pipeline(cls, parts, **extra):
    from diffusers import FlowMatchEulerDiscreteScheduler

    config, modules = parts
    scheduler = FlowMatchEulerDiscreteScheduler.from_config(config["scheduler_config"])
    pipe = cls(
        scheduler=scheduler,
        vae=modules["vae"],
        text_encoder=None,
        tokenizer=None,
        transformer=modules["transformer"],
        **extra,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.mark.parametrize("steps", [2, 4])
def test_stock_edit_is_that_of_diffusers(parts, steps, monkeypatch):
    from diffusers import QwenImageEditPipeline
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit as module

    # The pipeline would blow every source up to a megapixel.
    monkeypatch.setattr(module, "calculate_dimensions", lambda area, ratio: (64, 64, None))
    states, mask, start, image = _inputs()
    picture = Image.fromarray((image[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))
    pipe = _stock_pipeline(QwenImageEditPipeline, parts, processor=None)
    theirs = pipe(
        image=picture,
        prompt_embeds=states,
        prompt_embeds_mask=mask.long(),
        true_cfg_scale=1.0,
        height=64,
        width=64,
        num_inference_steps=steps,
        latents=_pack(start),
        output_type="latent",
    ).images
    config, modules = parts
    denoiser = MmditDenoiser(modules["transformer"])
    source = VaeCodec(modules["vae"]).encode(image)
    levels = noise_levels("stock", config["scheduler_config"], steps, denoiser.image_tokens(8, 8))
    ours = denoise(denoiser, start, levels, source, states, mask)
    assert float((_pack(ours) - theirs).abs().max()) < 1e-5
    assert float((ours - start).abs().max()) > 1e-2


def test_stock_generation_with_guidance_is_that_of_diffusers(parts):
    from diffusers import QwenImagePipeline

    states, mask, start, _ = _inputs()
    empty, empty_mask, _, _ = _inputs(length=4, seed=5)
    pipe = _stock_pipeline(QwenImagePipeline, parts)
    theirs = pipe(
        prompt_embeds=states,
        prompt_embeds_mask=mask.long(),
        negative_prompt_embeds=empty,
        negative_prompt_embeds_mask=empty_mask.long(),
        true_cfg_scale=4.0,
        height=64,
        width=64,
        num_inference_steps=3,
        latents=_pack(start),
        output_type="latent",
    ).images
    config, modules = parts
    denoiser = MmditDenoiser(modules["transformer"])
    levels = noise_levels("stock", config["scheduler_config"], 3, denoiser.image_tokens(8, 8))
    guidance = Guidance(empty, empty_mask, 4.0, rescale=True)
    ours = denoise(denoiser, start, levels, None, states, mask, guidance=guidance)
    assert float((_pack(ours) - theirs).abs().max()) < 1e-5


def _released_oracle(parts, states, mask, start, source, steps, cfg=None):
    """The released loop in plain words: shift by tokens, no sigmas given, linear guidance, Euler."""
    config, modules = parts
    own = config["scheduler_config"]
    count = start.shape[-1] * start.shape[-2] // 4
    mu = 0.5 + (1.15 - 0.5) / (4096 - 256) * (count - 256)
    times = np.linspace(1000.0, 1.0, steps) / 1000
    sigmas = np.exp(mu) / (np.exp(mu) + 1 / times - 1)
    stretch = (1 - sigmas[-1]) / (1 - own["shift_terminal"])
    sigmas = np.append(1 - (1 - sigmas) / stretch, 0.0)
    latents = _pack(start)
    shapes = [(1, 4, 4)] if source is None else [(1, 4, 4), (1, 4, 4)]

    def ask(conditions, condition_mask, sigma):
        tokens = latents if source is None else torch.cat([latents, _pack(source)], 1)
        out = modules["transformer"](
            hidden_states=tokens,
            timestep=torch.full((len(start),), float(sigma)),
            encoder_hidden_states=conditions,
            encoder_hidden_states_mask=condition_mask,
            img_shapes=[shapes] * len(start),
            return_dict=False,
        )[0]
        return out[:, :count]

    for sigma, following in itertools.pairwise(sigmas):
        velocity = ask(states, mask, sigma)
        if cfg is not None:
            negative = ask(cfg[0], cfg[1], sigma)
            velocity = negative + cfg[2] * (velocity - negative)
        latents = latents + float(following - sigma) * velocity
    return latents


def test_released_edit_is_that_of_the_oracle(parts):
    config, modules = parts
    states, mask, start, image = _inputs(rows=2)
    mask[1, 5:] = False
    codec, denoiser = VaeCodec(modules["vae"]), build_denoiser(modules["transformer"])
    source = codec.encode(image, noise=torch.ones(2, 16, 8, 8))
    levels = noise_levels("released", config["scheduler_config"], 4, denoiser.image_tokens(8, 8))
    ours = denoise(denoiser, start, levels, source, states, mask)
    theirs = _released_oracle(parts, states, mask, start, source, 4)
    assert float((_pack(ours) - theirs).abs().max()) < 1e-5


def test_released_generation_is_that_of_the_oracle(parts):
    config, modules = parts
    states, mask, start, _ = _inputs()
    empty, empty_mask, _, _ = _inputs(length=4, seed=5)
    denoiser = build_denoiser(modules["transformer"])
    levels = noise_levels("released", config["scheduler_config"], 4, denoiser.image_tokens(8, 8))
    ours = denoise(denoiser, start, levels, None, states, mask, guidance=Guidance(empty, empty_mask, 4.0, False))
    theirs = _released_oracle(parts, states, mask, start, None, 4, (empty, empty_mask, 4.0))
    assert float((_pack(ours) - theirs).abs().max()) < 1e-5


def test_schedules_have_the_published_levels():
    config = {
        "use_dynamic_shifting": True,
        "base_shift": 0.5,
        "max_shift": 0.9,
        "base_image_seq_len": 256,
        "max_image_seq_len": 8192,
        "shift_terminal": 0.02,
        "time_shift_type": "exponential",
    }
    stock, released = (noise_levels(kind, config, 4, 4096).numpy() for kind in ("stock", "released"))
    np.testing.assert_allclose(stock, [1.0, 0.7667, 0.4556, 0.02, 0], atol=1e-4)
    np.testing.assert_allclose(released, [1.0, 0.8658, 0.6195, 0.02, 0], atol=1e-4)


@pytest.mark.parametrize("kind", ["stock", "released"])
def test_one_step_goes_from_noise_to_image(parts, kind):
    levels = noise_levels(kind, parts[0]["scheduler_config"], 1, 4096)
    np.testing.assert_allclose(levels.numpy(), [1, 0], atol=1e-6)


def test_source_tokens_are_modulated_at_time_zero(parts):
    """With zero_cond_t the source's first-layer input does not depend on the noise level."""
    _, modules = parts
    transformer = modules["transformer"]
    assert transformer.zero_cond_t
    seen = []
    handle = transformer.time_text_embed.register_forward_hook(lambda _m, args, _out: seen.append(args[0].clone()))
    states, mask, start, _ = _inputs()
    for level in (1.0, 0.5):
        MmditDenoiser(transformer).predict(start, level, start, states, mask)
    handle.remove()
    assert [times.tolist() for times in seen] == [[1.0, 0.0], [0.5, 0.0]]


def test_posterior_is_sampled_with_given_noise(parts):
    codec = VaeCodec(parts[1]["vae"])
    image = _inputs()[3]
    noise = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(1))
    mode, up, down = codec.encode(image), codec.encode(image, noise), codec.encode(image, -noise)
    assert float((up - mode).abs().max()) > 1e-3
    torch.testing.assert_close((up + down) / 2, mode, atol=1e-5, rtol=0)


def test_pixel_unshuffle_is_lossless():
    codec = PixelUnshuffleCodec(4)
    image = torch.randn(2, 3, 16, 24) * 1e3
    assert codec.encode(image).shape == (2, codec.channels, 4, 6)
    assert torch.equal(codec.decode(codec.encode(image)), image)


class _Fixed:
    """A network that always answers the same."""

    align = 1

    def __init__(self, answer):
        self.answer = answer

    def predict(self, noisy, level, source, states, mask):
        return self.answer


@pytest.mark.parametrize("steps", [1, 3])
def test_predictions_of_the_image_end_on_it_exactly(steps):
    states, mask, start, _ = _inputs()
    levels = torch.tensor([1.0, 0.6, 0.3, 0.0]) if steps == 3 else torch.tensor([1.0, 0.0])
    answer, base = torch.randn_like(start), torch.randn_like(start)
    drawn = denoise(_Fixed(answer), start, levels, None, states, mask, prediction="x0")
    assert torch.equal(drawn, answer)
    drawn = denoise(_Fixed(answer), start, levels, None, states, mask, prediction="residual", base=base)
    assert torch.equal(drawn, base + answer)


def test_velocity_and_image_predictions_agree():
    """A network that knows the image draws it, whichever way it says so."""
    states, mask, start, _ = _inputs()
    image = torch.randn_like(start)
    levels = torch.tensor([1.0, 0.7, 0.2, 0.0])
    drawn = denoise(_Fixed(start - image), start, levels, None, states, mask, prediction="velocity")
    torch.testing.assert_close(drawn, image, atol=1e-5, rtol=1e-5)


def test_upsampling_keeps_constants_and_half_pixel_centres():
    ramp = torch.arange(16.0).view(1, 1, 1, 16).expand(1, 3, 16, 16)
    twice = upsample(ramp, (32, 32))
    inner = twice[0, 0, 16, 8:24]
    torch.testing.assert_close(inner, torch.arange(8, 24) / 2 - 0.25)
    assert upsample(ramp, (16, 16)) is ramp


def test_the_number_of_condition_tokens_is_limited_by_the_rotary_table(parts):
    """With one more, the text's positions run out of diffusers' rotary table."""
    denoiser = MmditDenoiser(parts[1]["transformer"])
    assert denoiser.max_condition_tokens(128, 128) == 4064
    assert denoiser.max_condition_tokens(16, 16) == denoiser.max_condition_tokens(8, 16) == 4092
    latent = torch.zeros(1, 16, 8, 16)
    states, mask = torch.zeros(1, 4093, 16), torch.ones(1, 4093, dtype=torch.bool)
    drawn = denoiser.predict(latent, 0.5, latent, states[:, 1:], mask[:, 1:])
    assert drawn.shape == latent.shape
    with pytest.raises(RuntimeError, match="size"):
        denoiser.predict(latent, 0.5, latent, states, mask)
