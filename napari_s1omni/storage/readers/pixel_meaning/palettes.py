"""Palettes: whether the colours of an indexed picture are its content, or the numbers behind them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.storage.readers.pixel_meaning.converted_pixels import convert_each, convert_samples
from napari_s1omni.storage.readers.raw_image import Pixels

COLOURS_NOTE = (
    "the colours (RGB) of its palette are read; if the numbers behind them are meant, such as labels, "
    "give axes without s (axes='yx' for one plane)"
)
NUMBERS_NOTE = (
    "its palette only shows numbers in colour (a lookup table); the numbers are read, not the colours "
    "(for the colours give axes with s last, axes='yxs' for one plane)"
)
_SHORT, _LONG = 16, 64
"""Least number of colours of a lookup table with one hue, and with several."""
_STEP = 24
"""Largest step of one colour channel between neighbours in such a table."""
_JUMPS = 2
"""Steps that may be larger: some tables mark the first and the last number."""


def palette_content(colours: NDArray[np.uint8]) -> Literal["grey", "numbers", "colours"]:
    """Decide what an indexed picture holds from its palette.

    Parameters
    ----------
    colours : ndarray of uint8, shape (n, 3)

    Returns
    -------
    str
        ``grey``: every colour is grey. ``numbers``: a lookup table such as
        "Green" or "Fire", which grows brighter with the number. ``colours``: anything else.
    """
    table = _used(colours).astype(int)
    if (table[:, 0] == table[:, 1]).all() and (table[:, 0] == table[:, 2]).all():
        return "grey"
    brightness = table @ (0.299, 0.587, 0.114)
    if len(table) < _SHORT or (np.diff(brightness) < -1).any():
        return "colours"
    hue = table[-1] / table[-1].max()
    if table[0].max() == 0 and (np.abs(table - table.max(axis=1, keepdims=True) * hue) <= 2).all():
        return "numbers"
    jumps = (np.abs(np.diff(table, axis=0)).max(axis=1) > _STEP).sum()
    return "numbers" if len(table) >= _LONG and jumps <= _JUMPS else "colours"


def palette_grey(stored: Pixels, colours: NDArray[np.uint8]) -> Pixels:
    """Return the grey values of an indexed picture whose palette is grey."""
    grey = _lookup(colours)[:, 0]
    if np.array_equal(_used(colours)[:, 0], np.arange(len(_used(colours)))):
        return stored
    return convert_each(stored, lambda numbers: grey[np.minimum(numbers, len(grey) - 1)], np.dtype(np.uint8))


def palette_colours(stored: Pixels, colours: NDArray[np.uint8]) -> Pixels:
    """Return the colours of an indexed picture, with a last dimension for red, green and blue."""
    table = _lookup(colours)

    def convert(numbers: NDArray[Any]) -> NDArray[Any]:
        return table[np.minimum(numbers, len(table) - 1)]

    return convert_samples(stored, convert, len(stored.shape), 3, np.dtype(np.uint8))


def _used(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Leave out the black entries that fill a palette up, as some formats need."""
    filled = np.flatnonzero(colours.any(axis=1))
    return colours[: filled[-1] + 1] if len(filled) else colours[:1]


def _lookup(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Add black for the numbers beyond the palette."""
    return np.vstack([colours, np.zeros((1, 3), np.uint8)])
