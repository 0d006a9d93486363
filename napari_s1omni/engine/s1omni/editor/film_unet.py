"""A lean editor network: a UNet whose every block listens to the thought."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from torch import nn
from torch.nn import functional


class FilmUNet2DModel(ModelMixin, ConfigMixin):
    """Convolutions on four scales; what the condition means scales and shifts the channels of every block.

    It takes and returns what ``UNet2DConditionModel`` does at less cost: what comes from the side is added
    where that one concatenates, and there is attention on the coarsest level alone. So latent px can be finer, which
    objects that touch need. The thought reaches the fine levels through a few learned questions to its states, whose
    answers scale and shift (Perez et al., "FiLM", 2018).

    Parameters
    ----------
    in_channels, out_channels : int
    block_out_channels : sequence of int
        Channels of each level, from the finest; each level has half the px of the one before along y and x.
    layers_per_block : int or sequence of int
        Residual blocks of each level, on the way down and again on the way up.
    cross_attention_dim : int
        Width of the condition's states.
    attention_head_dim : int
        Channels of each attention head.
    norm_num_groups : int
    questions : int
        Learned questions to the states.
    """

    @register_to_config
    def __init__(
        self,
        in_channels: int = 24,
        out_channels: int = 12,
        block_out_channels: Sequence[int] = (32, 64, 128, 192),
        layers_per_block: int | Sequence[int] = 2,
        cross_attention_dim: int = 192,
        attention_head_dim: int = 32,
        norm_num_groups: int = 8,
        questions: int = 8,
    ) -> None:
        super().__init__()
        widths = list(block_out_channels)
        depths = [layers_per_block] * len(widths) if isinstance(layers_per_block, int) else list(layers_per_block)
        wide = 2 * cross_attention_dim
        self.time = Timesteps(widths[0], flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time_embedding = TimestepEmbedding(widths[0], wide)
        # So large that each looks at few states from the beginning: the mean of all is much the same for any request.
        self.asked = nn.Parameter(10 * torch.randn(1, questions, cross_attention_dim))
        self.answers = _Attention(cross_attention_dim, cross_attention_dim, attention_head_dim)
        self.meaning = nn.Linear(questions * cross_attention_dim, wide)
        self.told_norm = nn.LayerNorm(wide)

        def level(width: int, depth: int) -> nn.ModuleList:
            return nn.ModuleList(_Block(width, wide, norm_num_groups) for _ in range(depth))

        self.conv_in = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList(level(*sizes) for sizes in zip(widths, depths, strict=True))
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.attention_norm = nn.GroupNorm(norm_num_groups, widths[-1])
        self.attention = _Attention(widths[-1], cross_attention_dim, attention_head_dim)
        self.grow = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(widths))
        self.decoder = nn.ModuleList(level(*sizes) for sizes in zip(widths[:-1], depths, strict=False))
        self.norm_out = nn.GroupNorm(norm_num_groups, widths[0])
        self.conv_out = nn.Conv2d(widths[0], out_channels, 3, padding=1)

    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        encoder_attention_mask: torch.Tensor,
        return_dict: bool = False,
    ) -> tuple[torch.Tensor]:
        """Return what the network makes of a noisy latent beside its source.

        Parameters
        ----------
        sample : float tensor (B, in_channels, h, w)
            h and w are multiples of 2 to the number of levels less one.
        timestep : float tensor () or (B,)
            0 to 1000.
        encoder_hidden_states : float tensor (B, L, cross_attention_dim)
        encoder_attention_mask : bool tensor (B, L)
            Which of them are not padding.
        return_dict : bool
            Only False is known; it is here to be called as ``UNet2DConditionModel`` is.

        Returns
        -------
        tuple of one float tensor (B, out_channels, h, w)
        """
        states, mask = encoder_hidden_states, encoder_attention_mask[:, None, None, :]
        time = self.time_embedding(self.time(timestep.reshape(-1).expand(len(sample))).to(sample.dtype))
        told = functional.silu(self.told_norm(time + self.meaning(self.hear(states, encoder_attention_mask))))

        image = self.conv_in(sample)
        beside: list[torch.Tensor] = []
        for blocks, shrink in zip(self.encoder, [*self.shrink, None], strict=True):
            for block in blocks:
                image = block(image, told)
            if shrink is not None:
                beside.append(image)
                image = shrink(image)
        places = self.attention_norm(image).flatten(2).transpose(1, 2)
        image = image + self.attention(places, states, mask).transpose(1, 2).reshape(image.shape)
        for blocks, grow in zip(reversed(self.decoder), reversed(self.grow), strict=True):
            image = beside.pop() + functional.pixel_shuffle(grow(image), 2)
            for block in blocks:
                image = block(image, told)
        return (self.conv_out(functional.silu(self.norm_out(image))),)

    def hear(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the answers (B, questions * cross_attention_dim) that states (B, L, cross_attention_dim) give."""
        return self.answers(self.asked.expand(len(states), -1, -1), states, mask[:, None, None, :]).flatten(1)


class _Block(nn.Module):
    """A residual block that begins as nothing."""

    def __init__(self, width: int, told: int, groups: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(groups, width), nn.GroupNorm(groups, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.film = nn.Linear(told, 2 * width)
        # Not `film` too: with both at zero neither would learn what only the condition tells apart.
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, image: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        scale, shift = self.film(told)[..., None, None].chunk(2, 1)
        out = self.norm2(self.conv1(functional.relu(self.norm1(image))))
        return image + self.conv2(functional.relu(torch.addcmul(out + shift, out, scale)))


class _Attention(nn.Module):
    """Places look at the states of the condition, never at each other."""

    def __init__(self, width: int, states: int, head: int) -> None:
        super().__init__()
        self.heads = max(1, width // head)
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.key, self.value = nn.Linear(states, width), nn.Linear(states, width)

    def forward(self, places: torch.Tensor, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        def split(tokens: torch.Tensor) -> torch.Tensor:
            return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        query, key, value = (split(t) for t in (self.query(places), self.key(states), self.value(states)))
        seen = functional.scaled_dot_product_attention(query, key, value, mask)
        out: torch.Tensor = self.out(seen.transpose(1, 2).flatten(2))
        return out
