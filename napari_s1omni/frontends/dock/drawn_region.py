"""Keeps the regions of jobs in step with the drawn shapes that they were taken from."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer

from napari_s1omni.frontends.dock.view_region import chosen_shapes, shapes_layer


class DrawnRegion:
    """Follows the shapes that are a region now, until one of them is deleted.

    Parameters
    ----------
    viewer : napari.Viewer
    on_deleted : callable
        Called when one of the shapes was deleted, with its layer or without.
    """

    def __init__(self, viewer: Any, on_deleted: Callable[[], None]) -> None:
        self._viewer = viewer
        self._on_deleted = on_deleted
        self._layer = layer = shapes_layer(viewer)
        self._count = len(layer.data)
        self._outlines = [np.array(layer.data[i]) for i in chosen_shapes(layer)]
        layer.events.data.connect(self._on_data)
        viewer.layers.events.removed.connect(self._on_layer_removed)

    @property
    def changed(self) -> bool:
        """Whether the shapes were moved or edited since they became the region."""
        return not self._all_there()

    def close(self) -> None:
        """Follow the shapes no more."""
        self._layer.events.data.disconnect(self._on_data)
        self._viewer.layers.events.removed.disconnect(self._on_layer_removed)

    def _all_there(self) -> bool:
        drawn = [np.asarray(one) for one in self._layer.data]
        return all(any(np.array_equal(one, outline) for one in drawn) for outline in self._outlines)

    def _on_data(self, event: Any = None) -> None:
        fewer = len(self._layer.data) < self._count
        self._count = len(self._layer.data)
        if fewer and not self._all_there():
            self._delete()

    def _on_layer_removed(self, event: Any = None) -> None:
        # A plugin sees proxies of layers, which are equal to them but not the same.
        if self._layer not in self._viewer.layers:
            self._delete()

    def _delete(self) -> None:
        self.close()
        # Once napari has taken the shape or the layer off the canvas.
        QTimer.singleShot(0, self._on_deleted)


class DrawnRegions:
    """The drawn regions of all source layers.

    Parameters
    ----------
    viewer : napari.Viewer
    on_deleted : callable
        Called with the key of a source layer when a shape of its region was deleted.
    """

    def __init__(self, viewer: Any, on_deleted: Callable[[Hashable], None]) -> None:
        self._viewer = viewer
        self._on_deleted = on_deleted
        self._regions: dict[Hashable, DrawnRegion] = {}

    def follow(self, key: Hashable) -> None:
        """Follow the shapes that are the region of a source layer now."""
        self.forget(key)
        self._regions[key] = DrawnRegion(self._viewer, partial(self._drop, key))

    def forget(self, key: Hashable) -> None:
        """Follow the shapes of a source layer no more: another region was chosen for it."""
        region = self._regions.pop(key, None)
        if region is not None:
            region.close()

    def changed(self, key: Hashable) -> bool:
        """Return whether the shapes of a source layer were moved or edited since they became its region."""
        return key in self._regions and self._regions[key].changed

    def close(self) -> None:
        """Follow nothing any more."""
        for key in list(self._regions):
            self.forget(key)

    def _drop(self, key: Hashable) -> None:
        if self._regions.pop(key, None) is not None:
            self._on_deleted(key)
