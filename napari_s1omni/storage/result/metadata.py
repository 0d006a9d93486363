"""OME-Zarr 0.5 metadata of a result."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.storage.image_group.image_levels import ImageLevels
from napari_s1omni.storage.image_group.image_pyramid import ImagePyramid
from napari_s1omni.storage.result.pyramid import Pyramid

KEY = "s1omni"
"""Key of this package's own attributes, beside ``ome``."""

_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
_COLORS = ("00FF00", "FF00FF", "00FFFF", "FFFF00", "FF0000", "0000FF")
_PRIMARIES = ("FF0000", "00FF00", "0000FF")

_MOST_COLORS = 1000
"""Labels with more ids than this get no colours of their own; the list would be longer than all other metadata."""

Window = tuple[float, float]
"""Lower and upper end of a display range, in pixel values."""


def ome_metadata(
    target: LayerSpec, pyramid: Pyramid, name: str, windows: Sequence[Window] = (), colors: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the OME-Zarr 0.5 metadata of a result.

    Parameters
    ----------
    target : LayerSpec
    pyramid : Pyramid
    name : str
    windows : sequence of (low, high), optional
        Display range of each channel, or one for all; by default the range of the dtype.
    colors : sequence of str, optional
        Colour of each channel as ``RRGGBB``; an empty one is chosen.
    """
    axes = []
    for axis, unit in zip(target.axes, target.units, strict=True):
        axes.append({"name": axis, "type": _TYPES[axis], **({"unit": unit} if unit and axis != "c" else {})})
    datasets = []
    for i in range(len(pyramid.levels)):
        step, start = pyramid.place(i)
        scale = [s * f for s, f in zip(target.scale, step, strict=True)]
        shift = [t + f * s for t, f, s in zip(target.translate, start, target.scale, strict=True)]
        transformations = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": shift}]
        datasets.append({"path": pyramid.name(i), "coordinateTransformations": transformations})
    multiscale = {
        "name": name,
        "axes": axes,
        "datasets": datasets,
        "type": "mode" if pyramid.labels else "mean",
        "metadata": {"method": "napari_s1omni.storage.result.pyramid.halve"},
    }
    ome: dict[str, Any] = {"version": "0.5", "multiscales": [multiscale]}
    if target.kind == "labels":
        ome["image-label"] = {}
    else:
        ome["omero"] = {"channels": _channels(target, windows, colors)}
    return ome


def labels_metadata(target: LayerSpec, pyramid: ImagePyramid, name: str, image: ImageLevels) -> dict[str, Any]:
    """Return the OME-Zarr 0.5 metadata of labels inside an image: its axes and its transformations.

    Parameters
    ----------
    target : LayerSpec
    pyramid : ImagePyramid
    name : str
    image : ImageLevels
    """
    datasets = []
    for level in sorted(pyramid.levels, key=lambda level: level.number):
        at = image.levels[level.number]
        scale = [at.scale[axis] for axis in target.axes]
        shift = [at.translate[a] + f * s for a, f, s in zip(target.axes, level.first, scale, strict=True)]
        transformations: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
        if any(shift):
            transformations.append({"type": "translation", "translation": shift})
        datasets.append({"path": level.path, "coordinateTransformations": transformations})
    multiscale = {
        "name": name,
        "axes": [dict(image.axes[axis]) for axis in target.axes],
        "datasets": datasets,
        "type": "nearest",
        "metadata": {"method": "napari_s1omni.storage.image_group.image_pyramid.ImagePyramid"},
    }
    return {"version": "0.5", "multiscales": [multiscale], "image-label": {"source": {"image": "../../"}}}


def label_colors(highest: int) -> list[dict[str, Any]]:
    """Return a colour for each id from 0, the transparent background, to `highest`; none for very many ids.

    ome-zarr-models accepts labels inside an image of 0.5 only with colours. napari-ome-zarr then shows only the ids
    that have one, so it is all or none.
    """
    if highest > _MOST_COLORS:
        return []
    colors = [{"label-value": 0, "rgba": [0, 0, 0, 0]}]
    for label in range(1, highest + 1):
        # Hues a golden angle apart differ most between neighbouring ids.
        rgb = colorsys.hsv_to_rgb(label * 0.618034 % 1, 0.75, 0.95)
        colors.append({"label-value": label, "rgba": [*(round(255 * v) for v in rgb), 255]})
    return colors


def _channels(target: LayerSpec, windows: Sequence[Window], colors: Sequence[str]) -> list[dict[str, Any]]:
    dtype = target.np_dtype
    full = (0.0, 1.0)
    if dtype.kind in "iu":
        full = (float(np.iinfo(dtype).min), float(np.iinfo(dtype).max))
    count = target.size("c")
    chosen = list(windows) * count if len(windows) == 1 else list(windows) or [full] * count
    palette = _PRIMARIES if target.rgb else ("FFFFFF",) if count == 1 else _COLORS
    # Readers take channels of these names for the colours of one picture.
    names = target.channel_names or (("red", "green", "blue") if target.rgb else ())
    channels = []
    for i in range(count):
        low, high = map(float, chosen[i])
        ends = {"min": min(low, full[0]), "max": max(high, full[1]), "start": low, "end": high}
        label = names[i] if names else f"channel {i}"
        color = (colors[i] if len(colors) == count else "") or palette[i % len(palette)]
        channels.append({"label": label, "color": color, "active": True, "window": ends})
    return channels


def own_metadata(attributes: Mapping[str, Any], target: LayerSpec, block: tuple[int, ...]) -> dict[str, Any]:
    """Return this package's attributes with what is needed to reopen the store."""
    return {**attributes, "layer": target.to_json(), "block": list(block)}
