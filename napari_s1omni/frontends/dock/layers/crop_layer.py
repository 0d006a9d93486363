"""A writable crop of labels, in which the user paints corrections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import AXES
from napari_s1omni.errors import JobError
from napari_s1omni.frontends.dock.view_geometry import current_point, displayed_dims, visible_corners
from napari_s1omni.frontends.dock.viewer_link import ViewerLink
from napari_s1omni.frontends.napari_layers.result_layers import RESULT_KEY
from napari_s1omni.frontends.views.display_axes import DisplayAxes

_LARGEST = 4096
"""Longest edge of a crop in pixels."""
CROP = "crop"


def label_axes(layer: Any) -> tuple[DisplayAxes, Sequence[str]]:
    """Return the axes in which a labels layer is displayed, and those in which its labels are stored."""
    pyramid = layer.metadata.get(RESULT_KEY, {}).get("pyramid")
    if pyramid is not None:
        return pyramid.display, pyramid.target.axes
    letters = "".join(AXES)[-layer.ndim :]
    return DisplayAxes(letters, (0,) * len(letters)), letters


def visible_box(viewer: Any, layer: Any) -> tuple[slice, ...]:
    """Return the visible part of a labels layer, along the axes in which its labels are stored.

    Raises
    ------
    JobError
        If no part of it is in view, or the part is too large.
    """
    display, axes = label_axes(layer)
    corners, point = visible_corners(layer), current_point(viewer, layer)
    displayed = displayed_dims(viewer, layer)
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    box = {}
    for i, axis in enumerate(display.axes):
        if i in displayed:
            low, high = int(corners[0][i]), int(np.ceil(corners[1][i])) + 1
        else:
            low = round(float(point[i]))
            high = low + 1
        low, high = max(0, low), min(shape[i], high)
        if high <= low:
            raise JobError("no part of the labels is in view", "a view of them", "move the view to them")
        if high - low > _LARGEST:
            raise JobError(
                f"{high - low:,} pixels along {axis} are in view",
                f"at most {_LARGEST:,} pixels",
                "zoom in, then open a crop",
            )
        box[axis] = slice(low, high)
    return tuple(box.get(a, slice(0, 1)) for a in axes)


def add_crop(link: ViewerLink, result: Any, box: tuple[slice, ...], pixels: NDArray[Any], label: int) -> Any:
    """Add a crop over its labels and let the user paint in it; return its layer.

    Parameters
    ----------
    link : ViewerLink
    result : napari.layers.Labels
    box : tuple of slice
        From :func:`visible_box`.
    pixels : array
        The labels in `box`.
    label : int
        The label to paint with at first, which no object has.
    """
    display, axes = label_axes(result)
    starts = dict(zip(axes, (float(b.start) for b in box), strict=True))
    offset = np.array(result.data_to_world([starts.get(a, 0.0) for a in display.axes[: result.ndim]]))
    if not np.allclose(result.affine.affine_matrix, np.eye(result.ndim + 1)):
        # Layers apply their affine after their translation.
        offset = np.array(result.affine.inverse(offset))
    shown = [a for a in display.axes if a in axes]
    data = pixels.transpose([axes.index(a) for a in shown])
    data = data.reshape(
        [1 if n else data.shape[shown.index(a)] for a, n in zip(display.axes, display.sizes, strict=True)]
    )
    crop = link.add(
        # A copy, since painted pixels are compared with those that were read.
        np.array(data, order="C"),
        "labels",
        name=f"{CROP} of {result.name}",
        scale=result.scale,
        translate=offset,
        rotate=result.rotate,
        shear=result.shear,
        affine=result.affine,
        units=result.units,
        axis_labels=result.axis_labels,
        metadata={RESULT_KEY: {CROP: result.name}},
    )
    result.visible = False
    link.viewer.layers.selection.active = crop
    crop.selected_label = label
    crop.mode = "paint"
    return crop
