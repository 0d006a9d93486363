"""The object size that a request states in words: which of its lengths it is, and why another one is not.

What can be understood in two ways is not used, and said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from napari_s1omni.core.sizes.folding import FoldedText, fold
from napari_s1omni.core.sizes.lengths import UM, format_length
from napari_s1omni.core.sizes.meaning import Context, measures, side_of
from napari_s1omni.core.sizes.phrases import DECIMAL_COMMA
from napari_s1omni.core.sizes.quantities import Quantity, find_quantities

_SMALLEST, _LARGEST = 0.1, 1e6
"""Smaller and larger objects, in px, are a slip of the unit."""
_SMALLEST_GUESS = 0.5
"""Of two readings of a number, one below this size in px is impossible."""
_SAME = 1.1
"""Sizes within this factor are one size, stated twice: ``20 px (10 um)``."""


@dataclass(frozen=True, slots=True)
class ObjectSize:
    """The size that a request states."""

    pixels: float | None
    """Object diameter in px; None if the request states none that can be used."""
    ignored: tuple[str, ...] = ()
    """What else looks like a size, and why it is not used, as sentences."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    words: str
    pixels: float
    side: str


@lru_cache(maxsize=256)
def object_size_in_words(request: str, pixel: float | None) -> ObjectSize:
    """Return the object diameter that a request states.

    Parameters
    ----------
    request : str
        In English, German, French, Spanish, Portuguese or Chinese.
    pixel : float or None
        Edge of a pixel in um; without it only pixels can be used.

    Examples
    --------
    >>> object_size_in_words("nuclei, between 8 and 12 um", 0.5).pixels
    20.0
    >>> object_size_in_words("nuclei in a 5 um thick section", 0.5)
    ObjectSize(pixels=None, ignored=("'5 um' is not used as the object size: it is a thickness.",))
    """
    text = fold(request)
    groups = (",", ".") if DECIMAL_COMMA.search(text.text) else (",",)
    quantities = find_quantities(text, groups)
    candidates: list[_Candidate] = []
    ignored: list[str] = []
    for words, quantity, why, factor, side in _understood(text, quantities):
        sizes = [] if why else _in_px(quantity, factor, pixel)
        why = why or _problem(quantity, sizes, pixel)
        if why:
            ignored.append(f"'{words}' is not used as the object size: {why}.")
        else:
            candidates.append(_Candidate(words, sizes[0], side))
    size = _agreed(candidates)
    if candidates and size is None:
        stated = " and ".join(f"'{c.words}'" for c in candidates)
        ignored.append(f"{stated} are not used: the request states several object sizes.")
    return ObjectSize(size, tuple(ignored))


def _understood(text: FoldedText, quantities: list[Quantity]) -> list[tuple[str, Quantity, str, float, str]]:
    """Return words, quantity, why it is no object size, factor to a diameter, and side, for each quantity."""
    found = []
    contexts = [Context.of(text.text, quantities, i) for i in range(len(quantities))]
    reasons = measures(text.text, quantities, contexts)
    for quantity, context, (why, factor) in zip(quantities, contexts, reasons, strict=True):
        if quantity.unit or why:
            words = text.written(quantity.start, quantity.stop).strip()
            found.append((words, quantity, why, factor, side_of(context)))
    return found


def _in_px(quantity: Quantity, factor: float, pixel: float | None) -> list[float]:
    """Return the diameter in px for each reading of a quantity; nothing if the pixel size is missing."""
    if quantity.unit == "px":
        lengths = list(quantity.readings)
    elif pixel is None:
        return []
    else:
        power = quantity.power
        lengths = [v * UM[quantity.unit] ** power / pixel**power for v in quantity.readings]
    if quantity.power == 2:
        lengths = [2 * math.sqrt(area / math.pi) for area in lengths]
    sizes = [length * factor for length in lengths]
    if len(sizes) > 1:
        sizes = [size for size in sizes if _SMALLEST_GUESS <= size <= _LARGEST] or sizes
    return sizes


def _problem(quantity: Quantity, sizes: list[float], pixel: float | None) -> str:
    """Return why a quantity that measures an object cannot be used, or an empty text."""
    if not quantity.readings:
        return "it states no clear number"
    if quantity.unit != "px" and pixel is None:
        return "the image has no pixel size; give scale and units, or write px"
    if len(sizes) > 1:
        values = " or ".join(f"{v:.12g}" for v in quantity.readings)
        return f"it may mean {values}; write it without a separator of thousands"
    if not _SMALLEST <= sizes[0] <= _LARGEST:
        return f"it would be {sizes[0]:.4g} px"
    return ""


def _agreed(candidates: list[_Candidate]) -> float | None:
    """Return the one size that all candidates state, or the mean of a width and a length."""
    if not candidates:
        return None
    if len(candidates) == 2 and {c.side for c in candidates} == {"across", "along"}:
        return (candidates[0].pixels + candidates[1].pixels) / 2
    sizes = [c.pixels for c in candidates]
    return sizes[0] if max(sizes) <= _SAME * min(sizes) else None


def size_notes(request: str, pixel: float | None) -> list[str]:
    """Return what a plan says about the sizes in a request: the one that is used, and those that are not.

    Parameters
    ----------
    request, pixel
        As :func:`object_size_in_words` takes them.
    """
    found = object_size_in_words(request, pixel)
    notes = []
    if found.pixels is not None:
        length = "" if pixel is None else f" ({format_length(found.pixels * pixel)})"
        notes.append(f"Objects are about {found.pixels:.4g} px{length} across, as the request says.")
    return notes + list(found.ignored)
