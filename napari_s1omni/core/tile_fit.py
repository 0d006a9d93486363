"""Fitting a layer to the size that an engine was trained at: resampled, drawn, and brought back.

::

    source px   |=== layer ===|                          the whole layer is one tile
                      | x scale
    seen px     |======== layer ========|:::::::|        what the engine sees; ::: reflected at the layer's edge
                      | x factor
    drawn px    |======== layer ========|:::::::|        what the engine draws
                      | / scale
    target px   |=== layer ===|                          source px times factor

All four begin at the same corner, and pixel i of each covers i to i + 1: so pixel i of the image that is seen lies at
``(i + 0.5) / scale - 0.5`` in source px, and pixel i of the target at ``(i + 0.5) * scale - 0.5`` in drawn px.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


@dataclass(frozen=True, slots=True)
class TileFit:
    """How the only tile of a layer becomes the image that an engine sees, and what it draws becomes the target."""

    layer: tuple[int, int]
    """Rows and columns of the layer, in source px."""
    seen: tuple[int, int]
    """Rows and columns of the image that the engine sees, in seen px."""
    factor: tuple[int, int] = (1, 1)
    """Drawn px per seen px along y and x, and so target px per source px."""
    keeps_aspect: bool = True
    """Whether both axes have one scale. What `seen` has beyond the layer is then reflected at the layer's edge."""

    @property
    def scale(self) -> tuple[float, float]:
        """Seen px per source px along y and x."""
        scales = [seen / layer for seen, layer in zip(self.seen, self.layer, strict=True)]
        return (min(scales), min(scales)) if self.keeps_aspect else (scales[0], scales[1])

    @property
    def size_scale(self) -> float:
        """Seen px per source px of the diameter of a round object: the geometric mean of both axes."""
        return math.sqrt(math.prod(self.scale))

    @property
    def drawn(self) -> tuple[int, int]:
        """Rows and columns that the engine draws, in drawn px."""
        return self.seen[0] * self.factor[0], self.seen[1] * self.factor[1]

    def see(self, tile: NDArray[np.float32]) -> NDArray[np.float32]:
        """Resample a tile to the image that the engine sees: bicubic, with antialiasing where it shrinks.

        Parameters
        ----------
        tile : float32 (C, h, w)
            In source px; rows and columns beyond the layer are not used.

        Returns
        -------
        float32 (C, *seen)
        """
        part = tile[:, : self.layer[0], : self.layer[1]]
        return _resample(part, self.seen, self.scale)

    def bring_back(self, drawn: NDArray[np.float32], edge: int, *, bounded: bool) -> NDArray[np.float32]:
        """Resample what the engine drew to the target: bicubic, with antialiasing where it shrinks.

        Parameters
        ----------
        drawn : float32 (C, *drawn)
        edge : int
            Edge of a tile in source px, at least that of the layer.
        bounded : bool
            Whether the values are those of fields, 0 to 1, and must stay there.

        Returns
        -------
        float32 (C, edge * factor[0], edge * factor[1])
            0 beyond the layer.
        """
        (fy, fx), (height, width) = self.factor, self.layer
        size = height * fy, width * fx
        back = _resample(drawn, size, (1 / self.scale[0], 1 / self.scale[1]))
        tile = np.zeros((len(drawn), edge * fy, edge * fx), np.float32)
        tile[:, : size[0], : size[1]] = np.clip(back, 0, 1) if bounded else back
        return tile

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {n: list(v) if isinstance(v := getattr(self, n), tuple) else v for n in self.__slots__}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_json`."""
        fields: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in data.items()}
        return cls(**fields)


def _resample(image: NDArray[np.float32], size: tuple[int, int], scale: tuple[float, float]) -> NDArray[np.float32]:
    """Resample (C, h, w) to (C, *size), with `scale` new px per old px and the same first corner."""
    rows = _weights(image.shape[1], size[0], scale[0])
    cols = _weights(image.shape[2], size[1], scale[1])
    out = np.empty((len(image), *size), np.float32)
    for channel, plane in zip(out, image, strict=True):
        # Taken from the first value, so that a plane of one value keeps it to the bit.
        first = plane[0, 0]
        channel[...] = (cols @ (rows @ (plane - first)).T).T + first
    return out


@functools.lru_cache(maxsize=16)
def _weights(old: int, new: int, scale: float) -> sparse.csr_matrix:
    """Weights (new, old) of one axis, reflected at both ends; a sparse product is the same with any number of threads.

    The kernel is that of Keys (1981) with a = -0.5; where an axis shrinks, it widens by as much.
    """
    stretch = max(1.0, 1 / scale)
    reach = 2 * stretch
    centre = (np.arange(new) + 0.5) / scale - 0.5
    at = np.floor(centre - reach).astype(int)[:, None] + np.arange(math.ceil(2 * reach) + 2)
    distance = np.abs(at - centre[:, None]) / stretch
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    weight = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    weight /= weight.sum(axis=1, keepdims=True)
    folded = at % (2 * old)
    folded = np.where(folded < old, folded, 2 * old - 1 - folded)
    row = np.broadcast_to(np.arange(new)[:, None], at.shape)
    made = sparse.coo_matrix((weight.ravel().astype(np.float32), (row.ravel(), folded.ravel())), (new, old))
    return made.tocsr()
