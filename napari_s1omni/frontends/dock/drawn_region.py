"""Keeps the region of a job in step with the drawn shapes that it was taken from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer

from napari_s1omni.frontends.dock.view_region import chosen_shapes, shapes_layer


class DrawnRegion:
    """Follows the shapes that are the region, until another region is chosen.

    Parameters
    ----------
    viewer : napari.Viewer
    on_deleted : callable
        Called when one of the shapes was deleted, with its layer or without.
    """

    def __init__(self, viewer: Any, on_deleted: Callable[[], None]) -> None:
        self._viewer = viewer
        self._on_deleted = on_deleted
        self._layer: Any = None
        self._count = 0
        self._outlines: list[Any] = []
        viewer.layers.events.removed.connect(self._on_layer_removed)

    def follow(self) -> None:
        """Follow the shapes that are the region now."""
        self.forget()
        self._layer = layer = shapes_layer(self._viewer)
        self._count = len(layer.data)
        self._outlines = [np.array(layer.data[i]) for i in chosen_shapes(layer)]
        layer.events.data.connect(self._on_data)

    def forget(self) -> None:
        """Follow no shape any more."""
        if self._layer is not None:
            self._layer.events.data.disconnect(self._on_data)
        self._layer, self._outlines = None, []

    @property
    def changed(self) -> bool:
        """Whether the shapes were moved or edited since they became the region."""
        return self._layer is not None and not self._all_there()

    def close(self) -> None:
        """Stop listening to the viewer."""
        self.forget()
        self._viewer.layers.events.removed.disconnect(self._on_layer_removed)

    def _all_there(self) -> bool:
        drawn = [np.asarray(one) for one in self._layer.data]
        return all(any(np.array_equal(one, outline) for one in drawn) for outline in self._outlines)

    def _on_data(self, event: Any = None) -> None:
        if len(self._layer.data) >= self._count:
            self._count = len(self._layer.data)
        elif self._all_there():
            self._count = len(self._layer.data)
        else:
            self._delete()

    def _on_layer_removed(self, event: Any = None) -> None:
        # A plugin sees proxies of layers, which are equal to them but not the same.
        if self._layer is not None and self._layer not in self._viewer.layers:
            self._delete()

    def _delete(self) -> None:
        self.forget()
        # Once napari has taken the shape or the layer off the canvas.
        QTimer.singleShot(0, self._on_deleted)
