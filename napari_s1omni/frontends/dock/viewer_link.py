"""ViewerLink: what the viewer shows and where it looks, for the pages of the dock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from napari.layers import Image, Layer, Shapes

from napari_s1omni.errors import JobError, PlanError
from napari_s1omni.execution.run.status import describe_failure
from napari_s1omni.frontends.dock.notifications import show_error
from napari_s1omni.frontends.napari_layers.layers import Located, read_layer
from napari_s1omni.frontends.napari_layers.region_from_shapes import region_of
from napari_s1omni.frontends.session.controller import Controller

MARK = "s1omni"
"""Key in the metadata of layers that the dock made."""


class ViewerLink:
    """Between a viewer and a controller.

    Parameters
    ----------
    viewer : napari.Viewer
    controller : Controller
    on_layers : callable
        Called with the names to choose from and the chosen one.
    """

    def __init__(self, viewer: Any, controller: Controller, on_layers: Callable[[list[str], str | None], None]) -> None:
        self.viewer = viewer
        self.controller = controller
        self.layer: Any = None
        """The chosen source layer."""
        self._on_layers = on_layers
        self._events = viewer.layers.events
        for event in (self._events.inserted, self._events.removed, self._events.reordered):
            event.connect(self._listed)
        viewer.layers.selection.events.active.connect(self._activated)
        self._listed()

    def close(self) -> None:
        """Listen no more."""
        for event in (self._events.inserted, self._events.removed, self._events.reordered):
            event.disconnect(self._listed)
        self.viewer.layers.selection.events.active.disconnect(self._activated)
        if self.layer is not None:
            self._listen(self.layer, False)

    def name_of(self, place: str) -> str | None:
        """Return the name of the image layer that shows what lies somewhere, the chosen one first."""
        images = [one for one in self.viewer.layers if isinstance(one, Image) and MARK not in one.metadata]
        found = [one for one in images if read_layer(one).path == place]
        return None if not found else self.layer.name if self.layer in found else found[0].name

    def choose(self, name: str) -> None:
        """Work on the layer of this name."""
        layer = next((one for one in self.viewer.layers if one.name == name), None)
        if layer is self.layer and layer is not None:
            return
        if self.layer is not None:
            self._listen(self.layer, False)
        self.layer = layer
        if layer is None:
            self.controller.choose_source(None)
            return
        self._listen(layer, True)
        self._look()

    def spans_in_view(self) -> dict[str, tuple[float, float]]:
        """Return what is seen of the source layer, in its px, by axis."""
        located = self._located()
        layer = self.layer
        corners = np.array(layer.corner_pixels, float)
        if layer.multiscale:
            corners = corners * layer.downsample_factors[layer.data_level]
        point = layer.world_to_data(self._world(layer))
        shown = self._displayed(layer)
        spans = {}
        for i, axis in enumerate(located.axes):
            low, high = (corners[0][i], corners[1][i] + 1) if i in shown else (point[i], point[i])
            n = located.view.shape[i]
            spans[axis] = (float(min(max(low, 0), n - 1)), float(min(max(high, 0), n)))
        return spans

    def centre(self) -> tuple[float, float, float, float]:
        """Return where the camera looks, as (t, z, y, x) in px of the source."""
        located = self._located()
        point = dict(zip(located.axes, self.layer.world_to_data(self._world(self.layer)), strict=False))
        t, z, y, x = (float(point.get(axis, 0.0)) for axis in "tzyx")
        return t, z, y, x

    def box_in_view(self) -> dict[str, Any]:
        """Return the box of what is seen, planes and time points that are not shown left out.

        Raises
        ------
        JobError
            If nothing of the layer is seen.
        """
        return self._box(self.spans_in_view())

    def region_of_shape(self) -> dict[str, Any]:
        """Return the region inside of the selected shapes, or of the last one that was drawn.

        Raises
        ------
        JobError
            If no shape is there, or it lies outside of the layer.
        """
        located = self._located()
        active = self.viewer.layers.selection.active
        layers = [active] if isinstance(active, Shapes) else [x for x in self.viewer.layers if isinstance(x, Shapes)]
        drawn = next((one for one in reversed(layers) if len(one.data)), None)
        if drawn is None:
            raise JobError(
                "no shape is drawn", "a rectangle, ellipse or polygon in a Shapes layer", "draw one around the region"
            )
        flat = [located.axes.index(a) for a in "yx"]
        sizes = np.array([located.view.shape[i] for i in flat])
        chosen = sorted(drawn.selected_data) or [len(drawn.data) - 1]
        outlines = []
        for i in chosen:
            world = np.array([drawn.data_to_world(v) for v in _outline(drawn.data[i], drawn.shape_type[i])])
            full = np.tile(self._world(self.layer), (len(world), 1))
            n = min(full.shape[1], world.shape[1])
            full[:, -n:] = world[:, -n:]
            points = np.array([self.layer.world_to_data(p) for p in full])[:, flat]
            if (points.max(axis=0) <= 0).any() or (points.min(axis=0) >= sizes).any():
                raise JobError("the shape lies outside of the layer", "a shape on the image", "draw it there")
            outlines.append(np.clip(points, 0, sizes))
        point = self.layer.world_to_data(self._world(self.layer))
        shown = self._displayed(self.layer)
        plane = {
            a: max(0, min(round(float(point[i])), located.view.shape[i] - 1))
            for i, a in enumerate(located.axes)
            if a in "tz" and i not in shown and a in located.spec.axes
        }
        return region_of(outlines, plane)

    def add(self, data: Any, kind: str, **options: Any) -> Any:
        """Make a layer and add it without taking the selection away from what the user works on."""
        layer = Layer.create(data, options, kind)
        self.insert(layer)
        return layer

    def insert(self, layer: Any) -> None:
        """Add a layer without taking the selection away from what the user works on."""
        active = self.viewer.layers.selection.active
        self.viewer.layers.append(layer)
        if active is not None and active in self.viewer.layers:
            self.viewer.layers.selection.active = active

    def remove(self, layer: Any) -> None:
        """Take a layer out of the viewer if it is there."""
        if layer is not None and layer in self.viewer.layers:
            self.viewer.layers.remove(layer)

    def _box(self, spans: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
        box: dict[str, Any] = {"type": "box"}
        for axis, (low, high) in spans.items():
            if axis in "tz" and high <= low:
                box[axis] = [int(low + 0.5), int(low + 0.5) + 1]
            elif axis in "yx":
                if int(high) <= int(low):
                    raise JobError("nothing of the layer is in view", "a view of the image", "move to it")
                box[axis] = [int(low), int(high)]
        return box

    def _located(self) -> Located:
        if self.layer is None or self.controller.source is None:
            raise JobError("no image layer is chosen", "an image layer", "open an image, or choose its layer")
        return self.controller.source

    def _world(self, layer: Any) -> np.ndarray[Any, Any]:
        """Centre of the view in the world coordinates of a layer's dimensions."""
        dims = self.viewer.dims
        point = np.array(dims.point, float)
        displayed = list(dims.displayed)
        point[displayed] = np.array(self.viewer.scene.camera.center, float)[-len(displayed) :]
        return point[-layer.ndim :]

    def _displayed(self, layer: Any) -> list[int]:
        missing = self.viewer.dims.ndim - layer.ndim
        return [d - missing for d in self.viewer.dims.displayed if d >= missing]

    def _listed(self, event: Any = None) -> None:
        names = [one.name for one in self.viewer.layers if isinstance(one, Image) and MARK not in one.metadata]
        gone = self.layer is not None and self.layer not in self.viewer.layers
        chosen = None if gone or self.layer is None else self.layer.name
        if chosen is None and names:
            chosen = names[-1]
        self._on_layers(names, chosen)
        if chosen is None or gone or self.layer is None:
            self.choose(chosen or "")

    def _activated(self, event: Any) -> None:
        layer = event.value
        if isinstance(layer, Image) and MARK not in layer.metadata and layer is not self.layer:
            self.choose(layer.name)
            self._listed()

    def _listen(self, layer: Any, on: bool) -> None:
        for name in ("name", "scale", "translate", "rotate", "shear", "affine", "units", "axis_labels", "data"):
            emitter = getattr(layer.events, name)
            work = self._listed if name == "name" else self._look
            (emitter.connect if on else emitter.disconnect)(work)

    def _look(self, event: Any = None) -> None:
        try:
            self.controller.choose_source(read_layer(self.layer, self.viewer.layers))
        except PlanError as error:
            show_error(describe_failure(error))


def _outline(vertices: Any, kind: str) -> Any:
    """Vertices of a shape; an ellipse, which napari keeps by the corners around it, as 64 points."""
    corners = np.array(vertices, float)
    if kind != "ellipse":
        return corners
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    first, second = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    return corners.mean(axis=0) + np.outer(np.cos(angles), first) + np.outer(np.sin(angles), second)
