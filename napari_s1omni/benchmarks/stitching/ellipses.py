"""A plane of touching ellipses, computed where it is read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.joining.stitching import Box


class Ellipses:
    """Ellipses on a jittered lattice; where two overlap, each keeps the pixels nearer its own centre, so they touch.

    Parameters
    ----------
    edge : int
        Edge of the square plane in pixels.
    count : int
        Number of ellipses, rounded up to a square number.
    seed : int
    """

    def __init__(self, edge: int, count: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._rows = int(np.ceil(np.sqrt(count)))
        self._pitch = edge / self._rows
        lattice = np.indices((self._rows, self._rows)) + 0.5
        self._centres = ((lattice + rng.uniform(-0.2, 0.2, lattice.shape)) * self._pitch).astype(np.float32)
        self._axes = (rng.uniform(0.45, 0.7, lattice.shape) * self._pitch).astype(np.float32)
        self._angles = rng.uniform(0, np.pi, lattice.shape[1:]).astype(np.float32)

    def __len__(self) -> int:
        return self._rows**2

    def labels(self, box: Box) -> NDArray[np.int32]:
        """Return the true labels, 1 to the number of ellipses, in a box (y, x)."""
        y, x = (np.arange(side.start, side.stop, dtype=np.float32) for side in box)
        y, x = y[:, None], x[None]
        row, column = ((v / self._pitch).astype(np.int32) for v in (y, x))
        best = np.full((y.size, x.size), np.inf, np.float32)
        nearest = np.zeros(best.shape, np.int32)
        # Centres are jittered by a fifth of the pitch, so the nearest one is at most one cell away.
        for i in (-1, 0, 1):
            for j in (-1, 0, 1):
                r, c = np.clip(row + i, 0, self._rows - 1), np.clip(column + j, 0, self._rows - 1)
                distance = (y - self._centres[0][r, c]) ** 2 + (x - self._centres[1][r, c]) ** 2
                closer = distance < best
                best[closer] = distance[closer]
                nearest[closer] = (r * self._rows + c)[closer]
        dy, dx = y - self._centres[0].ravel()[nearest], x - self._centres[1].ravel()[nearest]
        cos, sin = np.cos(self._angles).ravel()[nearest], np.sin(self._angles).ravel()[nearest]
        long, short = (axis.ravel()[nearest] for axis in self._axes)
        inside = ((dx * cos + dy * sin) / long) ** 2 + ((dy * cos - dx * sin) / short) ** 2 <= 1
        return np.where(inside, nearest + 1, 0).astype(np.int32)
