"""Channels of a layer: chosen by index or name, and merged to grey."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.document import did_you_mean
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import PlanError


def channel_index(channel: int | str, spec: LayerSpec) -> int:
    """Return the index of a channel given by index or name.

    Raises
    ------
    PlanError
        If the layer has no such channel.
    """
    count = spec.size("c")
    names = list(spec.channel_names)
    if isinstance(channel, str) and channel not in names and channel.isdecimal():
        channel = int(channel)
    if isinstance(channel, str):
        folded = [name.casefold() for name in names]
        if channel.casefold() in folded:
            return folded.index(channel.casefold())
    elif 0 <= channel < count:
        return channel
    known = f"0 to {count - 1}" + (f" or {', '.join(names)}" if names else "")
    raise PlanError(
        f"channel {channel!r} of {spec.source or 'the layer'}",
        f"channels are {known}",
        did_you_mean(str(channel), names).strip() or "choose one of these",
        channel=channel,
    )


def grey(fields: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of three channels, (1, ...); exactly the channel if all three are equal."""
    first, second, third = fields
    return np.asarray(first + ((second - first) + (third - first)) / 3, np.float32)[None]
