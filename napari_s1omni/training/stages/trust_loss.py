"""Loss of the editor's second output, which says how far what it drew can be trusted.

Its planes are the logarithm of the expected error of a mask's foreground, and the lowest and highest error to expect in
an image (quantiles of 5 and 95 %).
"""

from __future__ import annotations

import torch

QUANTILES = (0.05, 0.95)
"""Quantiles of the error of an image, in the order of their planes."""
_LARGEST_LOG = 6.0


def trust_loss(trust: torch.Tensor, error: torch.Tensor, segmentation: torch.Tensor) -> torch.Tensor:
    """Return the loss of each row, (B,).

    Parameters
    ----------
    trust : float tensor (B, 3 * factor**2, h, w)
        Pixel-unshuffled planes.
    error : float tensor (B, 3 * factor**2, h, w)
        Truth minus drawn image; no gradient flows through it.
    segmentation : bool tensor (B,)
        Rows that draw masks. The others draw images, whose error is averaged over the colours.
    """
    log_error, low, high = trust.chunk(3, 1)
    foreground, *_ = colours = error.chunk(3, 1)
    log_error = log_error.clamp(-_LARGEST_LOG, _LARGEST_LOG)
    # Of a Laplace distribution, so that its exponential is the mean absolute error.
    masks = foreground.abs() * torch.exp(-log_error) + log_error
    mean = sum(colours) / len(colours)
    images = sum(_pinball(mean - plane, share) for plane, share in zip((low, high), QUANTILES, strict=True))
    return torch.where(segmentation.view(-1, 1, 1, 1), masks, images).mean((1, 2, 3))


def _pinball(above: torch.Tensor, share: float) -> torch.Tensor:
    """Return the loss whose minimum is the quantile `share` (Koenker and Bassett, "Regression quantiles", 1978)."""
    return torch.maximum(share * above, (share - 1) * above)
