"""Palettes: whether the colours of an indexed picture are its content, or the numbers behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.storage.readers.pixel_meaning.converted_pixels import convert_each, convert_samples
from napari_s1omni.storage.readers.raw_image import Pixels

COLOURS_NOTE = (
    "the colours (RGB) of its palette are read; if the numbers behind them are meant, such as labels, "
    "give axes without s (axes='yx' for one plane)"
)
GREY_NOTE = "its palette has one hue; its brightness is read"
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
        ``grey``: every colour is grey, or one hue of another brightness (a lookup table such as "Green").
        ``numbers``: a lookup table of several hues that grows brighter with the number, such as "Fire".
        ``colours``: anything else.
    """
    table = _used(colours).astype(int)
    if (table[:, 0] == table[:, 1]).all() and (table[:, 0] == table[:, 2]).all():
        return "grey"
    if len(table) < _SHORT or (np.diff(table @ (0.299, 0.587, 0.114)) < -1).any():
        return "colours"
    value = table.max(axis=1, keepdims=True)
    if table[0].max() == 0 and (np.abs(table - value * table[-1] / value[-1]) <= 2).all():
        return "grey" if (np.diff(value[:, 0]) > 0).all() else "numbers"
    jumps = (np.abs(np.diff(table, axis=0)).max(axis=1) > _STEP).sum()
    return "numbers" if len(table) >= _LONG and jumps <= _JUMPS else "colours"


def is_plain(colours: NDArray[np.uint8]) -> bool:
    """Whether a palette shows each number as the same grey value, so that nothing is to be said about it."""
    used = _used(colours)
    return bool((used == np.arange(len(used))[:, np.newaxis]).all())


def palette_grey(stored: Pixels, colours: NDArray[np.uint8]) -> Pixels:
    """Return the brightness of an indexed picture with a palette of one hue."""
    grey = colours.max(axis=1)
    used = len(_used(colours))
    if np.array_equal(grey[:used], np.arange(used)):
        return stored
    return convert_each(stored, _lookup(grey), np.dtype(np.uint8))


def palette_colours(stored: Pixels, colours: NDArray[np.uint8]) -> Pixels:
    """Return the colours of an indexed picture, with a last dimension for red, green and blue."""
    return convert_samples(stored, _lookup(colours), len(stored.shape), 3, np.dtype(np.uint8))


def _used(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Leave out the black entries that fill a palette up, as some formats need."""
    filled = np.flatnonzero(colours.any(axis=1))
    return colours[: filled[-1] + 1] if len(filled) else colours[:1]


def _lookup(values: NDArray[np.uint8]) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Return a function that looks numbers up in a palette; those beyond it are black."""
    table = np.concatenate([values, np.zeros_like(values[:1])])

    def convert(numbers: NDArray[Any]) -> NDArray[Any]:
        return table[np.minimum(numbers.astype(np.intp), len(values))]

    return convert
