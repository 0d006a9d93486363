"""Stages 2 and 3 in one: train connector and editor on thoughts, with a frozen thinker."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from napari_s1omni.training.batches.editor_batches import EditorBatch
from napari_s1omni.training.stages.editor_model import Editor, encode_condition, update_average
from napari_s1omni.training.stages.loop import TrainingLoop
from napari_s1omni.training.stages.optimizers import CombinedOptimizer, Muon
from napari_s1omni.training.stages.task_embedding import task_states


def train_editor(
    editor: Editor,
    average: Editor,
    latest_thinker: Callable[[], Any],
    batches_from: Callable[[int], Iterator[EditorBatch]],
    loop: TrainingLoop,
) -> None:
    """Train until the recipe's time or steps are used up; continue from the saved state if there is one.

    Parameters
    ----------
    editor, average : Editor
        The network in training and its exponential moving average, on the training device.
    latest_thinker : callable
        Returns the thinker that conditions the editor; called at the start and after every save.
    batches_from : callable
        Returns the batches from a step on.
    loop : TrainingLoop

    Raises
    ------
    RunInterrupted
        If the deadline has passed; the state is kept.
    """
    recipe, device = editor.recipe, loop.environment.device
    optimiser = _make_optimiser(editor)
    editor.unet.to(memory_format=torch.channels_last)
    backbone = latest_thinker()

    def compute_loss(batch: EditorBatch) -> tuple[torch.Tensor, dict[str, float]]:
        batch = batch.map(lambda tensor: tensor.to(device, non_blocking=True))
        width = backbone.config.text_config.hidden_size
        task_only = recipe.condition_on == "task"
        with _attention_kernel(device):
            loss = editor(batch, task_states(batch.task, width) if task_only else encode_condition(backbone, batch))
        return loss.mean(), _mean_losses(loss.detach(), batch.residual)

    def reload_thinker() -> None:
        nonlocal backbone
        backbone = latest_thinker()

    loop.run(
        {"model": editor, "average": average, "optimiser": optimiser},
        batches_from,
        compute_loss,
        after_step=lambda step: update_average(average, editor, min(recipe.ema, (1 + step) / (20 + step))),
        after_save=reload_thinker,
    )


def _make_optimiser(editor: Editor) -> torch.optim.Optimizer | CombinedOptimizer:
    """Return the recipe's optimiser for convolutions, and AdamW with a smaller learning rate for all else.

    Layers with a thousand inputs need smaller steps than convolutions.
    """
    recipe = editor.recipe
    convolutions = {"params": [p for p in editor.parameters() if p.ndim == 4]}
    others = {"params": [p for p in editor.parameters() if p.ndim != 4], "share": recipe.condition_lr_share}
    adam = partial(torch.optim.AdamW, lr=recipe.learning_rate, betas=(0.9, 0.99), weight_decay=0.01)
    if recipe.optimiser == "AdamW":
        return adam([convolutions, others])
    return CombinedOptimizer(Muon([convolutions], recipe.learning_rate), adam([others]))


def _attention_kernel(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """Use plain products on a CPU: for so few tokens, the backward pass of the fused kernel is several times slower."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else contextlib.nullcontext()


def _mean_losses(loss: torch.Tensor, residual: torch.Tensor) -> dict[str, float]:
    kinds = {"image": loss[~residual], "residual": loss[residual]}
    return {name: float(values.mean()) for name, values in kinds.items() if len(values)}
