"""The error to expect of a drawing, from the editor's second output.

Its planes are trained by :mod:`napari_s1omni.training.stages.trust_loss`: the logarithm of the mean absolute error of a
mask's foreground, and the quantiles of 5 and 95 % of the error of an image.
"""

from __future__ import annotations

import torch


def expected_error(planes: torch.Tensor, mask: bool) -> torch.Tensor:
    """Return the error to expect of each pixel, in model range, 0 to 1.

    Parameters
    ----------
    planes : float tensor (B, 3, H, W)
    mask : bool
        Whether a mask is drawn; otherwise an image, whose error is half the width of the interval that holds 90 %.

    Returns
    -------
    float tensor (B, 1, H, W)
    """
    log_error, low, high = planes.split(1, 1)
    error = torch.exp(log_error) if mask else (high - low) / 2
    return error.clamp(0, 1)
