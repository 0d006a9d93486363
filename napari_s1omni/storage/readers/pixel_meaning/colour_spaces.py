"""Colour spaces of printing and of video, converted to red, green and blue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ITU_601 = (0.299, 0.587, 0.114)
"""Part of red, green and blue in luma, as in JPEG."""
FULL_RANGE = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)
"""Black and white of luma and of both colour differences, as in JPEG."""


def inks_to_rgb(inks: NDArray[Any]) -> NDArray[Any]:
    """Convert cyan, magenta, yellow and black along the last axis; the full value is full ink."""
    top = np.iinfo(inks.dtype).max
    paper = top - inks[..., :4].astype(np.uint64)
    return ((paper[..., :3] * paper[..., 3:] + top // 2) // top).astype(inks.dtype)


def ycbcr_to_rgb(
    luma: Sequence[float] = ITU_601, black_white: Sequence[float] = FULL_RANGE
) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Return a function that converts uint8 luma and colour differences along the last axis.

    Parameters
    ----------
    luma : sequence of 3 float
        Tag YCbCrCoefficients.
    black_white : sequence of 6 float
        Tag ReferenceBlackWhite: black and white of each sample.
    """
    low, high = np.array(black_white[::2], float), np.array(black_white[1::2], float)
    factor = np.array([255.0, 127.0, 127.0]) / (high - low)
    red, green, blue = luma

    def convert(samples: NDArray[Any]) -> NDArray[Any]:
        y, cb, cr = np.moveaxis((samples[..., :3] - low) * factor, -1, 0)
        r, b = y + cr * (2 - 2 * red), y + cb * (2 - 2 * blue)
        g = (y - red * r - blue * b) / green
        rgb: NDArray[Any] = np.clip(np.rint(np.stack([r, g, b], axis=-1)), 0, 255).astype(np.uint8)
        return rgb

    return convert


def divide_by_alpha(samples: NDArray[Any]) -> NDArray[Any]:
    """Return colours that were stored multiplied by their alpha (the last sample) as they were before."""
    alpha = samples[..., -1:].astype(float)
    top = np.iinfo(samples.dtype).max if samples.dtype.kind in "iu" else 1.0
    colours = np.divide(samples[..., :-1] * float(top), alpha, out=np.zeros(samples[..., :-1].shape), where=alpha > 0)
    if samples.dtype.kind in "iu":
        colours = np.rint(np.minimum(colours, top))
    return np.concatenate([colours.astype(samples.dtype), samples[..., -1:]], axis=-1)
