"""Headers of images from what their readers found by axis letter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_s1omni.core.acquisition import Channel
from napari_s1omni.core.units import unit_name
from napari_s1omni.storage.readers.axis_order import guess_axes
from napari_s1omni.storage.readers.file_format import ImageHeader

UNKNOWN = "q"
"""Letter of a dimension in a header whose meaning is not known."""


def make_header(
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    axes: str | None,
    scale: Mapping[str, float],
    units: Mapping[str, str],
    channels: tuple[Channel, ...] = (),
    levels: int = 1,
    *,
    main: bool = True,
) -> ImageHeader:
    """Return a header.

    Parameters
    ----------
    name : str
    shape : tuple of int
        Pixels per stored dimension.
    dtype : dtype
    axes : str or None
        One letter per dimension, digits for those of unknown meaning; None: they are guessed as for a run, or unknown.
    scale, units : mapping
        Pixel size and unit by letter, where known.
    channels : tuple of Channel
    levels : int
    main : bool
        False for pictures and labels beside an image.
    """
    letters = axes or guess_axes(shape, dtype) or UNKNOWN * len(shape)
    return ImageHeader(
        name=name,
        axes="".join(UNKNOWN if a.isdigit() else a for a in letters),
        shape=tuple(int(n) for n in shape),
        dtype=dtype.newbyteorder("=").name,
        scale=tuple(scale.get(a) for a in letters),
        units=tuple(unit_name(units.get(a)) for a in letters),
        channels=channels,
        levels=levels,
        main=main,
    )
