"""napari layers of results whose slicing never waits for a disk."""

from __future__ import annotations

import contextlib
from typing import Any

import napari.layers

from napari_s1omni.frontends.napari_layers.result_layers import RESULT_KEY


class _CachedSlicing:
    """Lets napari slice from memory on the GUI thread; all other reads are exact."""

    def _slice_dims(self, *args: Any, **options: Any) -> None:
        with self._cached_reads():
            super()._slice_dims(*args, **options)  # type: ignore[misc]

    def set_view_slice(self) -> None:
        with self._cached_reads():
            super().set_view_slice()  # type: ignore[misc]

    def _cached_reads(self) -> contextlib.AbstractContextManager[None]:
        pyramid = self.metadata.get(RESULT_KEY, {}).get("pyramid")  # type: ignore[attr-defined]
        return pyramid.cached_reads() if pyramid is not None else contextlib.nullcontext()


# napari saves and lists layers by the names of their classes, so they keep napari's names.
class Labels(_CachedSlicing, napari.layers.Labels):
    """The labels of a result."""


class Image(_CachedSlicing, napari.layers.Image):
    """The image of a result."""


def create_layer(data: Any, kind: str, **options: Any) -> Any:
    """Create the layer of a result: ``labels`` or ``image``."""
    return Labels(data, **options) if kind == "labels" else Image(data, **options)
