"""Where the pixels of a level, or of a part of it, lie among the full-resolution pixels of an image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_AXES = "tzyx"


@dataclass(frozen=True, slots=True)
class PixelFrame:
    """The frame of reference of files that are exchanged with other programs: full-resolution pixels of the source.

    Positions along an axis are counted as QuPath and ImageJ do: 0 is the outer corner of the first pixel, so
    pixel ``i`` reaches from ``i`` to ``i + 1`` and its centre is at ``i + 0.5``.

    Examples
    --------
    >>> half = PixelFrame((1.0, 1.0, 2.0, 2.0), (0.0, 0.0, 0.0, 0.0), (1, 1, 256, 300))
    >>> half.to_full("x", 10), half.from_full("x", 20)
    (20.0, 10.0)
    """

    step: tuple[float, float, float, float]
    """Full-resolution pixels per pixel, along t, z, y and x."""
    start: tuple[float, float, float, float]
    """Outer corner of the first pixel in full-resolution pixels, along t, z, y and x."""
    extent: tuple[int, int, int, int]
    """Size of the image at full resolution in pixels, along t, z, y and x."""

    @classmethod
    def whole(cls, sizes: Mapping[str, int]) -> Self:
        """Return the frame of an image at full resolution; an axis that is left out has 1 pixel."""
        return cls((1.0,) * 4, (0.0,) * 4, _four(sizes, 1))

    @classmethod
    def of_level(
        cls, sizes: Mapping[str, int], step: Mapping[str, float], shift: Mapping[str, float] | None = None
    ) -> Self:
        """Return the frame of a level of a pyramid.

        Parameters
        ----------
        sizes : mapping of axis to int
            Size at full resolution in pixels.
        step : mapping of axis to float
            Full-resolution pixels per pixel of the level; 1 for an axis that is left out.
        shift : mapping of axis to float, optional
            Centre of the first pixel of the level minus that of the image, in full-resolution pixels; by default
            both begin at the same outer corner: ``(step - 1) / 2``.
        """
        steps = {a: _round(step.get(a, 1.0)) for a in _AXES}
        starts = {a: 0.0 if shift is None else _round(shift.get(a, 0.0) - (steps[a] - 1) / 2) for a in _AXES}
        return cls(_four(steps, 1.0), _four(starts, 0.0), _four(sizes, 1))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_json`."""
        return cls(*(tuple(data[name]) for name in ("step", "start", "extent")))

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"step": list(self.step), "start": list(self.start), "extent": list(self.extent)}

    def part(self, first: Mapping[str, int], zoom: Mapping[str, int] | None = None) -> PixelFrame:
        """Return the frame of a part.

        Parameters
        ----------
        first : mapping of axis to int
            First pixel of the part, in pixels of this frame.
        zoom : mapping of axis to int, optional
            Pixels of the part per pixel of this frame, for a super-resolved result.
        """
        zoom = zoom or {}
        step, start = dict(zip(_AXES, self.step, strict=True)), dict(zip(_AXES, self.start, strict=True))
        starts = {a: start[a] + step[a] * first.get(a, 0) for a in _AXES}
        return PixelFrame(_four({a: step[a] / zoom.get(a, 1) for a in _AXES}, 1.0), _four(starts, 0.0), self.extent)

    @property
    def integral(self) -> bool:
        """Whether every corner of a pixel lies at a whole number of full-resolution pixels."""
        return all(float(v).is_integer() for v in (*self.step, *self.start))

    def step_of(self, axis: str) -> float:
        """Full-resolution pixels per pixel along `axis`."""
        return self.step[_AXES.index(axis)]

    def size(self, axis: str) -> int:
        """Size of the image at full resolution along `axis`, in pixels."""
        return self.extent[_AXES.index(axis)]

    def to_full(self, axis: str, position: Any) -> Any:
        """Convert a position in pixels, or an array of them, to full-resolution pixels."""
        i = _AXES.index(axis)
        return self.start[i] + self.step[i] * position

    def from_full(self, axis: str, position: Any) -> Any:
        """Convert a position in full-resolution pixels, or an array of them, to pixels."""
        i = _AXES.index(axis)
        return (position - self.start[i]) / self.step[i]

    def full_index(self, axis: str, index: int) -> int:
        """Return the full-resolution pixel that holds the centre of a pixel; of two that share it, the first."""
        centre: float = self.to_full(axis, index + 0.5)
        return math.ceil(centre) - 1

    def index_of_full(self, axis: str, index: int) -> int:
        """Return the pixel that holds the centre of a full-resolution pixel."""
        centre: float = self.from_full(axis, index + 0.5)
        return math.floor(centre)

    def full_indices(self, axis: str, first: int, last: int) -> NDArray[np.int64]:
        """Return :meth:`full_index` of pixels `first` to `last` - 1, inside the image."""
        centres = self.to_full(axis, np.arange(first, last) + 0.5)
        found: NDArray[np.int64] = np.clip(np.ceil(centres).astype(np.int64) - 1, 0, self.size(axis) - 1)
        return found


def _four(values: Mapping[str, Any], default: Any) -> Any:
    return tuple(values.get(a, default) for a in _AXES)


def _round(value: float) -> float:
    """Return a whole or half number where only rounding errors of stored pixel sizes keep it from being one."""
    near = round(2 * value) / 2
    return near if abs(value - near) < 1e-5 else value
