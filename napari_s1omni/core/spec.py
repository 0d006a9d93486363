"""The description of a layer, without its pixels."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from napari_s1omni.core.pixel_frame import PixelFrame
from napari_s1omni.errors import SourceError

AXES = "tczyx"
"""Axes in canonical order: time, channel, z, y, x."""


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """Shape, axes, dtype, pixel size and kind of one image or label layer.

    Examples
    --------
    >>> import napari_s1omni
    >>> spec = napari_s1omni.LayerSpec((5, 64, 48), ("z", "y", "x"), "uint16", scale=(2.0, 0.5, 0.5))
    >>> spec.size("z"), spec.scale_of("x")
    (5, 0.5)
    """

    shape: tuple[int, ...]
    """Size per axis in pixels, in the order of `axes`."""
    axes: tuple[str, ...]
    """Subset of ``t c z y x`` in this order, with y and x."""
    dtype: str
    """numpy name in native byte order, such as ``uint16``."""
    scale: tuple[float, ...] = ()
    """Pixel size per axis in `units`; 1 if unknown. Empty means all 1."""
    translate: tuple[float, ...] = ()
    """World position of the centre of the first pixel, in `units`. Empty means all 0."""
    units: tuple[str | None, ...] = ()
    """NGFF unit names per axis (``micrometer``, ``second``); None if unknown. Empty means all None."""
    kind: Literal["image", "labels"] = "image"
    source: str | None = None
    """URI from which any process can open it again; None for a layer in memory."""
    channel_names: tuple[str, ...] = ()
    """One name per channel, or empty."""
    rgb: bool = False
    """Whether the three channels are the colours of one picture, not three stains."""
    frame: PixelFrame | None = None
    """Where its pixels lie in the full resolution of its image, for a coarser level; None: it is full resolution."""

    def __post_init__(self) -> None:
        n = len(self.shape)
        for name, default in (("scale", 1.0), ("translate", 0.0), ("units", None)):
            if not getattr(self, name):
                object.__setattr__(self, name, (default,) * n)
        if "".join(a for a in AXES if a in self.axes) != "".join(self.axes) or not {"y", "x"} <= set(self.axes):
            raise SourceError(
                f"axes {''.join(self.axes)!r} of {self.source or 'the image'}",
                "axes are a subset of 'tczyx' in this order, with y and x",
                "name or move the axes",
                axes=self.axes,
            )
        if not n == len(self.axes) == len(self.scale) == len(self.translate) == len(self.units):
            raise SourceError(
                f"{self.source or 'the image'} has {n} dimensions but axes {''.join(self.axes)!r}, "
                f"scale {self.scale}, translate {self.translate} and units {self.units}",
                "one entry for each dimension",
                shape=self.shape,
            )
        if any(s < 1 for s in self.shape):
            raise SourceError(
                f"shape {self.shape} of {self.source or 'the image'} is empty", "every axis has at least 1 px"
            )
        if not all(math.isfinite(s) and s > 0 for s in self.scale):
            raise SourceError(
                f"scale {self.scale} of {self.source or 'the image'}",
                "a pixel size is finite and above 0",
                "correct the metadata",
            )

    def __contains__(self, axis: str) -> bool:
        return axis in self.axes

    def size(self, axis: str) -> int:
        """Size along `axis` in pixels; 1 if the layer has no such axis."""
        return self.shape[self.axes.index(axis)] if axis in self.axes else 1

    def scale_of(self, axis: str) -> float:
        """Pixel size along `axis` in its unit; 1 if the layer has no such axis."""
        return self.scale[self.axes.index(axis)] if axis in self.axes else 1.0

    def unit_of(self, axis: str) -> str | None:
        """Unit along `axis`, or None."""
        return self.units[self.axes.index(axis)] if axis in self.axes else None

    @property
    def pixel_frame(self) -> PixelFrame:
        """Where its pixels lie in the full resolution of its image."""
        return self.frame or PixelFrame.whole({a: self.size(a) for a in "tzyx"})

    @property
    def np_dtype(self) -> np.dtype[Any]:
        return np.dtype(self.dtype)

    @property
    def nbytes(self) -> int:
        """Uncompressed size in bytes."""
        return math.prod(self.shape) * self.np_dtype.itemsize

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def without(self, axis: str) -> Self:
        """Return a copy without one axis."""
        if axis not in self.axes:
            return self
        i = self.axes.index(axis)
        dropped: dict[str, Any] = {
            name: (*getattr(self, name)[:i], *getattr(self, name)[i + 1 :])
            for name in ("shape", "axes", "scale", "translate", "units")
        }
        if axis == "c":
            dropped.update(channel_names=(), rgb=False)
        return self.replace(**dropped)

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data = {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self) if f.name != "frame"}
        return data if self.frame is None else {**data, "frame": self.frame.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_json`."""
        fields: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in data.items()}
        if "frame" in fields:
            fields["frame"] = PixelFrame.from_json(fields["frame"])
        return cls(**fields)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
