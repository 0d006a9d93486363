"""Stage 1: the thinker learns to see, to measure and to write what it measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from napari_s1omni.engine.s1omni.thinker.prompting import Prompting
from napari_s1omni.training.batches.thinker_batches import IGNORE_INDEX, OBJECT_CLASSES, ThinkerBatch
from napari_s1omni.training.prompts.tokenizer import number_token_ids
from napari_s1omni.training.recipe import BackboneRecipe, ThinkerRecipe
from napari_s1omni.training.stages.loop import TrainingEnvironment, train
from napari_s1omni.training.stages.progress import Progress


def backbone_config(recipe: BackboneRecipe, prompting: Prompting) -> dict[str, Any]:
    """Return the configuration of nano's ``Qwen3VLForConditionalGeneration``."""
    ids = prompting.ids
    return {
        "image_token_id": ids["image_pad"],
        "video_token_id": prompting.tokenizer.token_to_id("<|video_pad|>"),
        "vision_start_token_id": ids["vision_start"],
        "vision_end_token_id": ids["vision_end"],
        "tie_word_embeddings": True,
        "text_config": {
            "vocab_size": prompting.tokenizer.get_vocab_size(),
            "hidden_size": recipe.hidden,
            "intermediate_size": 3 * recipe.hidden,
            "num_hidden_layers": recipe.layers,
            "num_attention_heads": recipe.heads,
            "num_key_value_heads": recipe.heads // 2,
            "head_dim": 32,
            "max_position_embeddings": 4096,
            "tie_word_embeddings": True,
            "bos_token_id": None,
            "eos_token_id": ids["turn_end"],
            "pad_token_id": ids["turn_end"],
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [6, 5, 5]},
        },
        "vision_config": {
            "depth": recipe.vision_layers,
            "hidden_size": recipe.vision_hidden,
            "intermediate_size": 3 * recipe.vision_hidden,
            "num_heads": recipe.vision_hidden // 32,
            "patch_size": recipe.patch,
            "spatial_merge_size": 2,
            "temporal_patch_size": 1,
            "out_hidden_size": recipe.hidden,
            "num_position_embeddings": 1024,
            "deepstack_visual_indexes": [1],
        },
    }


class ThinkerTrainingModel(nn.Module):
    """The thinker with the auxiliary heads that only training has.

    The heads read the merged vision tokens, so that the vision tower is told
    what to see before the language model knows how to ask for it.
    """

    def __init__(self, backbone: Any, prompting: Prompting) -> None:
        super().__init__()
        self.backbone = backbone
        width = backbone.config.text_config.hidden_size
        self.objects = nn.Linear(width, 3 * OBJECT_CLASSES)
        self.optics = nn.Linear(width, 2)
        self.register_buffer("numbers", torch.tensor(number_token_ids(prompting.tokenizer)), persistent=False)
        self._image_pad = prompting.ids["image_pad"]
        self._merged: list[torch.Tensor] = []
        backbone.model.visual.merger.register_forward_hook(lambda _m, _i, out: self._merged.append(out))
        _fold_patches(backbone.model.visual.patch_embed)
        for block in backbone.model.visual.blocks:
            _batch_attention(block.attn)

    def forward(self, batch: ThinkerBatch, vision_only: bool = False) -> dict[str, torch.Tensor]:
        """Return the losses of a batch by name; without the language model's where only vision learns."""
        self._merged.clear()
        if vision_only:
            self.backbone.model.visual(batch.pixel_values, grid_thw=batch.grid)
            return self._seen(batch)
        return {**self._said(batch), **self._seen(batch)}

    def _said(self, batch: ThinkerBatch) -> dict[str, torch.Tensor]:
        model = self.backbone.model
        kinds = (batch.ids == self._image_pad).int()
        positions, _ = model.get_rope_index(batch.ids, mm_token_type_ids=kinds, image_grid_thw=batch.grid)
        hidden = model(
            input_ids=batch.ids,
            position_ids=positions,
            pixel_values=batch.pixel_values,
            image_grid_thw=batch.grid,
            use_cache=False,
        ).last_hidden_state
        wanted = batch.labels != IGNORE_INDEX
        logits = self.backbone.lm_head(hidden[wanted]).float()
        labels, weights = batch.labels[wanted], batch.weights[wanted]
        losses = functional.cross_entropy(logits, labels, reduction="none")
        numeric = torch.isin(labels, self.numbers)
        if numeric.any():
            # The mass of a soft target lies on number tokens only.
            log = logits[numeric].log_softmax(-1)[:, self.numbers]
            losses = losses.masked_scatter(numeric, -(batch.soft * log).sum(-1))
        return {
            "text": (losses * weights).sum() / weights.sum(),
            "number": losses[numeric].mean() if numeric.any() else losses.new_zeros(()),
        }

    def _seen(self, batch: ThinkerBatch) -> dict[str, torch.Tensor]:
        merged = self._merged[0].float().view(len(batch.ids), -1, self.objects.in_features)
        known = ~batch.optics.isnan()
        optics = (self.optics(merged).mean(1) - batch.optics.nan_to_num())[known]
        there = ~batch.objects.isnan()
        objects = (self.objects(merged) - batch.objects.nan_to_num()).square()
        counts, sizes = (
            there & (torch.arange(3 * OBJECT_CLASSES, device=there.device) < 2 * OBJECT_CLASSES),
            there.clone(),
        )
        sizes[..., : 2 * OBJECT_CLASSES] = False
        return {
            "objects": objects[counts].mean(),
            "sizes": objects[sizes].sum() / sizes.sum().clamp(min=1),
            "optics": optics.square().sum() / known.sum().clamp(min=1),
        }


@torch.no_grad()
def reset_vision(apprentice: ThinkerTrainingModel, fresh: Any, pixel_values: torch.Tensor) -> None:
    """Start the vision tower anew, with a patch embedding that whitens.

    Neighbouring px are nearly equal, so that noise, blur and edges are a
    hundredth of a patch's mean; a random embedding leaves them there, and they
    are learned last. Principal components scaled to equal variance start with
    them in plain sight (Coates and Ng, 2012).

    Parameters
    ----------
    apprentice : ThinkerTrainingModel
    fresh : Qwen3VLForConditionalGeneration
        Gives the fresh weights of everything else.
    pixel_values : float tensor (patches, values)
        Patches of training tiles.
    """
    visual = apprentice.backbone.model.visual
    visual.load_state_dict(fresh.model.visual.state_dict())
    for head in (apprentice.objects, apprentice.optics):
        head.reset_parameters()
    mean = pixel_values.mean(0)
    variance, components = torch.linalg.eigh(torch.cov((pixel_values - mean).T))
    width = visual.patch_embed.proj.out_channels
    kept = components[:, -width:] / (variance[-width:] + 2e-4).sqrt()
    weight = 0.5 * kept.T
    visual.patch_embed.proj.weight.copy_(weight.view_as(visual.patch_embed.proj.weight))
    visual.patch_embed.proj.bias.copy_(-weight @ mean)


def train_thinker(
    apprentice: ThinkerTrainingModel,
    lessons: Callable[[int], Iterator[ThinkerBatch]],
    recipe: ThinkerRecipe,
    state: Path,
    progress: Progress,
    bench: TrainingEnvironment,
) -> None:
    """Train until the recipe's time or steps are used up; goes on from `state` if it exists.

    Parameters
    ----------
    apprentice : ThinkerTrainingModel
        On the bench's device.
    lessons : callable
        Returns the batches from a step on.
    recipe : ThinkerRecipe
    state : Path
        File of weights, optimiser and step, written every few minutes.
    progress : Progress
    bench : TrainingEnvironment

    Raises
    ------
    RunInterrupted
        If the bench's time is over; the state is kept.
    """
    apprentice.backbone.requires_grad_(not recipe.vision_through_language)
    apprentice.backbone.model.visual.requires_grad_(True)
    learning = [p for p in apprentice.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learning, recipe.learning_rate, (0.9, 0.98), weight_decay=0.02)

    def lesson(batch: ThinkerBatch) -> tuple[torch.Tensor, dict[str, float]]:
        losses = apprentice(batch.to(bench.device), recipe.vision_only)
        seen = 10 * losses["objects"] + 0.5 * losses["sizes"] + 0.2 * losses["optics"]
        loss = recipe.auxiliary * seen + losses.get("text", seen.new_zeros(()))
        return loss, {name: float(value.detach()) for name, value in losses.items()}

    train(recipe, {"model": apprentice, "optimiser": optimiser}, lessons, lesson, state, progress, bench)


def _fold_patches(embed: Any) -> None:
    """Embed patches by one matrix product: the same numbers, faster on a CPU than a 3-D convolution."""

    def forward(hidden_states: torch.Tensor) -> torch.Tensor:
        weight = embed.proj.weight.flatten(1)
        return functional.linear(hidden_states.to(weight.dtype), weight, embed.proj.bias)

    embed.forward = forward


def _batch_attention(attention: Any) -> None:
    """Attend within all images of a batch at once, which have one size; the original goes one by one."""
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
