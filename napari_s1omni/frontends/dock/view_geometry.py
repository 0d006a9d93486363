"""The part of a layer that is in view, in its data coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def displayed_dims(viewer: Any, layer: Any) -> list[int]:
    """Return the dimensions of a layer that are displayed, not those with a slider."""
    missing = viewer.dims.ndim - layer.ndim
    return [d - missing for d in viewer.dims.displayed if d >= missing]


def visible_corners(layer: Any) -> NDArray[np.float64]:
    """Return the first and last visible pixel at full resolution: float (2, ndim)."""
    corners = np.array(layer.corner_pixels, float)
    return corners * layer.downsample_factors[layer.data_level] if layer.multiscale else corners


def current_point(viewer: Any, layer: Any) -> NDArray[np.float64]:
    """Return the position of the sliders: float (ndim,)."""
    return np.asarray(layer.world_to_data(np.array(viewer.dims.point, float)[-layer.ndim :]), float)


def view_centre_world(viewer: Any, layer: Any) -> NDArray[np.float64]:
    """Return the centre of the view in the world coordinates of a layer's dimensions: float (ndim,)."""
    point = np.array(viewer.dims.point, float)
    displayed = list(viewer.dims.displayed)
    point[displayed] = np.array(viewer.scene.camera.center, float)[-len(displayed) :]
    return point[-layer.ndim :]


def view_centre(viewer: Any, layer: Any) -> NDArray[np.float64]:
    """Return the centre of the view: float (ndim,)."""
    return np.asarray(layer.world_to_data(view_centre_world(viewer, layer)), float)


def move_view(viewer: Any, layer: Any, point: Sequence[float]) -> None:
    """Centre the view on a point, moving the sliders too."""
    world = layer.data_to_world(point)
    dims = viewer.dims
    missing = dims.ndim - layer.ndim
    for i, value in enumerate(world):
        if i + missing not in dims.displayed:
            dims.set_point(i + missing, value)
    viewer.scene.camera.center = tuple(world[i] for i in displayed_dims(viewer, layer))
