"""Layers of results: napari's own, but drawing them never waits for a disk."""

from __future__ import annotations

import contextlib
from typing import Any

import napari.layers

from napari_s1omni.frontends.dock.viewer_link import MARK


class _Hurried:
    """Lets napari's slicing on the thread of the widgets take what is in memory; everything else reads exactly."""

    def _slice_dims(self, *args: Any, **options: Any) -> None:
        with self._hurry():
            super()._slice_dims(*args, **options)  # type: ignore[misc]

    def set_view_slice(self) -> None:
        with self._hurry():
            super().set_view_slice()  # type: ignore[misc]

    def _hurry(self) -> contextlib.AbstractContextManager[None]:
        levels = self.metadata.get(MARK, {}).get("levels")  # type: ignore[attr-defined]
        return levels.hurried() if levels is not None else contextlib.nullcontext()


# The names are napari's, for it saves and lists layers by the names of their classes.
class Labels(_Hurried, napari.layers.Labels):
    """The labels of a result."""


class Image(_Hurried, napari.layers.Image):
    """The image of a result."""


def create(data: Any, kind: str, **options: Any) -> Any:
    """Make a layer of a result: ``labels``, or ``image``."""
    return Labels(data, **options) if kind == "labels" else Image(data, **options)
