"""Where a result lies in world coordinates, as the transform of its layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.frontends.napari_layers.layer_geometry import shear_matrix, shear_vector
from napari_s1omni.frontends.napari_layers.layer_source import LayerSource
from napari_s1omni.frontends.napari_layers.transform_file import read_transform
from napari_s1omni.frontends.views.display_axes import DisplayAxes
from napari_s1omni.planning.plan import Plan


def result_transform(layer: LayerSource, plan: Plan, display: DisplayAxes) -> dict[str, Any]:
    """Return the layer transform, units and axis labels that put a result over its source layer.

    Pixel ``r`` of the result has its centre at pixel ``r * f + o`` of the source, so the transform of the source layer
    is kept, with its scale multiplied by ``f`` and its translation moved by ``o``.
    """
    view, source, target = layer.view, plan.source, plan.target
    axes = [a for a in display.axes if not (target.rgb and a == "c")]
    at = [layer.axes.index(a) if a in layer.axes else None for a in axes]
    factor, offset = np.ones(view.ndim), np.zeros(view.ndim)
    for i, a in enumerate(layer.axes):
        if a in target.axes and a in source.axes:
            # A job may read a coarser level than the layer shows.
            level = round(layer.spec.size(a) / source.size(a))
            factor[i] = level * target.scale_of(a) / source.scale_of(a)
            start = target.translate[target.axes.index(a)] - source.translate[source.axes.index(a)]
            offset[i] = level * start / source.scale_of(a) + (level - 1) / 2
    kept = [i for i in at if i is not None]
    new = len(at) - len(kept)
    place = stretched_transform(view, kept, factor, offset)
    return {
        "scale": (*(1.0,) * new, *place["scale"]),
        "translate": (*(0.0,) * new, *place["translate"]),
        "rotate": _grown(place["rotate"], new),
        "shear": shear_vector(_grown(place["shear"], new)),
        "affine": _grown(place["affine"], new),
        "units": (*("pixel",) * new, *(view.units[i] for i in kept)),
        "axis_labels": tuple(axes) if new else tuple(view.axis_labels[i] for i in kept),
    }


def stretched_transform(layer: Any, kept: Sequence[int], factor: NDArray[Any], offset: NDArray[Any]) -> dict[str, Any]:
    """Return the transform of pixels that lie on those of a layer: pixel ``r`` at pixel ``r * factor + offset``.

    Parameters
    ----------
    layer : LayerView or napari.layers.Layer
    kept : sequence of int
        Dimensions of the layer that the new pixels have.
    factor, offset : float (ndim,)
        One per dimension of the layer.

    Returns
    -------
    dict
        Scale, translation, rotation, shear and affine along the dimensions `kept`, the last three as matrices.
    """
    scale, n = np.array(layer.scale, float), len(layer.scale)
    rotate, shear = np.array(layer.rotate, float), shear_matrix(np.array(layer.shear, float), n)
    affine = np.array(getattr(layer.affine, "affine_matrix", layer.affine), float)
    translate = np.array(layer.translate, float) + rotate @ shear @ (scale * offset)
    chosen, homogeneous = np.ix_(kept, kept), np.ix_([*kept, n], [*kept, n])
    return {
        "scale": (scale * factor)[list(kept)],
        "translate": translate[list(kept)],
        "rotate": rotate[chosen],
        "shear": shear[chosen],
        "affine": affine[homogeneous],
    }


def stored_transform(plan: Plan, axes: str, path: Path | None = None) -> dict[str, Any]:
    """Return the layer transform of a result whose source layer is not open.

    It is read from the file beside the result, else from its plan, which knows no rotation, shear or affine.

    Parameters
    ----------
    plan : Plan
    axes : str
        Displayed axes, in order.
    path : Path, optional
        The output folder; None reads nothing.
    """
    target = plan.target
    axes = "".join(a for a in axes if not (target.rgb and a == "c"))
    at = [target.axes.index(a) for a in axes]
    options = {
        "scale": tuple(target.scale[i] for i in at),
        "translate": tuple(target.translate[i] for i in at),
        "units": tuple(target.units[i] or "pixel" for i in at),
        "axis_labels": tuple(target.axes[i] for i in at),
    }
    return options if path is None else read_transform(path, axes, options)


def _grown(matrix: NDArray[Any], new: int) -> NDArray[Any]:
    """Put dimensions with an identity transform in front."""
    larger = np.eye(len(matrix) + new)
    larger[new:, new:] = matrix
    return larger
