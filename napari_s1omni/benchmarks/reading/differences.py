"""What two readers of one file say differently, and which of it a note mentions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.benchmarks.reading.lengths import measure_of
from napari_s1omni.benchmarks.reading.seen import Seen

_MENTIONS = {
    "images": r"first (of|one|image)|image \d+ of|series|frame|scene|page",
    "axes": r"taken as|is read as|are read as (colour|channel|one|the colour)|left out|equal|alpha|frame|palette|page",
    "pixels": r"white|palette|colour|transparen|fill value|chunk|upright|orient|rotat|turn|convert|header scales|"
    r"first of|cmyk|separator",
    "type": r"read as|convert|palette|colour",
    "scale": r"(pixel|their) size|scale|spacing|resolution|calibrat|affine|mpp|interval",
    "units": r"unit|resolution|distance along|time step",
    "position": r"position|translat|origin|affine|shift",
    "names": r"name|colour|label",
}
"""Aspect -> words in a note that speak of it."""
_OTHER_IMAGE = re.compile(r"image [1-9]\d* of the \d+ in the file is read")
"""A note that another image than the first is read; then everything may differ."""
_RELATIVE = 1e-4
"""Relative tolerance of sizes: TIFF stores them as fractions, NIfTI as float32."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two readers say differently."""

    aspect: str
    """A key of the table of words: images, axes, pixels, type, scale, units, position or names."""
    text: str
    """Both values."""

    def is_mentioned(self, notes: Sequence[str]) -> bool:
        """Report whether one of the notes speaks of it."""
        return any(re.search(_MENTIONS[self.aspect], note, re.I) or _OTHER_IMAGE.match(note) for note in notes)


def differences(ours: Seen, other: Seen) -> list[Difference]:
    """Return what `ours` has that `other` says differently; what `other` leaves open is not compared."""
    return list(_differences(ours, other))


def _differences(ours: Seen, other: Seen) -> Iterator[Difference]:
    if other.images > 1:
        yield Difference("images", f"one image of {other.images}")
    if ours.sizes != other.sizes:
        yield Difference("axes", f"{_shape(ours)} against {_shape(other)}")
    elif other.guessed:
        yield Difference("axes", f"{_shape(ours)}, which the file leaves open")
    yield from _pixels(ours, other)
    for axis in ours.axes:
        if axis in other.axes:
            yield from _along(axis, ours, other)
    if other.names is not None and ours.names != other.names:
        yield Difference("names", f"{ours.names} against {other.names}")


def _shape(seen: Seen) -> str:
    return " ".join(f"{a}={n}" for a, n in seen.sizes.items())


def _pixels(ours: Seen, other: Seen) -> Iterator[Difference]:
    if ours.pixels.dtype != other.pixels.dtype.newbyteorder("="):
        yield Difference("type", f"{ours.pixels.dtype} against {other.pixels.dtype}")
    found, expected = ours.squeezed(), other.squeezed()
    # Without alpha, or as one grey channel, the pixels that are left must still be the same.
    here, there = ours.sizes, other.sizes
    if "c" in there and {a: n for a, n in here.items() if a != "c"} == {a: n for a, n in there.items() if a != "c"}:
        channel = list(there).index("c")
        kept = here.get("c", 1)
        if kept < there["c"]:
            expected = expected[(slice(None),) * channel + (slice(0, kept) if "c" in here else 0,)]
    if found.shape == expected.shape:
        wrong = ~_equal(found, expected)
        if wrong.any():
            first = tuple(int(i[0]) for i in np.nonzero(wrong))
            yield Difference(
                "pixels",
                f"{int(wrong.sum())} of {wrong.size} pixels differ, the first at {first}: {found[first]} against "
                f"{expected[first]}",
            )


def _equal(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    same = a == b
    if a.dtype.kind in "fc" and b.dtype.kind in "fc":
        same |= np.isnan(a) & np.isnan(b)
    return np.asarray(same, bool)


def _along(axis: str, ours: Seen, other: Seen) -> Iterator[Difference]:
    (measure, factor), (expected, unit) = (measure_of(seen.units.get(axis)) for seen in (ours, other))
    said = axis in other.units
    if said and measure != expected:
        yield Difference("units", f"{axis}: {ours.units.get(axis)} against {other.units[axis]}")
        return
    if axis not in other.scale:
        return
    if not said:
        # A reader that gives numbers without units gives them in the unit of the file.
        unit = factor
    size, right = ours.scale[axis] * factor, other.scale[axis] * unit
    if abs(size - right) > _RELATIVE * abs(right):
        yield Difference("scale", f"{axis}: {_size(ours, axis)} against {_size(other, axis)}")
    if axis in other.position:
        place, there = ours.position.get(axis, 0.0) * factor, other.position[axis] * unit
        if abs(place - there) > _RELATIVE * (abs(right) + abs(there)):
            yield Difference("position", f"{axis}: {place / factor:g} against {other.position[axis]:g}")


def _size(seen: Seen, axis: str) -> str:
    return f"{seen.scale[axis]:g} {seen.units.get(axis) or ''}".rstrip()
