"""Noise as a function of seed, absolute position and step, the same in every tile and process.

Overlapping tiles get the same noise in their shared pixels, a retried tile gets
its noise again, and a crop gets the noise of the whole. Values come from the
counter-based generator Philox-4x64-10 (Salmon et al., "Parallel random
numbers: as easy as 1, 2, 3", SC11), through our own Box-Muller transform,
because the streams of ``numpy.random.Generator.normal`` may change between
releases and those of a GPU depend on the device.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

_CELL = 32
"""Edge in latent pixels of the square that one range of counters fills."""


@dataclass(frozen=True, slots=True)
class NoiseField:
    """The noise of one output tile.

    Its shape is the size of the tile that the engine must generate.
    """

    seed: int
    """Seed of the job."""
    plane: tuple[int, int]
    """Time point and z plane, absolute, in target px."""
    origin: tuple[int, int]
    """First row and column of the tile, absolute, in target px."""
    shape: tuple[int, int]
    """Height and width of the tile, in target px."""

    def on_grid(self, shape: tuple[int, int], multiple: int) -> NoiseField:
        """Return the noise of the same tile on another grid.

        Parameters
        ----------
        shape : (int, int)
            Height and width on that grid, in px.
        multiple : int
            The origin is scaled to that grid and rounded down to a multiple of this.
        """
        if shape == self.shape:
            return self
        top, left = (
            at * new // old // multiple * multiple for at, new, old in zip(self.origin, shape, self.shape, strict=True)
        )
        return replace(self, origin=(top, left), shape=shape)

    def draw(self, step: int, channels: int, downscale: int = 1) -> NDArray[np.float32]:
        """Return standard normal noise for one step of the sampler.

        Parameters
        ----------
        step : int
            Index of the draw: 0 for the start, then one per ancestral step.
        channels : int
            Channels of the latent.
        downscale : int
            Target px per latent px; must divide origin and shape.

        Returns
        -------
        ndarray, float32, (channels, height // downscale, width // downscale)

        Raises
        ------
        ValueError
            If `downscale` does not divide origin and shape.
        """
        if any(v % downscale for v in (*self.origin, *self.shape)):
            raise ValueError(
                f"origin {self.origin} and shape {self.shape} are not multiples of {downscale} px; "
                "the plan's tile size and step must be multiples of the engine's limit"
            )
        top, left = (v // downscale for v in self.origin)
        height, width = (v // downscale for v in self.shape)
        rows = range(top // _CELL, -(-(top + height) // _CELL))
        cols = range(left // _CELL, -(-(left + width) // _CELL))
        canvas = np.empty((channels, len(rows) * _CELL, len(cols) * _CELL), np.float32)
        for i, row in enumerate(rows):
            for j, col in enumerate(cols):
                cell = _cell(self.seed, step, self.plane, row, col, channels)
                canvas[:, i * _CELL : (i + 1) * _CELL, j * _CELL : (j + 1) * _CELL] = cell
        y, x = top - rows[0] * _CELL, left - cols[0] * _CELL
        return np.ascontiguousarray(canvas[:, y : y + height, x : x + width])


def _cell(seed: int, step: int, plane: tuple[int, int], row: int, col: int, channels: int) -> NDArray[np.float32]:
    """Standard normal noise (channels, 32, 32); each channel has its own range of counters."""
    t, z = plane
    out = np.empty((channels, _CELL * _CELL), np.float32)
    for channel in range(channels):
        counter = (channel << 128) + (((t << 32) + z) << 192) + (((row << 32) + col) << 64)
        bits = np.random.Philox(key=(step << 64) + seed, counter=counter).random_raw(_CELL * _CELL)
        # 53 random bits in (0, 1]: log never sees zero.
        uniform = ((bits >> np.uint64(11)).astype(np.float64) + 1.0) * 2.0**-53
        radius = np.sqrt(-2.0 * np.log(uniform[0::2]))
        angle = 2.0 * np.pi * uniform[1::2]
        out[channel, 0::2] = radius * np.cos(angle)
        out[channel, 1::2] = radius * np.sin(angle)
    return out.reshape(channels, _CELL, _CELL)
