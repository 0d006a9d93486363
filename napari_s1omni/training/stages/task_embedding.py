"""A condition that states only the task: the control of the ablation."""

from __future__ import annotations

import torch


def task_states(task: torch.Tensor, width: int) -> torch.Tensor:
    """Return one token per row, (B, 1, width): a fixed vector of typical norm for each task.

    The connector learns what to make of it, so this acts as a learned embedding of the task.

    Parameters
    ----------
    task : int64 tensor (B,)
        Index into :data:`napari_s1omni.training.model_configs.TASKS`.
    width : int
        Hidden channels of the thinker.
    """
    return width**0.5 * torch.nn.functional.one_hot(task, width).float()[:, None]
