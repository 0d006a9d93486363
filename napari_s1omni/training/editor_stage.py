"""Stages 2 and 3 in one: connector and editor learn to draw what a thought says, while the thinker stands still."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from napari_s1omni.engine.s1omni.codec import PixelUnshuffleCodec
from napari_s1omni.engine.s1omni.config import AlignmentConfig
from napari_s1omni.engine.s1omni.connector import Connector
from napari_s1omni.engine.s1omni.denoiser import UNetDenoiser
from napari_s1omni.engine.s1omni.prompting import Prompting
from napari_s1omni.training.progress import Progress, clock, load_state, save_state
from napari_s1omni.training.recipe import EditorRecipe
from napari_s1omni.training.samples import Sample
from napari_s1omni.training.traces import ROUTE, misjudged

FACTOR = 4
"""Px per latent px of the codec."""
PREDICTION = {"segmentation": "x0", "modality_translation": "x0", "super_resolution": "residual"}
"""What the editor's output means, per task."""
_WEIGHTS = {"segmentation": (1.0, 0.5, 1.5), "modality_translation": (1.0,) * 3}
"""Weight of each drawn channel in the loss; that of residuals stands in the recipe."""


def editor_config(recipe: EditorRecipe) -> dict[str, Any]:
    """Return the configuration of nano's ``UNet2DConditionModel``.

    Besides attending to the condition, every block is scaled and shifted by its pooled states: what a request
    means must reach the fine levels too, where attention would cost most.
    """
    latent = 3 * FACTOR**2
    down = tuple("CrossAttnDownBlock2D" if cross else "DownBlock2D" for cross in recipe.cross)
    up = tuple("CrossAttnUpBlock2D" if cross else "UpBlock2D" for cross in reversed(recipe.cross))
    return {
        "_class_name": "UNet2DConditionModel",
        "sample_size": 64,
        "in_channels": 2 * latent,
        "out_channels": latent,
        "down_block_types": down,
        "up_block_types": up,
        "block_out_channels": recipe.blocks,
        "layers_per_block": recipe.depth,
        "cross_attention_dim": recipe.condition,
        # In this class the name stands for the number of heads.
        "attention_head_dim": tuple(width // recipe.head_width for width in recipe.blocks),
        "addition_embed_type": "text",
        "addition_embed_type_num_heads": 4,
        "resnet_time_scale_shift": "scale_shift",
    }


def connector_config(recipe: EditorRecipe, width: int) -> AlignmentConfig:
    """Return the configuration of nano's connector."""
    return AlignmentConfig(input_dim=width, output_dim=recipe.condition, hidden_dim=2 * recipe.condition, type="mlp_ln")


@dataclass(frozen=True, slots=True)
class EditorBatch:
    """Latents and token sequences of a batch."""

    source: torch.Tensor
    """(B, C, h, w): latent of the source at the size to draw."""
    image: torch.Tensor
    """(B, C, h, w): latent of the image to draw."""
    wanted: torch.Tensor
    """(B, C, h, w): what the network should give for it."""
    weight: torch.Tensor
    """(B, C, 1, 1): weight of each latent channel."""
    ids: torch.Tensor
    """int64 (B, L): instruction, thought and route, padded to the right."""
    drop: int
    """First token of the user's own words."""
    mask: torch.Tensor
    """bool (B, L - drop)."""
    null: torch.Tensor
    """bool (B,): rows whose condition is empty."""
    residual: torch.Tensor
    """bool (B,): rows in which the network gives the difference to the source."""


class EditorCollate:
    """Makes an :class:`EditorBatch`; decides which rows see which thought.

    Parameters
    ----------
    prompting : Prompting
    recipe : EditorRecipe
    seed : int
    """

    def __init__(self, prompting: Prompting, recipe: EditorRecipe, seed: int) -> None:
        self._prompting, self._recipe = prompting, recipe
        self._seed = seed
        self._rng = np.random.default_rng(seed)
        self._codec = PixelUnshuffleCodec(FACTOR)
        self._weights = {**_WEIGHTS, "super_resolution": (recipe.residual_weight,) * 3}

    def at_step(self, step: int) -> None:
        """Go on with the random numbers of one step of training."""
        self._rng = np.random.default_rng((self._seed, step))

    def __call__(self, samples: Sequence[Sample], thoughts: Sequence[tuple[int, ...] | None]) -> EditorBatch:
        """Collate; a thought of None is written from the sample's truth."""
        rows = [self._row(sample, thought) for sample, thought in zip(samples, thoughts, strict=True)]
        drop = rows[0][1]
        # As in the engine: room for the longest thought, plus a little chance so that no length is special.
        length = max(len(ids) for ids, _ in rows) + int(self._rng.integers(0, 40))
        ids = torch.full((len(rows), length), self._prompting.ids["turn_end"])
        mask = torch.zeros(len(rows), length - drop, dtype=torch.bool)
        for i, (tokens, _) in enumerate(rows):
            ids[i, : len(tokens)] = torch.tensor(tokens)
            mask[i, : len(tokens) - drop] = True
        base, target = (
            torch.from_numpy(np.stack([getattr(s, k) for s in samples])).float() for k in ("base", "target")
        )
        residual = torch.tensor([PREDICTION[s.truth.task] == "residual" for s in samples]).view(-1, 1, 1, 1)
        image = self._codec.encode(target)
        wanted = torch.where(residual, image - self._codec.encode(base), image)
        weight = torch.tensor([self._weights[s.truth.task] for s in samples]).repeat_interleave(FACTOR**2, 1)
        return EditorBatch(
            self._codec.encode(base.clamp(0, 1)),
            image,
            wanted,
            weight[..., None, None],
            ids,
            drop,
            mask,
            torch.from_numpy(self._rng.random(len(rows)) < self._recipe.null),
            residual.flatten(),
        )

    def _row(self, sample: Sample, thought: tuple[int, ...] | None) -> tuple[list[int], int]:
        prompt = self._prompting.prompt(sample.instruction, 0)
        if self._rng.random() < self._recipe.instruction_only:
            body = self._prompting.encode(ROUTE)
        else:
            off = self._rng.random() < self._recipe.misjudged
            truth = misjudged(sample.truth, self._rng) if off else sample.truth
            body = thought or self._prompting.encode(truth.text)
        return [*prompt.ids, *self._prompting.closed(body, True)], prompt.drop


class Editor(nn.Module):
    """Connector and UNet, with the averaged copies that are shipped."""

    def __init__(self, recipe: EditorRecipe, width: int) -> None:
        super().__init__()
        from diffusers import UNet2DConditionModel

        self.connector = Connector(connector_config(recipe, width))
        self.unet = UNet2DConditionModel.from_config(editor_config(recipe))
        self.recipe = recipe

    def forward(self, batch: EditorBatch, states: torch.Tensor) -> torch.Tensor:
        """Return the loss of each row."""
        recipe = self.recipe
        rows = len(states)
        states = states.masked_fill(batch.null[:, None, None], 0.0)
        time_ = torch.where(torch.rand(rows) < recipe.at_one, torch.ones(rows), torch.rand(rows))
        level = time_.view(-1, 1, 1, 1)
        noisy = (1 - level) * batch.image + level * recipe.noise_scale * torch.randn_like(batch.image)
        noisy, source = (v.contiguous(memory_format=torch.channels_last) for v in (noisy, batch.source))
        out = self.unet(
            torch.cat([noisy, source], 1),
            time_ * 1000,
            encoder_hidden_states=self.connector(states),
            encoder_attention_mask=batch.mask,
            return_dict=False,
        )[0]
        return (batch.weight * (out.float() - batch.wanted).square()).mean((1, 2, 3))

    def denoiser(self) -> UNetDenoiser:
        """Return the denoiser the engine would build of it."""
        return UNetDenoiser(self.unet)


@torch.no_grad()
def encode(backbone: Any, batch: EditorBatch) -> torch.Tensor:
    """States of the batch's tokens as the engine conditions on them: run again without px, (B, L - drop, width)."""
    positions = torch.arange(batch.ids.shape[1]).expand(3, len(batch.ids), -1)
    hidden = backbone.model(input_ids=batch.ids, position_ids=positions, use_cache=False).last_hidden_state
    states: torch.Tensor = hidden[:, batch.drop :].float()
    return states.masked_fill(~batch.mask[..., None], 0.0)


def train_editor(
    editor: Editor,
    average: Editor,
    thinker: Callable[[], Any],
    lessons: Callable[[int], Iterator[EditorBatch]],
    state: Path,
    progress: Progress,
    on_save: Callable[[], None],
    seed: int = 0,
) -> None:
    """Train until the recipe's time or steps are used up; continues from `state` if it exists.

    Parameters
    ----------
    editor, average : Editor
        The network in training and its exponential moving average.
    thinker : callable
        Returns the thinker to condition on; asked at the beginning and at every save.
    lessons : callable
        Returns the batches from a step on.
    state : Path
    progress : Progress
    on_save : callable
        Called after every save.
    seed : int
        Of the noise; each step has its own.
    """
    recipe = editor.recipe
    optimiser = torch.optim.AdamW(editor.parameters(), recipe.learning_rate, (0.9, 0.99), weight_decay=0.01)
    parts = {"model": editor, "average": average, "optimiser": optimiser}
    used, step = load_state(state, parts)
    editor.unet.to(memory_format=torch.channels_last)
    backbone = thinker()
    saved = begin = clock()
    batches = lessons(step)
    editor.train()
    while used < 60 * recipe.minutes and step < recipe.steps:
        share = max(used / (60 * recipe.minutes), step / recipe.steps)
        warm = min(1.0, (step + 1) / recipe.warmup)
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
        batch = next(batches)
        torch.manual_seed(seed * 1_000_003 + step)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            loss = editor(batch, encode(backbone, batch))
        optimiser.zero_grad()
        loss.mean().backward()
        nn.utils.clip_grad_norm_(editor.parameters(), 1.0)
        optimiser.step()
        step += 1
        _follow(average, editor, min(recipe.ema, (1 + step) / (20 + step)))
        now = clock()
        used, begin = used + now - begin, now
        progress.note(step, len(batch.ids), used, _by_kind(loss.detach(), batch.residual))
        if now - saved > 60 * recipe.save_every:
            save_state(state, parts, used, step)
            on_save()
            backbone = thinker()
            saved = begin = clock()
    save_state(state, parts, used, step)
    on_save()


def _by_kind(loss: torch.Tensor, residual: torch.Tensor) -> dict[str, float]:
    kinds = {"image": loss[~residual], "residual": loss[residual]}
    return {name: float(values.mean()) for name, values in kinds.items() if len(values)}


def averaged(editor: Editor) -> Editor:
    """Return a copy to hold the moving average."""
    average = copy.deepcopy(editor)
    average.requires_grad_(False)
    return average


@torch.no_grad()
def _follow(average: Editor, editor: Editor, decay: float) -> None:
    held, new = list(average.parameters()), [p.detach() for p in editor.parameters()]
    torch._foreach_lerp_(held, new, 1 - decay)
