"""The noise schedule of flow matching, from 1 (noise) to 0 (image)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch

RELEASED_SHIFT = ((256, 0.5), (4096, 1.15))
"""Two pairs (tokens, shift), through which the released model interpolates and extrapolates linearly."""


def noise_levels(
    schedule: Literal["released", "stock"], config: Mapping[str, Any], steps: int, tokens: int
) -> torch.Tensor:
    """Return the noise levels of the denoising steps, followed by 0.

    Parameters
    ----------
    schedule : {'released', 'stock'}
        ``released``: time points evenly spaced between the ends of the scheduler. ``stock``:
        ``linspace(1, 1 / steps, steps)``, as the pipelines of diffusers do.
    config : mapping
        ``scheduler_config`` of the checkpoint.
    steps : int
    tokens : int
        Image tokens; the schedule of larger images is shifted towards noise (Esser et al., 2024, section 5.3.2).

    Returns
    -------
    float32 tensor (steps + 1,)
    """
    from diffusers import FlowMatchEulerDiscreteScheduler

    # With a single step, stretching to the terminal level would divide by zero.
    left_out = {"noise_scale", "shift_terminal"} if steps == 1 else {"noise_scale"}
    known = {key: value for key, value in config.items() if key not in left_out}
    scheduler = FlowMatchEulerDiscreteScheduler.from_config(known)
    if schedule == "stock":
        own = scheduler.config
        ends = ((own.base_image_seq_len, own.base_shift), (own.max_image_seq_len, own.max_shift))
        scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps).tolist(), mu=_shift(tokens, ends))
    else:
        scheduler.set_timesteps(steps, mu=_shift(tokens, RELEASED_SHIFT))
    levels: torch.Tensor = scheduler.sigmas
    return levels


def _shift(tokens: int, ends: tuple[tuple[int, float], tuple[int, float]]) -> float:
    (few, low), (many, high) = ends
    return low + (high - low) * (tokens - few) / (many - few)
