"""The editor in training: connector and UNet with their loss, and the states that condition them."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from napari_s1omni.engine.s1omni.checkpoint.loading import Checkpoint
from napari_s1omni.engine.s1omni.editor.connector import Connector
from napari_s1omni.engine.s1omni.editor.film_unet import FilmUNet2DModel
from napari_s1omni.training.batches.editor_batches import EditorBatch
from napari_s1omni.training.model_configs import TASKS, connector_config, editor_config
from napari_s1omni.training.recipe import EditorRecipe
from napari_s1omni.training.stages.border_weights import border_mask
from napari_s1omni.training.stages.trust_loss import trust_loss


class Editor(nn.Module):
    """Connector and UNet.

    Parameters
    ----------
    recipe : EditorRecipe
    width : int
        Hidden channels of the thinker.
    """

    def __init__(self, recipe: EditorRecipe, width: int) -> None:
        super().__init__()
        self.connector = Connector(connector_config(recipe, width))
        self.unet = FilmUNet2DModel.from_config(editor_config(recipe))
        self.recipe = recipe

    def load_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Load the weights of a checkpoint, whose editor may lack hints and trust."""
        self.connector.load_state_dict(checkpoint.connector.state_dict())
        self.unet.load_state_dict(self.unet.state_dict() | checkpoint.transformer.state_dict())

    def forward(self, batch: EditorBatch, states: torch.Tensor) -> torch.Tensor:
        """Return the loss of each row, (B,).

        Parameters
        ----------
        batch : EditorBatch
        states : float tensor (B, L, width)
            States of the thinker.
        """
        recipe, factor = self.recipe, self.recipe.factor
        rows = len(states)
        states = states.masked_fill(batch.null[:, None, None], 0.0)
        planes = (batch.base.clamp(0, 1), batch.target, batch.base)
        source, image, base = (functional.pixel_unshuffle(plane, factor) for plane in planes)
        expected = torch.where(batch.residual.view(-1, 1, 1, 1), image - base, image)
        weight = batch.weight.repeat_interleave(factor**2, 1)[..., None, None]
        if recipe.border_weight:
            segmentation = (batch.task == TASKS.index("segmentation")).view(-1, 1, 1, 1)
            border = functional.pixel_unshuffle(border_mask(batch.target) * segmentation, factor)
            weight = weight * (1 + recipe.border_weight * border.repeat(1, 3, 1, 1))
        chance = torch.rand(2, rows, device=states.device)
        time = torch.where(chance[0] < recipe.pure_noise, torch.ones_like(chance[1]), chance[1])
        level = time.view(-1, 1, 1, 1)
        noisy = (1 - level) * image + level * recipe.noise_scale * torch.randn_like(image)
        out, trust = self.unet(
            torch.cat([noisy, source], 1),
            time * 1000,
            encoder_hidden_states=self.connector(states),
            encoder_attention_mask=batch.mask[:, : states.shape[1]],
        )
        loss = (weight * (out.float() - expected).square()).mean((1, 2, 3))
        if trust is None:
            return loss
        segmentation = batch.task == TASKS.index("segmentation")
        return loss + recipe.trust_weight * trust_loss(trust.float(), (expected - out.float()).detach(), segmentation)


@torch.no_grad()
def encode_condition(backbone: Any, batch: EditorBatch) -> torch.Tensor:
    """Return the states of a batch's tokens, computed without pixels as in the engine: (B, L - drop, width)."""
    positions = torch.arange(batch.ids.shape[1], device=batch.ids.device).expand(3, len(batch.ids), -1)
    hidden = backbone.model(input_ids=batch.ids, position_ids=positions, use_cache=False).last_hidden_state
    states: torch.Tensor = hidden[:, batch.drop :].float()
    return states.masked_fill(~batch.mask[..., None], 0.0)


def copy_for_average(editor: Editor) -> Editor:
    """Return a copy that holds the moving average."""
    average = copy.deepcopy(editor)
    average.requires_grad_(False)
    return average


@torch.no_grad()
def update_average(average: Editor, editor: Editor, decay: float) -> None:
    """Move the average towards the editor's weights, by 1 - `decay`."""
    held, new = list(average.parameters()), [p.detach() for p in editor.parameters()]
    torch._foreach_lerp_(held, new, 1 - decay)
