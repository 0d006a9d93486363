"""Where objects touch: few px, but the ones that tell one object from two."""

from __future__ import annotations

import torch
from torch.nn import functional

_STEEP = 0.45
"""A px whose distance is below this share of a neighbour's lies on a border; inside one object the share is larger."""


def border_mask(fields: torch.Tensor) -> torch.Tensor:
    """Find the px on both sides of a border between two objects, and the narrow gaps between them.

    They are weighted more in the loss, as in U-Net (Ronneberger, Fischer and Brox, 2015), where the weight comes from
    the labels; here it comes from the drawn fields, of which every lesson has a copy.

    Parameters
    ----------
    fields : float tensor (B, 3, H, W)
        Foreground, interior and distance, as they should be drawn.

    Returns
    -------
    float tensor (B, 1, H, W), 0 or 1
    """
    foreground, distance = fields[:, :1].round().clamp(0, 1), fields[:, 2:]
    surrounded = _least(foreground, 3) > 0.5
    valley = surrounded & (distance < _STEEP * _most(distance, 3))
    gap = (_least(_most(foreground, 5), 5) > 0.5) & (foreground < 0.5)
    return _most((valley | gap).to(fields.dtype), 3)


def _most(planes: torch.Tensor, width: int) -> torch.Tensor:
    return functional.max_pool2d(planes, width, 1, width // 2)


def _least(planes: torch.Tensor, width: int) -> torch.Tensor:
    return -_most(-planes, width)
