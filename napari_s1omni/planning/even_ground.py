"""Uneven ground that is taken out of what an engine sees, so that no tile takes brighter ground for an object."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Span
from napari_s1omni.engine.reference.measurement import background

_BLUR_REACH = 8
"""Reach in px of the smoothing before the opening."""
_MAX_MARGIN = 512
"""Largest margin in px."""
_OBJECTS_WIDE = 1.5
"""Window in object diameters: no object is taken for ground, and the ground may bend between two objects."""


@dataclass(frozen=True, slots=True)
class EvenGround:
    """Ground found around each pixel, by a grey opening of a wider view, and taken for 0."""

    window: float
    """Edge of the opening in source px."""

    @classmethod
    def for_objects(cls, size: float) -> EvenGround | None:
        """Return it for objects of a diameter in px; None if so large ones would need too wide a margin."""
        found = cls(round(_OBJECTS_WIDE * size, 1))
        return found if found.margin <= _MAX_MARGIN else None

    @property
    def margin(self) -> int:
        """Pixels around a view on which its ground depends; beyond the layer's edge there are none."""
        return _BLUR_REACH + 2 * int(self.window / 2) + math.ceil(4 * self.window / 3)

    def widen(self, span: Span, extent: int) -> Span:
        """Return the rows or columns to read for some of them."""
        return max(0, span[0] - self.margin), min(extent, span[1] + self.margin)

    def flatten(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a grey view, float32 (3, h, w) in model range, whose ground is 0.

        Where pixels are farther than :attr:`margin` from the edges of the view, or its edge is the layer's, the result
        does not depend on the view.
        """
        return np.asarray(image - background(image[0], self.window), np.float32)
