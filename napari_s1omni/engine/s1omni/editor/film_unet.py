"""A small editor network: a UNet in which the thought modulates every block (FiLM)."""

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
    """A convolutional UNet whose channels are scaled and shifted by the condition in every block.

    It has the interface of ``UNet2DConditionModel`` at lower cost: skip connections are added instead of concatenated,
    and only the coarsest level has attention. So latent pixels can be finer, which touching objects need. The condition
    reaches the fine levels by attention pooling with a few learned queries, whose results scale and shift the channels
    (Perez et al., "FiLM", 2018).

    Parameters
    ----------
    in_channels, out_channels : int
    block_out_channels : sequence of int
        Channels of each level, finest first; each level has half the height and width of the one before.
    layers_per_block : int or sequence of int
        Residual blocks of each level, in the encoder and again in the decoder.
    cross_attention_dim : int
        Width of the states of the condition.
    attention_head_dim : int
        Channels of each attention head.
    norm_num_groups : int
    questions : int
        Number of learned queries.
    hint_channels : int
        Channels of optional hints, such as clicks, or another image with its masks; 0: it takes none.
    trust_channels : int
        Channels of a second output that says how far the first can be trusted; 0: it has none.
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
        hint_channels: int = 0,
        trust_channels: int = 0,
    ) -> None:
        super().__init__()
        widths = list(block_out_channels)
        depths = [layers_per_block] * len(widths) if isinstance(layers_per_block, int) else list(layers_per_block)
        wide = 2 * cross_attention_dim
        self.time = Timesteps(widths[0], flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time_embedding = TimestepEmbedding(widths[0], wide)
        # Large, so that each query attends to few states from the start: the mean of all hardly depends on the request.
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
        self.hint_in = nn.Conv2d(hint_channels, widths[0], 3, padding=1, bias=False) if hint_channels else None
        self.trust_out = nn.Conv2d(widths[0], trust_channels, 3, padding=1) if trust_channels else None
        # A network that was trained without them goes on as it was.
        for added in (self.hint_in, self.trust_out):
            if added is not None:
                for parameter in added.parameters():
                    nn.init.zeros_(parameter)

    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        encoder_attention_mask: torch.Tensor,
        return_dict: bool = False,
        hints: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the prediction for a noisy latent concatenated with its source.

        Parameters
        ----------
        sample : float tensor (B, in_channels, h, w)
            h and w are multiples of ``2 ** (levels - 1)``.
        timestep : float tensor () or (B,)
            0 to 1000.
        encoder_hidden_states : float tensor (B, L, cross_attention_dim)
        encoder_attention_mask : bool tensor (B, L)
            False for padding.
        return_dict : bool
            Must be False; there for the interface of ``UNet2DConditionModel``.
        hints : float tensor (B, hint_channels, h, w), optional
            None: no hints, which is the same as zeros.

        Returns
        -------
        prediction : float tensor (B, out_channels, h, w)
        trust : float tensor (B, trust_channels, h, w), or None
        """
        states, mask = encoder_hidden_states, encoder_attention_mask[:, None, None, :]
        time = self.time_embedding(self.time(timestep.reshape(-1).expand(len(sample))).to(sample.dtype))
        modulation = functional.silu(self.told_norm(time + self.meaning(self.pool(states, encoder_attention_mask))))

        image = self.conv_in(sample)
        if hints is not None and self.hint_in is not None:
            image = image + self.hint_in(hints)
        skips: list[torch.Tensor] = []
        for blocks, shrink in zip(self.encoder, [*self.shrink, None], strict=True):
            for block in blocks:
                image = block(image, modulation)
            if shrink is not None:
                skips.append(image)
                image = shrink(image)
        positions = self.attention_norm(image).flatten(2).transpose(1, 2)
        image = image + self.attention(positions, states, mask).transpose(1, 2).reshape(image.shape)
        for blocks, grow in zip(reversed(self.decoder), reversed(self.grow), strict=True):
            image = skips.pop() + functional.pixel_shuffle(grow(image), 2)
            for block in blocks:
                image = block(image, modulation)
        drawn = functional.silu(self.norm_out(image))
        return self.conv_out(drawn), None if self.trust_out is None else self.trust_out(drawn)

    def pool(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return states (B, L, cross_attention_dim), pooled by the queries to (B, questions * cross_attention_dim)."""
        return self.answers(self.asked.expand(len(states), -1, -1), states, mask[:, None, None, :]).flatten(1)


class _Block(nn.Module):
    """A residual block that is the identity before training."""

    def __init__(self, width: int, modulation: int, groups: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(groups, width), nn.GroupNorm(groups, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.film = nn.Linear(modulation, 2 * width)
        # Not `film` too: with both at zero, neither would learn from the condition.
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, image: torch.Tensor, modulation: torch.Tensor) -> torch.Tensor:
        scale, shift = self.film(modulation)[..., None, None].chunk(2, 1)
        out = self.norm2(self.conv1(functional.relu(self.norm1(image))))
        return image + self.conv2(functional.relu(torch.addcmul(out + shift, out, scale)))


class _Attention(nn.Module):
    """Cross-attention from image positions to the states of the condition."""

    def __init__(self, width: int, states: int, head: int) -> None:
        super().__init__()
        self.heads = max(1, width // head)
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.key, self.value = nn.Linear(states, width), nn.Linear(states, width)

    def forward(self, positions: torch.Tensor, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        def split(tokens: torch.Tensor) -> torch.Tensor:
            return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        query, key, value = (split(t) for t in (self.query(positions), self.key(states), self.value(states)))
        seen = functional.scaled_dot_product_attention(query, key, value, mask)
        out: torch.Tensor = self.out(seen.transpose(1, 2).flatten(2))
        return out
