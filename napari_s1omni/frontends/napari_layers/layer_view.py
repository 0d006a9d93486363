"""The attributes of a napari layer that a job needs, read without touching its pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import AXES
from napari_s1omni.errors import PlanError
from napari_s1omni.frontends.napari_layers.job_files import is_job_path
from napari_s1omni.frontends.napari_layers.layer_axes import named_axes
from napari_s1omni.frontends.napari_layers.layer_geometry import linear_matrix, pixel_sizes, world_axes


@dataclass(frozen=True, slots=True)
class LayerView:
    """Attributes of an image layer, safe to hand to another thread."""

    name: str
    path: str | None
    """Where the pixels are stored, according to napari or the array."""
    data: Any
    """The array, or the levels of a pyramid."""
    shape: tuple[int, ...]
    """Shape of the finest level, with the samples of an RGB image last."""
    rgb: bool
    axes: str
    """Letters of its axes, with ``s`` for colour samples; empty if labels and units do not name every axis."""
    scale: tuple[float, ...]
    translate: tuple[float, ...]
    rotate: NDArray[Any]
    shear: NDArray[Any]
    affine: NDArray[Any]
    """Homogeneous matrix that napari applies after scale, translate, rotate and shear."""
    units: tuple[str, ...]
    axis_labels: tuple[str, ...]
    channel: int | None = None
    """Its position among the layers from the same path, in the order in which they were added; None if the only one."""
    named: tuple[str, ...] = ()
    """What labels and units say of each dimension, from :func:`named_axes`; empty if nobody asked."""

    @property
    def linear(self) -> NDArray[Any]:
        """Transform from pixels to the world without its translation: float (ndim, ndim)."""
        return linear_matrix(self.scale, self.rotate, self.shear, self.affine)

    @property
    def pixel_sizes(self) -> tuple[float, ...]:
        """Length of a pixel's edges in the world, one per dimension, in :attr:`pixel_units`."""
        return pixel_sizes(self.linear)

    @property
    def pixel_units(self) -> tuple[str, ...]:
        """Unit of each dimension: that of the world axis along which it lies."""
        return tuple(self.units[i] for i in world_axes(self.linear))

    @property
    def ndim(self) -> int:
        """Number of dimensions without colour samples."""
        return len(self.scale)


def read_layer(layer: Any, others: Iterable[Any] = (), kind: str = "Image") -> LayerView:
    """Read the attributes of an image layer, or of labels.

    Parameters
    ----------
    layer : napari.layers.Layer
    others : iterable of layers
        All layers of the viewer; those from the same path are its channels.
    kind : {"Image", "Labels"}
        What the layer has to be.

    Raises
    ------
    PlanError
        If the layer is of another kind.
    """
    found = type(layer).__name__
    if found != kind:
        raise PlanError(
            f"layer '{layer.name}' holds {'labels' if found == 'Labels' else found.lower()}",
            "operations read an image layer",
            "choose an image layer",
            layer=layer.name,
        )
    rgb = kind == "Image" and bool(layer.rgb)
    levels = list(layer.data) if layer.multiscale else [layer.data]
    path = _path(layer, levels[0])
    same = [o for o in others if type(o).__name__ == "Image" and o.source.path and _path(o, None) == path]
    labels = tuple(layer.axis_labels)
    units = tuple(str(u) for u in layer.units)
    named = named_axes(labels, units)
    complete = all(named) and len(set(named)) == len(named) and {"y", "x"} <= set(named) <= set(AXES)
    return LayerView(
        name=layer.name,
        path=path,
        data=levels if layer.multiscale else levels[0],
        shape=tuple(int(n) for n in levels[0].shape),
        rgb=rgb,
        axes="".join(named) + "s" * rgb if complete else "",
        scale=tuple(map(float, layer.scale)),
        translate=tuple(map(float, layer.translate)),
        rotate=np.array(layer.rotate),
        shear=np.array(layer.shear),
        affine=np.array(layer.affine.affine_matrix),
        units=units,
        axis_labels=labels,
        channel=same.index(layer) if path and len(same) > 1 and layer in same else None,
        named=named,
    )


def _path(layer: Any, array: Any) -> str | None:
    # A job file names an image but is none; its array knows the path, and which image of a file it shows.
    stored = str(getattr(array, "store_path", "") or "")
    if layer.source.path and stored.startswith(f"{layer.source.path}::"):
        return stored
    if layer.source.path and not is_job_path(str(layer.source.path)):
        return str(layer.source.path)
    # A zarr array knows its own path.
    return stored if ("://" in stored or stored.startswith("/")) and not stored.startswith("memory") else None
