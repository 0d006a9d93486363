"""Stages 2 and 3 in one: connector and editor learn to draw what a thought says, while the thinker stands still."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from napari_s1omni.engine.s1omni.checkpoint.config import AlignmentConfig
from napari_s1omni.engine.s1omni.checkpoint.loading import Checkpoint
from napari_s1omni.engine.s1omni.editor.connector import Connector
from napari_s1omni.engine.s1omni.editor.denoiser import UNetDenoiser
from napari_s1omni.engine.s1omni.editor.film_unet import FilmUNet2DModel
from napari_s1omni.training.batches.editor_batches import TASKS, EditorBatch
from napari_s1omni.training.recipe import EditorRecipe
from napari_s1omni.training.stages.border_weights import border_mask
from napari_s1omni.training.stages.loop import TrainingEnvironment, train
from napari_s1omni.training.stages.optimizers import CombinedOptimizer, Muon
from napari_s1omni.training.stages.progress import Progress
from napari_s1omni.training.stages.task_embedding import task_states


def editor_config(recipe: EditorRecipe) -> dict[str, Any]:
    """Return the configuration of nano's ``FilmUNet2DModel``."""
    latent = 3 * recipe.factor**2
    return {
        "_class_name": FilmUNet2DModel.__name__,
        "in_channels": 2 * latent,
        "out_channels": latent,
        "block_out_channels": recipe.blocks,
        "layers_per_block": recipe.depth,
        "cross_attention_dim": recipe.condition,
        "attention_head_dim": recipe.head_width,
    }


def connector_config(recipe: EditorRecipe, width: int) -> AlignmentConfig:
    """Return the configuration of nano's connector."""
    return AlignmentConfig(input_dim=width, output_dim=recipe.condition, hidden_dim=2 * recipe.condition, type="mlp_ln")


class Editor(nn.Module):
    """Connector and UNet, with the averaged copies that are shipped."""

    def __init__(self, recipe: EditorRecipe, width: int) -> None:
        super().__init__()
        self.connector = Connector(connector_config(recipe, width))
        self.unet = FilmUNet2DModel.from_config(editor_config(recipe))
        self.recipe = recipe

    def begin(self, start: Checkpoint) -> None:
        """Take the weights of a checkpoint."""
        self.connector.load_state_dict(start.connector.state_dict())
        self.unet.load_state_dict(start.transformer.state_dict())

    def forward(self, batch: EditorBatch, states: torch.Tensor) -> torch.Tensor:
        """Return the loss of each row."""
        recipe, factor = self.recipe, self.recipe.factor
        rows = len(states)
        states = states.masked_fill(batch.null[:, None, None], 0.0)
        seen = (batch.base.clamp(0, 1), batch.target, batch.base)
        source, image, base = (functional.pixel_unshuffle(planes, factor) for planes in seen)
        wanted = torch.where(batch.residual.view(-1, 1, 1, 1), image - base, image)
        weight = batch.weight.repeat_interleave(factor**2, 1)[..., None, None]
        if recipe.borders:
            drawn = (batch.task == TASKS.index("segmentation")).view(-1, 1, 1, 1)
            border = functional.pixel_unshuffle(border_mask(batch.target) * drawn, factor)
            weight = weight * (1 + recipe.borders * border.repeat(1, 3, 1, 1))
        chance = torch.rand(2, rows, device=states.device)
        time_ = torch.where(chance[0] < recipe.at_one, torch.ones_like(chance[1]), chance[1])
        level = time_.view(-1, 1, 1, 1)
        noisy = (1 - level) * image + level * recipe.noise_scale * torch.randn_like(image)
        out = self.unet(
            torch.cat([noisy, source], 1),
            time_ * 1000,
            encoder_hidden_states=self.connector(states),
            encoder_attention_mask=batch.mask[:, : states.shape[1]],
            return_dict=False,
        )[0]
        return (weight * (out.float() - wanted).square()).mean((1, 2, 3))

    def denoiser(self) -> UNetDenoiser:
        """Return the denoiser the engine would build of it."""
        return UNetDenoiser(self.unet)


@torch.no_grad()
def encode_condition(backbone: Any, batch: EditorBatch) -> torch.Tensor:
    """States of the batch's tokens as the engine conditions on them: run again without px, (B, L - drop, width)."""
    positions = torch.arange(batch.ids.shape[1], device=batch.ids.device).expand(3, len(batch.ids), -1)
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
    bench: TrainingEnvironment,
) -> None:
    """Train until the recipe's time or steps are used up; goes on from `state` if it exists.

    Parameters
    ----------
    editor, average : Editor
        The network in training and its exponential moving average, on the bench's device.
    thinker : callable
        Returns the thinker to condition on; asked at the beginning and at every save.
    lessons : callable
        Returns the batches from a step on.
    state : Path
    progress : Progress
    bench : TrainingEnvironment

    Raises
    ------
    RunInterrupted
        If the bench's time is over; the state is kept.
    """
    recipe = editor.recipe
    optimiser = _optimiser(editor)
    editor.unet.to(memory_format=torch.channels_last)
    backbone = thinker()

    def lesson(batch: EditorBatch) -> tuple[torch.Tensor, dict[str, float]]:
        batch = batch.map(lambda tensor: tensor.to(bench.device, non_blocking=True))
        width = backbone.config.text_config.hidden_size
        told = recipe.words == "task"
        with _attention(bench.device):
            loss = editor(batch, task_states(batch.task, width) if told else encode_condition(backbone, batch))
        return loss.mean(), _by_kind(loss.detach(), batch.residual)

    def renew() -> None:
        nonlocal backbone
        backbone = thinker()

    train(
        recipe,
        {"model": editor, "average": average, "optimiser": optimiser},
        lessons,
        lesson,
        state,
        progress,
        bench,
        after_step=lambda step: _follow(average, editor, min(recipe.ema, (1 + step) / (20 + step))),
        after_save=renew,
    )


def _optimiser(editor: Editor) -> torch.optim.Optimizer | CombinedOptimizer:
    """What the recipe names for what draws; AdamW, with smaller steps, for what listens.

    Layers with a thousand inputs need smaller steps than convolutions do.
    """
    recipe = editor.recipe
    drawing = {"params": [p for p in editor.parameters() if p.ndim == 4]}
    listening = {"params": [p for p in editor.parameters() if p.ndim != 4], "share": recipe.listening}
    adam = partial(torch.optim.AdamW, lr=recipe.learning_rate, betas=(0.9, 0.99), weight_decay=0.01)
    if recipe.optimiser == "AdamW":
        return adam([drawing, listening])
    return CombinedOptimizer(Muon([drawing], recipe.learning_rate), adam([listening]))


def _attention(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """On a CPU plain products: the backward pass of the fused kernel takes several times as long for so few tokens."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else contextlib.nullcontext()


def _by_kind(loss: torch.Tensor, residual: torch.Tensor) -> dict[str, float]:
    kinds = {"image": loss[~residual], "residual": loss[residual]}
    return {name: float(values.mean()) for name, values in kinds.items() if len(values)}


def copy_for_average(editor: Editor) -> Editor:
    """Return a copy to hold the moving average."""
    average = copy.deepcopy(editor)
    average.requires_grad_(False)
    return average


@torch.no_grad()
def _follow(average: Editor, editor: Editor, decay: float) -> None:
    held, new = list(average.parameters()), [p.detach() for p in editor.parameters()]
    torch._foreach_lerp_(held, new, 1 - decay)
