"""Labels as people store them, as integers with 0 as ground."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError

_EXACT = {"float16": 2**11, "float32": 2**24, "float64": 2**53}
"""Largest integer up to which a float type holds all."""
_PIXELS_PER_COLOUR = 20
"""With fewer pixels per colour on average, a colour picture is a photograph and no labels."""


def as_labels(pixels: NDArray[Any], name: str, *, rgb: bool = False) -> tuple[NDArray[Any], list[str]]:
    """Return labels as integers from 0, which is ground, and what was adjusted.

    Parameters
    ----------
    pixels : array
        Integers, booleans or whole numbers as floats; NaN and values below 0 are ground. The ids of objects may be
        any numbers. With `rgb`, each colour but black is one object.
    name : str
        What they are, for messages.
    rgb : bool
        The first axis holds three colours.

    Returns
    -------
    (integer array, list of str)
        Without the colours; ids that do not fit into int64, or colours, are numbered from 1.

    Raises
    ------
    SourceError
        If a value is no whole number, or the colours are those of a photograph.
    """
    notes: list[str] = []
    if rgb:
        return _of_colours(pixels, name, notes), notes
    if pixels.dtype.kind == "b":
        pixels = pixels.astype(np.uint8)
    elif pixels.dtype.kind == "f":
        pixels = _of_floats(pixels, name, notes)
    elif pixels.dtype.kind not in "iu":
        raise SourceError(f"{name} holds {pixels.dtype}", "labels are whole numbers", "save them as integers")
    if pixels.dtype.kind == "i" and pixels.size and int(pixels.min()) < 0:
        pixels = _without_negatives(pixels, name, notes)
    if pixels.dtype == np.uint64 and pixels.size and int(pixels.max()) >= 2**63:
        pixels = _numbered(pixels)
    return pixels, notes


def _of_floats(pixels: NDArray[Any], name: str, notes: list[str]) -> NDArray[Any]:
    finite = np.isfinite(pixels)
    if missing := pixels.size - int(finite.sum()):
        notes.append(f"{missing:,} pixels of {name} that are NaN or infinite count as ground")
        pixels = np.where(finite, pixels, 0)
    whole = np.rint(pixels)
    if not np.array_equal(whole, pixels):
        odd = pixels[whole != pixels].ravel()[0]
        raise SourceError(
            f"{name} holds {odd:g}",
            "labels are whole numbers; 0 is ground",
            "give labels, not an image or a probability",
        )
    largest = float(np.abs(pixels).max(initial=0))
    if largest >= 2**63:
        raise SourceError(f"{name} holds {largest:g}", "labels are below 2**63", "number the objects again")
    if largest > _EXACT.get(pixels.dtype.name, math.inf):
        notes.append(f"{name} holds {pixels.dtype} above {_EXACT[pixels.dtype.name]:,}, where neighbouring ids are one")
    return pixels.astype(np.int64)


def _without_negatives(pixels: NDArray[Any], name: str, notes: list[str]) -> NDArray[Any]:
    below = pixels < 0
    zeros = ", and so does 0; add 1 to all labels if 0 is an object" if (pixels == 0).any() else ""
    values = np.unique(pixels[below])
    shown = ", ".join(map(str, values[:3].tolist())) + (", ..." if len(values) > 3 else "")
    notes.append(f"{int(below.sum()):,} pixels of {name} below 0 ({shown}) count as ground{zeros}")
    return np.where(below, 0, pixels)


def _of_colours(pixels: NDArray[Any], name: str, notes: list[str]) -> NDArray[Any]:
    """Number the colours; black is ground."""
    if pixels.dtype.itemsize > 2 or pixels.dtype.kind != "u":
        raise SourceError(
            f"{name} has colours of {pixels.dtype}", "colours have 8 or 16 bits", "save labels as integers"
        )
    packed = np.zeros(pixels.shape[1:], np.uint64)
    for channel in pixels:
        packed = packed << np.uint64(16) | channel.astype(np.uint64)
    colours = np.unique(packed)
    if colours[0] != 0:
        raise SourceError(
            f"{name} is a colour picture without black",
            "in labels as colours, each object has a colour and the ground is black",
            "save the labels as integers, or paint the ground black",
        )
    if len(colours) * _PIXELS_PER_COLOUR > packed.size:
        raise SourceError(
            f"{name} has {len(colours):,} colours in {packed.size:,} pixels, like a photograph",
            "in labels as colours, each object has one colour",
            "save the labels as integers, without compression that changes colours such as JPEG",
        )
    notes.append(f"each of the {len(colours) - 1:,} colours of {name} but black is one object")
    return np.searchsorted(colours, packed).astype(np.int64)


def _numbered(pixels: NDArray[Any]) -> NDArray[Any]:
    """Number ids from 1 in their order; 0 stays."""
    ids = np.unique(pixels)
    return np.searchsorted(ids[ids > 0], pixels, side="right").astype(np.int64)
