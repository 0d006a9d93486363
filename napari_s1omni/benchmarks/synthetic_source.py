"""A synthetic layer of any size that takes no disk space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec


class SyntheticSource:
    """Stripes, or zeros, computed where they are read.

    Parameters
    ----------
    spec : LayerSpec
        Axes ``y x``, ``z y x`` or ``c y x``.
    blank : bool
        Whether all pixels are 0.
    """

    def __init__(self, spec: LayerSpec, blank: bool = False) -> None:
        self.spec = spec
        self.notes: tuple[str, ...] = ()
        self.chunks = tuple(min(256, n) for n in spec.shape)
        self._blank = blank

    def read(self, box: Sequence[slice] | None = None) -> NDArray[Any]:
        """Compute the pixels of a box; the same box always gives the same pixels."""
        box = [slice(0, n) for n in self.spec.shape] if box is None else box
        if self._blank:
            return np.zeros([part.stop - part.start for part in box], self.spec.dtype)
        y, x = (np.arange(part.start, part.stop, dtype=np.uint32) for part in box[-2:])
        plane = ((y[:, None] * 7 + x * 13) % 4093).astype(self.spec.dtype)
        return np.broadcast_to(plane, [part.stop - part.start for part in box]).copy()

    def fingerprint(self) -> str:
        """Identify the content."""
        return f"made up {self.spec.shape} {self._blank}"

    def transparent(self, box: tuple[slice, ...]) -> None:
        """Return None: nothing is transparent."""
