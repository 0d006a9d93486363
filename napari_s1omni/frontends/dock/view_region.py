"""The region of a job, from the view or from drawn shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Shapes
from numpy.typing import NDArray

from napari_s1omni.errors import JobError
from napari_s1omni.frontends.dock.view_geometry import (
    displayed_dims,
    view_centre,
    view_centre_world,
    visible_corners,
)
from napari_s1omni.frontends.napari_layers.layer_source import LayerSource
from napari_s1omni.frontends.napari_layers.region_from_shapes import region_from_outlines
from napari_s1omni.settings import cache_folder

_ELLIPSE_POINTS = 64


def spans_in_view(viewer: Any, layer: Any, source: LayerSource) -> dict[str, tuple[float, float]]:
    """Return the visible part of a layer by axis, in pixels; an axis with a slider gets an empty span."""
    corners, point = visible_corners(layer), view_centre(viewer, layer)
    displayed = displayed_dims(viewer, layer)
    spans = {}
    for i, axis in enumerate(source.axes):
        low, high = (corners[0][i], corners[1][i] + 1) if i in displayed else (point[i], point[i])
        n = source.view.shape[i]
        spans[axis] = (float(min(max(low, 0), n - 1)), float(min(max(high, 0), n)))
    return spans


def box_in_view(viewer: Any, layer: Any, source: LayerSource) -> dict[str, Any]:
    """Return the visible part of a layer as a box, on the displayed plane and time point.

    Raises
    ------
    JobError
        If no part of the layer is in view.
    """
    box: dict[str, Any] = {"type": "box"}
    for axis, (low, high) in spans_in_view(viewer, layer, source).items():
        if axis in "tz" and high <= low:
            box[axis] = [int(low + 0.5), int(low + 0.5) + 1]
        elif axis in "yx":
            if int(high) <= int(low):
                raise JobError("no part of the layer is in view", "a view of the image", "move the view to it")
            box[axis] = [int(low), int(high)]
    return box


def region_of_shapes(viewer: Any, layer: Any, source: LayerSource) -> dict[str, Any]:
    """Return the region inside the selected shapes, or inside the last one that was drawn.

    Raises
    ------
    JobError
        If there is no shape, or a shape lies outside the layer.
    """
    shapes = shapes_layer(viewer)
    flat = [source.axes.index(a) for a in "yx"]
    sizes = np.array([source.view.shape[i] for i in flat])
    centre = view_centre_world(viewer, layer)
    outlines = []
    for i in chosen_shapes(shapes):
        world = np.array([shapes.data_to_world(v) for v in _vertices(shapes.data[i], shapes.shape_type[i])])
        full = np.tile(centre, (len(world), 1))
        n = min(full.shape[1], world.shape[1])
        full[:, -n:] = world[:, -n:]
        points = np.array([layer.world_to_data(p) for p in full])[:, flat]
        if (points.max(axis=0) <= 0).any() or (points.min(axis=0) >= sizes).any():
            raise JobError("the shape lies outside the layer", "a shape on the image", "draw it there")
        outlines.append(np.clip(points, 0, sizes))
    folder = cache_folder() / "regions"
    folder.mkdir(exist_ok=True)
    return region_from_outlines(outlines, _plane(viewer, layer, source), folder)


def chosen_shapes(shapes: Any) -> list[int]:
    """Return which shapes of a layer are the region: those selected, or the last one."""
    return sorted(shapes.selected_data) or [len(shapes.data) - 1]


def shapes_layer(viewer: Any) -> Any:
    """Return the active Shapes layer, else the last one with a shape.

    Raises
    ------
    JobError
        If no shape is drawn.
    """
    active = viewer.layers.selection.active
    drawn = [one for one in viewer.layers if isinstance(one, Shapes)]
    layers = [active] if active in drawn else drawn
    found = next((one for one in reversed(layers) if len(one.data)), None)
    if found is None:
        raise JobError(
            "no shape is drawn", "a rectangle, ellipse or polygon in a Shapes layer", "draw one around the region"
        )
    return found


def _plane(viewer: Any, layer: Any, source: LayerSource) -> dict[str, int]:
    """Return the displayed plane and time point of a layer that has them."""
    point, displayed = view_centre(viewer, layer), displayed_dims(viewer, layer)
    return {
        a: max(0, min(round(float(point[i])), source.view.shape[i] - 1))
        for i, a in enumerate(source.axes)
        if a in "tz" and i not in displayed and a in source.spec.axes
    }


def _vertices(vertices: Any, kind: str) -> NDArray[np.float64]:
    """Return the outline of a shape; napari stores an ellipse as the corners of its bounding box."""
    corners = np.array(vertices, float)
    if kind != "ellipse":
        return corners
    angles = np.linspace(0, 2 * np.pi, _ELLIPSE_POINTS, endpoint=False)
    first, second = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    outline: NDArray[np.float64] = (
        corners.mean(axis=0) + np.outer(np.cos(angles), first) + np.outer(np.sin(angles), second)
    )
    return outline
