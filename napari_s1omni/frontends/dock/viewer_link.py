"""Keeps the chosen source layer of a viewer and the controller in step."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

from napari.layers import Image, Layer

from napari_s1omni.core.paths import settled_path
from napari_s1omni.errors import PlanError
from napari_s1omni.execution.run.status import describe_failure
from napari_s1omni.frontends.dock.notifications import show_error
from napari_s1omni.frontends.dock.view_region import box_in_view, region_of_shapes, spans_in_view
from napari_s1omni.frontends.napari_layers.layer_source import LayerSource
from napari_s1omni.frontends.napari_layers.layer_view import read_layer
from napari_s1omni.frontends.napari_layers.result_layers import RESULT_KEY
from napari_s1omni.frontends.session.controller import Controller
from napari_s1omni.frontends.session.job_document import no_layer

_WATCHED = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels", "data")
"""Events of the source layer after which it is read again."""


class ViewerLink:
    """Connects a viewer to a controller.

    Parameters
    ----------
    viewer : napari.Viewer
    controller : Controller
    on_layers : callable
        Called with the names of all image layers and that of the chosen one.
    """

    def __init__(self, viewer: Any, controller: Controller, on_layers: Callable[[list[str], str | None], None]) -> None:
        self.viewer = viewer
        self.controller = controller
        self.layer: Any = None
        """The chosen source layer."""
        self._on_layers = on_layers
        events = viewer.layers.events
        self._list_events = (events.inserted, events.removed, events.reordered)
        for event in self._list_events:
            event.connect(self._on_layer_list)
        viewer.layers.selection.events.active.connect(self._on_active_layer)
        self._on_layer_list()

    def close(self) -> None:
        """Stop listening to the viewer."""
        for event in self._list_events:
            event.disconnect(self._on_layer_list)
        self.viewer.layers.selection.events.active.disconnect(self._on_active_layer)
        if self.layer is not None:
            self._listen(self.layer, False)

    def name_of(self, path: str) -> str | None:
        """Return the name of the image layer that shows a path; the chosen layer is preferred."""
        wanted = settled_path(path)
        found = [one for one in self._images() if settled_path(read_layer(one).path or "") == wanted]
        return None if not found else self.layer.name if self.layer in found else found[0].name

    def choose(self, name: str) -> None:
        """Choose the source layer by its name."""
        layer = next((one for one in self.viewer.layers if one.name == name), None)
        self.controller.choose_layer(_key(layer))
        if layer is self.layer and layer is not None:
            return
        if self.layer is not None:
            self._listen(self.layer, False)
        self.layer = layer
        if layer is None:
            self.controller.choose_source(None)
            return
        self._listen(layer, True)
        self._read_layer()

    @property
    def key(self) -> Hashable:
        """What identifies the chosen layer; None without one."""
        return _key(self.layer)

    def spans_in_view(self) -> dict[str, tuple[float, float]]:
        """Return the visible part of the source layer by axis, in pixels."""
        return spans_in_view(self.viewer, self.layer, self._source())

    def box_in_view(self) -> dict[str, Any]:
        """Return the visible part of the source layer as a box.

        Raises
        ------
        JobError
            If no part of the layer is in view.
        """
        return box_in_view(self.viewer, self.layer, self._source())

    def region_of_shapes(self) -> dict[str, Any]:
        """Return the region inside the selected shapes, or inside the last one that was drawn.

        Raises
        ------
        JobError
            If there is no shape, or a shape lies outside the layer.
        """
        return region_of_shapes(self.viewer, self.layer, self._source())

    def add(self, data: Any, kind: str, **options: Any) -> Any:
        """Create a layer and add it without changing the active layer."""
        layer = Layer.create(data, options, kind)
        self.insert(layer)
        return layer

    def insert(self, layer: Any) -> None:
        """Add a layer without changing the active layer."""
        active = self.viewer.layers.selection.active
        self.viewer.layers.append(layer)
        if active is not None and active in self.viewer.layers:
            self.viewer.layers.selection.active = active

    def layers_of(self, path: Path) -> list[Any]:
        """Return the layers that show the result in a folder."""
        found = [(one, one.metadata.get(RESULT_KEY, {}).get("output")) for one in self.viewer.layers]
        return [one for one, output in found if output == str(path)]

    def remove(self, layer: Any) -> None:
        """Remove a layer if it is in the viewer."""
        if layer is not None and layer in self.viewer.layers:
            self.viewer.layers.remove(layer)

    def _images(self) -> list[Any]:
        """Return the image layers that this plugin did not make."""
        return [one for one in self.viewer.layers if isinstance(one, Image) and RESULT_KEY not in one.metadata]

    def _source(self) -> LayerSource:
        if self.layer is None or self.controller.source is None:
            raise no_layer()
        return self.controller.source

    def _on_layer_list(self, event: Any = None) -> None:
        names = [one.name for one in self._images()]
        gone = self.layer is not None and self.layer not in self.viewer.layers
        chosen = None if gone or self.layer is None else self.layer.name
        if chosen is None and names:
            chosen = names[-1]
        self._on_layers(names, chosen)
        if chosen is None or gone or self.layer is None:
            self.choose(chosen or "")

    def _on_active_layer(self, event: Any) -> None:
        layer = event.value
        if isinstance(layer, Image) and RESULT_KEY not in layer.metadata and layer is not self.layer:
            self.choose(layer.name)
            self._on_layer_list()

    def _listen(self, layer: Any, on: bool) -> None:
        for name, work in (("name", self._on_layer_list), *((name, self._read_layer) for name in _WATCHED)):
            emitter = getattr(layer.events, name)
            (emitter.connect if on else emitter.disconnect)(work)

    def _read_layer(self, event: Any = None) -> None:
        try:
            self.controller.choose_source(read_layer(self.layer, self.viewer.layers))
        except PlanError as error:
            show_error(describe_failure(error))


def _key(layer: Any) -> Hashable:
    return None if layer is None else layer.unique_id
