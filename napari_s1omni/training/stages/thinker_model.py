"""The thinker in training: auxiliary heads on its vision tokens, and its losses."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from napari_s1omni.engine.s1omni.thinker.prompting import PromptTokenizer
from napari_s1omni.training.batches.auxiliary_targets import OBJECT_CLASSES
from napari_s1omni.training.batches.thinker_batches import IGNORE_INDEX, ThinkerBatch
from napari_s1omni.training.prompts.tokenizer import number_token_ids


class ThinkerTrainingModel(nn.Module):
    """The thinker with auxiliary heads that exist only in training.

    The heads read the merged vision tokens. They teach the vision tower what to
    extract before the language model has learned to use it.

    Parameters
    ----------
    backbone : Qwen3VLForConditionalGeneration
    prompting : PromptTokenizer
    """

    def __init__(self, backbone: Any, prompting: PromptTokenizer) -> None:
        super().__init__()
        self.backbone = backbone
        width = backbone.config.text_config.hidden_size
        self.objects = nn.Linear(width, 3 * OBJECT_CLASSES)
        self.optics = nn.Linear(width, 2)
        self.register_buffer("numbers", torch.tensor(number_token_ids(prompting.tokenizer)), persistent=False)
        self._image_pad = prompting.ids["image_pad"]
        self._merged: list[torch.Tensor] = []
        backbone.model.visual.merger.register_forward_hook(lambda _m, _i, out: self._merged.append(out))
        _embed_patches_by_product(backbone.model.visual.patch_embed)
        for block in backbone.model.visual.blocks:
            _batch_attention(block.attn)

    def forward(self, batch: ThinkerBatch, vision_only: bool = False) -> dict[str, torch.Tensor]:
        """Return the losses of a batch by name; with `vision_only` only those of the auxiliary heads."""
        self._merged.clear()
        if vision_only:
            self.backbone.model.visual(batch.pixel_values, grid_thw=batch.grid)
            return self._auxiliary_losses(batch)
        return {**self._text_losses(batch), **self._auxiliary_losses(batch)}

    def _text_losses(self, batch: ThinkerBatch) -> dict[str, torch.Tensor]:
        model = self.backbone.model
        token_types = (batch.ids == self._image_pad).int()
        positions, _ = model.get_rope_index(batch.ids, mm_token_type_ids=token_types, image_grid_thw=batch.grid)
        hidden = model(
            input_ids=batch.ids,
            position_ids=positions,
            pixel_values=batch.pixel_values,
            image_grid_thw=batch.grid,
            use_cache=False,
        ).last_hidden_state
        trained = batch.labels != IGNORE_INDEX
        logits = self.backbone.lm_head(hidden[trained]).float()
        labels, weights = batch.labels[trained], batch.weights[trained]
        losses = functional.cross_entropy(logits, labels, reduction="none")
        numeric = torch.isin(labels, self.numbers)
        if numeric.any():
            # The mass of a soft target lies only on number tokens.
            log = logits[numeric].log_softmax(-1)[:, self.numbers]
            losses = losses.masked_scatter(numeric, -(batch.soft * log).sum(-1))
        return {
            "text": (losses * weights).sum() / weights.sum(),
            "number": losses[numeric].mean() if numeric.any() else losses.new_zeros(()),
        }

    def _auxiliary_losses(self, batch: ThinkerBatch) -> dict[str, torch.Tensor]:
        merged = self._merged[0].float().view(len(batch.ids), -1, self.objects.in_features)
        known = ~batch.optics.isnan()
        optics = (self.optics(merged).mean(1) - batch.optics.nan_to_num())[known]
        present = ~batch.objects.isnan()
        objects = (self.objects(merged) - batch.objects.nan_to_num()).square()
        is_count = torch.arange(3 * OBJECT_CLASSES, device=present.device) < 2 * OBJECT_CLASSES
        counts, sizes = present & is_count, present & ~is_count
        return {
            "objects": objects[counts].mean(),
            "sizes": objects[sizes].sum() / sizes.sum().clamp(min=1),
            "optics": optics.square().sum() / known.sum().clamp(min=1),
        }


@torch.no_grad()
def reset_vision(model: ThinkerTrainingModel, fresh: Any, pixel_values: torch.Tensor) -> None:
    """Initialise the vision tower anew, with a whitening patch embedding.

    Neighbouring pixels are nearly equal, so noise, blur and edges are a
    hundredth of a patch's mean. A random embedding keeps this ratio, and they are
    learned last. Principal components scaled to equal variance expose them from
    the start (Coates and Ng, 2012).

    Parameters
    ----------
    model : ThinkerTrainingModel
    fresh : Qwen3VLForConditionalGeneration
        Source of the new weights of all other layers.
    pixel_values : float tensor (patches, values)
        Patches of training tiles.
    """
    visual = model.backbone.model.visual
    visual.load_state_dict(fresh.model.visual.state_dict())
    for head in (model.objects, model.optics):
        head.reset_parameters()
    mean = pixel_values.mean(0)
    variance, components = torch.linalg.eigh(torch.cov((pixel_values - mean).T))
    width = visual.patch_embed.proj.out_channels
    whitening = components[:, -width:] / (variance[-width:] + 2e-4).sqrt()
    weight = 0.5 * whitening.T
    visual.patch_embed.proj.weight.copy_(weight.view_as(visual.patch_embed.proj.weight))
    visual.patch_embed.proj.bias.copy_(-weight @ mean)


def _embed_patches_by_product(embed: Any) -> None:
    """Embed patches by one matrix product: the same numbers, faster on a CPU than a 3D convolution."""

    def forward(hidden_states: torch.Tensor) -> torch.Tensor:
        weight = embed.proj.weight.flatten(1)
        return functional.linear(hidden_states.to(weight.dtype), weight, embed.proj.bias)

    embed.forward = forward


def _batch_attention(attention: Any) -> None:
    """Compute the attention of all images of a batch at once, which have one size; the original loops over images."""
    from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb_vision

    def forward(
        hidden_states: torch.Tensor,
        cu_seqlens: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        **_: Any,
    ) -> torch.Tensor:
        images = len(cu_seqlens) - 1
        parts = attention.qkv(hidden_states).view(len(hidden_states), 3, attention.num_heads, -1)
        query, key, value = parts.unbind(1)
        query, key = apply_rotary_pos_emb_vision(query, key, *position_embeddings)
        q, k, v = (part.unflatten(0, (images, -1)).transpose(1, 2) for part in (query, key, value))
        mixed = functional.scaled_dot_product_attention(q, k, v, scale=attention.scaling)
        out: torch.Tensor = attention.proj(mixed.transpose(1, 2).reshape(len(hidden_states), -1))
        return out

    attention.forward = forward
