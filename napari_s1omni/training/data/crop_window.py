"""A square window of a field, rotated and mirrored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class CropWindow:
    """Place, size and orientation of a crop."""

    y: int
    x: int
    size: int
    """Edge in pixels of the field."""
    turns: int
    """Quarter turns."""
    mirrored: bool

    @classmethod
    def random(cls, rng: np.random.Generator, shape: tuple[int, ...], edge: int, zoom: float, augment: bool) -> Self:
        """Draw a window of a field of `shape` (H, W) that becomes `edge` pixels wide at `zoom`.

        It is smaller if the field is. With `augment` it is rotated and mirrored.
        """
        height, width = shape
        size = min(math.ceil(edge / zoom), height, width)
        y, x = (int(rng.integers(0, n - size + 1)) for n in (height, width))
        turns, mirrored = (int(rng.integers(4)), bool(rng.random() < 0.5)) if augment else (0, False)
        return cls(y, x, size, turns, mirrored)

    def of(self, planes: NDArray[Any]) -> NDArray[Any]:
        """Crop (C, H, W) to (C, size, size)."""
        crop = np.rot90(planes[:, self.y : self.y + self.size, self.x : self.x + self.size], self.turns, (1, 2))
        return np.ascontiguousarray(crop[:, :, ::-1] if self.mirrored else crop)
