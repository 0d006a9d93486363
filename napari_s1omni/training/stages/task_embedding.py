"""What an editor hears that is told its task and nothing else: the control of the ablation."""

from __future__ import annotations

import torch


def task_states(task: torch.Tensor, width: int) -> torch.Tensor:
    """Return one token for each row, (B, 1, width): a fixed vector of the usual norm for each task.

    The connector behind it learns what to make of it, so that this is an embedding learned per task.

    Parameters
    ----------
    task : int64 tensor (B,)
        Index into :data:`napari_s1omni.training.batches.editor_batches.TASKS`.
    width : int
        Of the thinker's states.
    """
    return width**0.5 * torch.nn.functional.one_hot(task, width).float()[:, None]
