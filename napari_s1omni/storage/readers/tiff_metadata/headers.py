"""List the images of a TIFF without reading a pixel."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from napari_s1omni.core.acquisition import Channel
from napari_s1omni.core.units import unit_name
from napari_s1omni.storage.readers.file_format import ImageHeader
from napari_s1omni.storage.readers.tiff_metadata.calibration import read_sizes
from napari_s1omni.storage.readers.tiff_metadata.series import (
    images_in,
    main_images,
    noted_warnings,
    open_tiff,
    series_axes,
)


def list_tiff(path: Path | str) -> tuple[ImageHeader, ...]:
    """List the images of a TIFF, with the pictures of the slide in it.

    Parameters
    ----------
    path : Path or str

    Returns
    -------
    tuple of ImageHeader
        Dimensions whose meaning is unknown have the letter ``q``.

    Raises
    ------
    SourceError
        If it holds no image.
    """
    with noted_warnings([]):
        tiff = open_tiff(path, [])
        try:
            found = images_in(tiff, path)
            main = {number for number, _ in main_images(found)}
            counts = Counter(series.name for _, series in found)
            unique = {number: counts[series.name] == 1 for number, series in found}
            return tuple(
                _header(tiff, series, (unique[number] and series.name) or number, number in main)
                for number, series in found
            )
        finally:
            tiff.close()


def _header(tiff: Any, series: Any, name: str, main: bool) -> ImageHeader:
    sizes = read_sizes(tiff, series, [])
    axes = series_axes(series, []) or series.axes.lower().replace("i", "q").replace("?", "q")
    return ImageHeader(
        name=name,
        axes=axes,
        shape=tuple(map(int, series.shape)),
        dtype=np.dtype(series.dtype).name,
        scale=tuple(sizes.scale.get(axis) for axis in axes),
        units=tuple(unit_name(sizes.units[axis]) if axis in sizes.units else None for axis in axes),
        channels=tuple(Channel(channel) for channel in sizes.channel_names),
        levels=len(series.levels),
        main=main,
    )
