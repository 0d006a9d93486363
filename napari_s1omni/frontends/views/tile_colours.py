"""Colours of the tile lattice."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Quantity = Literal["state", "seam", "confidence", "time", "objects"]
QUANTITIES: dict[Quantity, str] = {
    "state": "State",
    "seam": "Seam score",
    "confidence": "Confidence",
    "time": "Seconds per tile",
    "objects": "Objects per tile",
}
"""Quantity that tiles can be coloured by -> its label."""

COLOURS: dict[str, tuple[int, int, int, int]] = {
    "waiting": (127, 127, 127, 70),
    "drawn": (0, 158, 115, 60),
    "empty": (86, 180, 233, 90),
    "failed": (213, 94, 0, 190),
}
"""State -> red, green, blue, opacity; a palette for colour-blind readers (Okabe and Ito, 2008)."""

RANGES: dict[Quantity, tuple[float, float]] = {"seam": (0.9, 1.5), "confidence": (0.5, 1.0)}
"""Limits of the colour scale for quantities that are comparable between runs."""
_SEAM = (235, 235, 235, 110)
_CIVIDIS = np.array(
    [(0, 32, 77), (40, 62, 108), (87, 93, 109), (124, 123, 120), (165, 156, 116), (211, 193, 100), (255, 234, 70)]
)
"""Sequential colour map, dark to bright, for colour-blind readers (Nunez, Anderton and Renslow, 2018)."""
_CELLS = (48, 24, 12, 6)
"""Edge in pixels of a cell with its grid line: the largest that keeps the image small."""
_LARGEST = 2**19
"""Largest image in pixels with grid lines; larger lattices get one pixel per cell."""


def sequential_colours(values: NDArray[np.float64], limits: tuple[float, float] | None) -> NDArray[np.uint8]:
    """Colour values from dark to bright, NaN in grey.

    Parameters
    ----------
    values : float (rows, columns)
    limits : (low, high), optional
        Defaults to the smallest and largest value.

    Returns
    -------
    uint8 (rows, columns, 4)
        RGBA.
    """
    finite = values[np.isfinite(values)]
    low, high = limits or ((float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0))
    share = np.clip((np.nan_to_num(values, nan=low) - low) / (high - low if high > low else 1.0), 0, 1)
    position = share * (len(_CIVIDIS) - 1)
    first = np.minimum(position.astype(int), len(_CIVIDIS) - 2)
    part = (position - first)[..., None]
    rgb = _CIVIDIS[first] * (1 - part) + _CIVIDIS[first + 1] * part
    out = np.concatenate([rgb, np.full((*values.shape, 1), 150)], axis=-1).astype(np.uint8)
    out[~np.isfinite(values)] = COLOURS["waiting"]
    return out


def enlarged_cells(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Enlarge a lattice of RGBA cells and draw lines between them; a very large lattice is returned as it is."""
    height, width = colours.shape[:2]
    cell = next((c for c in _CELLS if height * width * c**2 <= _LARGEST), 0)
    if not cell:
        return colours
    large = colours.repeat(cell, 0).repeat(cell, 1)
    large[cell - 1 :: cell] = _SEAM
    large[:, cell - 1 :: cell] = _SEAM
    return large
