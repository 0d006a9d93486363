"""A source as an array that reads its pixels when it is indexed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.frontends.views.lazy_array import LazyArray, bounds
from napari_s1omni.storage.source import Source

_KEPT = 2**20
"""Largest level in pixels that is read once and kept: viewers return to coarse levels, whose pixels cost most."""


class SourceArray(LazyArray):
    """A source, or every n-th pixel of it along y and x.

    Parameters
    ----------
    source : Source
    factor : int
        Step between pixels along y and x.
    channels_last : bool
        Whether the channel axis comes last, as napari expects of RGB images.
    """

    def __init__(self, source: Source, factor: int = 1, *, channels_last: bool = False) -> None:
        axes = "".join(source.spec.axes)
        self._axes = axes.replace("c", "") + "c" if channels_last else axes
        self._steps = [factor if a in "yx" else 1 for a in self._axes]
        sizes = dict(zip(axes, source.spec.shape, strict=True))
        super().__init__(
            [-(-sizes[a] // step) for a, step in zip(self._axes, self._steps, strict=True)], source.spec.np_dtype
        )
        self._source = source
        self._whole: NDArray[Any] | None = None

    @property
    def store_path(self) -> str:
        """URI from which any process can open the source; empty for a computed level."""
        return self._source.spec.source or ""

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read the selected pixels."""
        if self.size > _KEPT:
            return super().__getitem__(key)
        if self._whole is None:
            self._whole = np.ascontiguousarray(super().__getitem__(...))
            self._whole.setflags(write=False)
        pixels: NDArray[Any] = self._whole[key]
        return pixels

    def read(self, ranges: Sequence[range]) -> NDArray[Any]:
        """Read the given indices along each axis."""
        fine = [range(r.start * f, r.stop * f, r.step * f) for r, f in zip(ranges, self._steps, strict=True)]
        box = {axis: bounds(indices) for axis, indices in zip(self._axes, fine, strict=True)}
        spec = self._source.spec
        pixels = self._source.read([box[a] for a in spec.axes])
        every = tuple(slice(None, None, indices.step) for indices in fine)
        return pixels.transpose([spec.axes.index(a) for a in self._axes])[every]
