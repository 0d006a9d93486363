"""The order in which a viewer shows the axes of a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec


@dataclass(frozen=True, slots=True)
class DisplayAxes:
    """The axes in which a viewer shows a result."""

    axes: str
    """One letter per displayed dimension, in order; the colours of an RGB image come last as ``c``."""
    sizes: tuple[int, ...]
    """Size of each dimension that the result lacks, along which it is repeated; 0 for dimensions that it has."""

    @classmethod
    def of(cls, target: LayerSpec) -> Self:
        """Show a result in its own axes, with colours last."""
        axes = "".join(target.axes)
        if target.rgb:
            axes = axes.replace("c", "") + "c"
        return cls(axes, (0,) * len(axes))

    def shape(self, axes: Sequence[str], shape: Sequence[int]) -> tuple[int, ...]:
        """Return the displayed shape of an array with the given axes and shape."""
        sizes = dict(zip(axes, shape, strict=True))
        return tuple(n or sizes[a] for a, n in zip(self.axes, self.sizes, strict=True))

    def arrange(self, pixels: NDArray[Any], axes: Sequence[str]) -> NDArray[Any]:
        """Return a view of pixels with the given axes in the displayed dimensions."""
        # An axis that is not displayed has one pixel.
        view = pixels[tuple(slice(None) if a in self.axes else 0 for a in axes)]
        kept = [a for a in axes if a in self.axes]
        view = view.transpose([kept.index(a) for a in self.axes if a in kept])
        shape = iter(view.shape)
        sizes = [n or next(shape) for n in self.sizes]
        expand = tuple(None if n else slice(None) for n in self.sizes)
        return np.broadcast_to(view[expand], sizes)
