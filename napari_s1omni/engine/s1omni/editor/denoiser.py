"""Denoisers: flow matching from noise to an image, conditioned on the source and on the states of the thinker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Guidance:
    """Classifier-free guidance, used if an image is drawn from words alone."""

    states: torch.Tensor
    """Condition (B, L, width) of an empty request."""
    mask: torch.Tensor
    scale: float
    rescale: bool
    """Whether the result is rescaled to the norm of the conditional prediction, as in diffusers; not in the released
    model."""


class Denoiser(Protocol):
    """An editor network. Latents are float32 (B, C, h, w)."""

    align: int
    """Height and width of a latent must be multiples of this."""

    def predict(
        self, noisy: torch.Tensor, level: float, source: torch.Tensor | None, states: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Return the output (B, C + T, h, w) of the network for one noise level; T planes say how far to trust it."""
        ...

    def image_tokens(self, height: int, width: int) -> int:
        """Return the number of image tokens of a latent of this size, which shifts the schedule."""
        ...

    def max_condition_tokens(self, height: int, width: int) -> int | None:
        """Return the largest number of condition tokens at this latent size; None if there is no limit."""
        ...


class MmditDenoiser:
    """``QwenImageTransformer2DModel``: noise tokens, then source tokens, beside the condition's tokens."""

    align = 2

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer

    def predict(
        self, noisy: torch.Tensor, level: float, source: torch.Tensor | None, states: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Return the velocity; the source is appended as tokens of a second image."""
        batch, channels, height, width = noisy.shape
        images = [noisy] if source is None else [noisy, source]
        packed = torch.cat([_pack(image) for image in images], 1)
        kind = self.transformer.dtype
        # The stock pipeline scales by 1000 and back too, which rounds.
        time = noisy.new_full((batch,), level) * 1000 / 1000
        out = self.transformer(
            hidden_states=packed.to(kind),
            timestep=time.to(kind),
            encoder_hidden_states=states.to(kind),
            encoder_hidden_states_mask=mask,
            img_shapes=[[(1, image.shape[-2] // 2, image.shape[-1] // 2) for image in images]] * batch,
            return_dict=False,
        )[0]
        return _unpack(out[:, : height * width // 4].float(), channels, height, width)

    def image_tokens(self, height: int, width: int) -> int:
        """One token for each square of 2 x 2 latent pixels."""
        return height * width // 4

    def max_condition_tokens(self, height: int, width: int) -> int | None:
        """Text positions follow those of the image in a rotary table of 4,096 rows."""
        return 4096 - max(height, width) // 4


class UNetDenoiser:
    """A UNet of either class: noisy and source latent are concatenated, states enter by cross-attention."""

    def __init__(self, unet: Any, trust: bool = False) -> None:
        self.unet = unet
        self.trust = trust
        self.align = 2 ** (len(unet.config.block_out_channels) - 1)

    def predict(
        self, noisy: torch.Tensor, level: float, source: torch.Tensor | None, states: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Return the output of the network, with its second output if that is used; no source counts as zeros."""
        condition = torch.zeros_like(noisy) if source is None else source
        kind = self.unet.dtype
        out, *more = self.unet(
            torch.cat([noisy, condition], 1).to(kind),
            noisy.new_tensor(level * 1000),
            encoder_hidden_states=states.to(kind),
            encoder_attention_mask=mask,
            return_dict=False,
        )
        drawn: torch.Tensor = torch.cat([out, *more], 1) if self.trust else out
        return drawn.float()

    def image_tokens(self, height: int, width: int) -> int:
        """One token for each latent pixel."""
        return height * width

    def max_condition_tokens(self, height: int, width: int) -> int | None:
        """Cross-attention has no limit."""
        return None


def build_denoiser(transformer: Any, trust: bool = False) -> Denoiser:
    """Return the denoiser for the class of an editor network; `trust`: whether its second output is used."""
    if hasattr(transformer.config, "cross_attention_dim"):
        return UNetDenoiser(transformer, trust)
    return MmditDenoiser(transformer)


def denoise(
    denoiser: Denoiser,
    start: torch.Tensor,
    levels: torch.Tensor,
    source: torch.Tensor | None,
    states: torch.Tensor,
    mask: torch.Tensor,
    *,
    prediction: Literal["velocity", "x0", "residual"] = "velocity",
    base: torch.Tensor | None = None,
    guidance: Guidance | None = None,
) -> torch.Tensor:
    """Draw latents: Euler steps along the flow from noise to image (Lipman et al., 2023).

    Parameters
    ----------
    denoiser : Denoiser
    start : float32 tensor (B, C, h, w)
        Noise.
    levels : float32 tensor (steps + 1,)
        From :func:`napari_s1omni.engine.s1omni.editor.schedule.noise_levels`.
    source : float32 tensor (B, C, h, w) or None
        Latent of the source; None draws from words alone.
    states, mask : tensors
        Condition (B, L, width), and the mask (B, L) that is False for padding.
    prediction : {'velocity', 'x0', 'residual'}
        What the network predicts: noise minus image, the image, or the image minus `base`.
    base : float32 tensor (B, C, h, w), optional
        Latent to which a residual is added.
    guidance : Guidance, optional

    Returns
    -------
    float32 tensor (B, C + T, h, w)
        The latent, and the planes of the last step that say how far to trust it, if the network has them.
    """
    latent, channels = start, start.shape[1]
    trust = start[:, :0]
    for level, following in zip(levels[:-1].tolist(), levels[1:].tolist(), strict=True):
        out, trust = denoiser.predict(latent, level, source, states, mask).tensor_split([channels], 1)
        if guidance is not None:
            empty = denoiser.predict(latent, level, source, guidance.states, guidance.mask)[:, :channels]
            out = _guided(out, empty, guidance)
        if prediction == "velocity":
            latent = latent + (following - level) * out
        else:
            image = out if base is None or prediction == "x0" else base + out
            # At the last step this is the image itself, without rounding.
            latent = image if following == 0 else image + (following / level) * (latent - image)
    return torch.cat([latent, trust], 1) if trust.shape[1] else latent


def _guided(out: torch.Tensor, empty: torch.Tensor, guidance: Guidance) -> torch.Tensor:
    mixed = empty + guidance.scale * (out - empty)
    if not guidance.rescale:
        return mixed
    tokens, mixed_tokens = _pack(out), _pack(mixed)
    ratio = tokens.norm(dim=-1, keepdim=True) / mixed_tokens.norm(dim=-1, keepdim=True)
    return _unpack(mixed_tokens * ratio, *out.shape[1:])


def _pack(latent: torch.Tensor) -> torch.Tensor:
    """Return the latent (B, C, h, w) as tokens (B, h/2 * w/2, 4 C) of 2 x 2 squares."""
    return functional.pixel_unshuffle(latent, 2).flatten(2).transpose(1, 2)


def _unpack(tokens: torch.Tensor, channels: int, height: int, width: int) -> torch.Tensor:
    squares = tokens.transpose(1, 2).reshape(-1, channels * 4, height // 2, width // 2)
    return functional.pixel_shuffle(squares, 2)
