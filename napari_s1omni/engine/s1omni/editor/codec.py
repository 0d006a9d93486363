"""Codecs, which turn images into latents and back."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import nn
from torch.nn import functional

from napari_s1omni.engine.s1omni.checkpoint.classes import CODECS, class_name


class Codec(Protocol):
    """Interface of a codec. Images are (B, 3, H, W) in model range."""

    channels: int
    """Channels of the latent."""
    downscale: int
    """Image pixels per latent pixel, along each axis."""

    def encode(self, images: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """Return the latent (B, channels, H / downscale, W / downscale).

        With `noise` of that shape the posterior, if the codec has one, is sampled; without, its mode is returned.
        """
        ...

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Return images (B, 3, H, W) in model range."""
        ...


class PixelUnshuffleCodec(nn.Module):
    """A lossless codec without weights: each square of `factor` x `factor` pixels becomes channels."""

    def __init__(self, factor: int = 4) -> None:
        super().__init__()
        self.downscale = factor
        self.channels = 3 * factor * factor

    def encode(self, images: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """Move squares into channels; `noise` is not used, since there is no posterior."""
        return functional.pixel_unshuffle(images, self.downscale)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Move channels back into squares."""
        return functional.pixel_shuffle(latent, self.downscale)


class VaeCodec(nn.Module):
    """The Qwen-Image autoencoder: posterior, then (z - mean) / std per channel."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.vae = vae
        self.channels = int(vae.config.z_dim)
        self.downscale = 2 ** len(vae.config.temperal_downsample)

    def encode(self, images: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """Encode as a video of one frame."""
        frames = (images * 2 - 1).unsqueeze(2).to(self.vae.dtype)
        posterior = self.vae.encode(frames).latent_dist
        latent = posterior.mode()[:, :, 0].float()
        if noise is not None:
            latent = latent + posterior.std[:, :, 0].float() * noise
        mean, std = self._statistics(latent)
        return (latent - mean) / std

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Decode the one frame."""
        mean, std = self._statistics(latent)
        frames = (latent.float() * std + mean).unsqueeze(2).to(self.vae.dtype)
        images: torch.Tensor = self.vae.decode(frames, return_dict=False)[0][:, :, 0].float()
        return (images + 1) / 2

    def _statistics(self, latent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        config = self.vae.config
        mean, std = (latent.new_tensor(v, dtype=torch.float32) for v in (config.latents_mean, config.latents_std))
        return mean.view(1, -1, 1, 1), std.view(1, -1, 1, 1)


def build_codec(config: dict[str, Any]) -> PixelUnshuffleCodec | VaeCodec:
    """Return the codec that a ``vae_config`` names, without weights.

    Raises
    ------
    CheckpointError
        If ``_class_name`` is unknown.
    """
    if class_name("vae_config", config, CODECS) == "PixelUnshuffleCodec":
        return PixelUnshuffleCodec(int(config.get("factor", 4)))
    from diffusers import AutoencoderKLQwenImage

    return VaeCodec(AutoencoderKLQwenImage.from_config(config))
