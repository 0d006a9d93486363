"""Colours in which planes are shown: pictures as they are, channels between two values, one channel in grey."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.acquisition import Channel

Window = tuple[float, float]
"""The values that are shown black and in full colour."""

MOST_CHANNELS = 4
"""Channels that are shown in their colours; of more, such as wavelengths, the brightest of each pixel is shown."""
_COLORS = ((0, 255, 0), (255, 0, 255), (0, 255, 255), (255, 255, 0))
_PERCENTILES = (0.5, 99.5)


def display_window(plane: NDArray[np.float32]) -> Window:
    """Return the values between which a plane is shown: its 0.5 and 99.5 percentiles, without what is not finite."""
    values = plane[np.isfinite(plane)]
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, _PERCENTILES)
    return float(low), float(high)


def picture_top(dtype: str, planes: NDArray[np.float32]) -> float:
    """Return the value of a colour picture that is shown in full colour: 255 of 8 bit, else the largest there is."""
    return 255.0 if dtype == "uint8" else max(float(np.nan_to_num(planes).max()), 1e-9)


def color_picture(planes: NDArray[np.float32], top: float) -> NDArray[np.uint8]:
    """Return the colours (y, x, 3) of a picture (3, y, x) as they are."""
    shown = np.clip(np.moveaxis(np.nan_to_num(planes), 0, -1) / top, 0, 1) * 255
    return np.asarray(shown, np.uint8)


def color_channels(
    planes: NDArray[np.float32], windows: Sequence[Window], known: Sequence[Channel] = ()
) -> NDArray[np.uint8]:
    """Add up channels in their colours.

    Parameters
    ----------
    planes : float32 (c, y, x)
    windows : sequence of c Window
    known : sequence of Channel
        What the file says of each channel; without, they are green, magenta, cyan and yellow. A single one is grey.

    Returns
    -------
    uint8 (y, x, 3)
    """
    drawn = np.zeros((*planes.shape[1:], 3), np.float32)
    for number, (plane, (low, high)) in enumerate(zip(planes, windows, strict=True)):
        shown = np.clip(np.nan_to_num(plane - low) / max(high - low, 1e-9), 0, 1)
        given = known[number].color if len(known) == len(planes) else ""
        rgb = bytes.fromhex(given) if len(given) == 6 else _COLORS[number % len(_COLORS)]
        drawn += shown[..., np.newaxis] * np.array((255, 255, 255) if len(planes) == 1 else tuple(rgb), np.float32)
    return np.clip(drawn, 0, 255).astype(np.uint8)
