"""Stage 1: train the thinker to see, to measure and to write what it measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from napari_s1omni.training.batches.thinker_batches import ThinkerBatch
from napari_s1omni.training.recipe import ThinkerRecipe
from napari_s1omni.training.stages.loop import TrainingLoop
from napari_s1omni.training.stages.thinker_model import ThinkerTrainingModel


def train_thinker(
    model: ThinkerTrainingModel,
    batches_from: Callable[[int], Iterator[ThinkerBatch]],
    recipe: ThinkerRecipe,
    loop: TrainingLoop,
) -> None:
    """Train until the recipe's time or steps are used up; continue from the saved state if there is one.

    Parameters
    ----------
    model : ThinkerTrainingModel
        On the training device.
    batches_from : callable
        Returns the batches from a step on.
    recipe : ThinkerRecipe
    loop : TrainingLoop

    Raises
    ------
    RunInterrupted
        If the deadline has passed; the state is kept.
    """
    model.backbone.requires_grad_(not recipe.freeze_language)
    model.backbone.model.visual.requires_grad_(True)
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trainable, recipe.learning_rate, (0.9, 0.98), weight_decay=0.02)

    def compute_loss(batch: ThinkerBatch) -> tuple[torch.Tensor, dict[str, float]]:
        losses = model(batch.to(loop.environment.device), recipe.vision_only)
        auxiliary = 10 * losses["objects"] + 0.5 * losses["sizes"] + 0.2 * losses["optics"]
        loss = recipe.auxiliary_weight * auxiliary + losses.get("text", auxiliary.new_zeros(()))
        return loss, {name: float(value.detach()) for name, value in losses.items()}

    loop.run({"model": model, "optimiser": optimiser}, batches_from, compute_loss)
