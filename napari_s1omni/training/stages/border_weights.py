"""Borders between touching objects, which weigh more in the loss."""

from __future__ import annotations

import torch
from torch.nn import functional

_VALLEY = 0.45
"""A pixel lies on a border if its distance is below this share of a neighbour's; inside objects, shares are larger."""


def border_mask(fields: torch.Tensor) -> torch.Tensor:
    """Return the pixels on both sides of a border between two objects, and the narrow gaps between objects.

    They get a larger weight in the loss, as in U-Net (Ronneberger, Fischer and Brox, 2015). There, the weight is
    computed from the labels; here, from the target fields, which every sample has.

    Parameters
    ----------
    fields : float tensor (B, 3, H, W)
        Foreground, interior and distance of the target.

    Returns
    -------
    float tensor (B, 1, H, W), 0 or 1
    """
    foreground, distance = fields[:, :1].round().clamp(0, 1), fields[:, 2:]
    surrounded = _erode(foreground, 3) > 0.5
    valley = surrounded & (distance < _VALLEY * _dilate(distance, 3))
    gap = (_erode(_dilate(foreground, 5), 5) > 0.5) & (foreground < 0.5)
    return _dilate((valley | gap).to(fields.dtype), 3)


def _dilate(planes: torch.Tensor, width: int) -> torch.Tensor:
    return functional.max_pool2d(planes, width, 1, width // 2)


def _erode(planes: torch.Tensor, width: int) -> torch.Tensor:
    return -_dilate(-planes, width)
