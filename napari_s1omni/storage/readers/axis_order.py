"""AxisOrder: how the dimensions of a stored array map to the axes ``t c z y x``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import AXES
from napari_s1omni.errors import SourceError

_GUESSES = {2: "yx", 3: "zyx", 5: "tczyx"}
_SAMPLES = "s"
"""Letter of the dimension that holds the colour samples of one picture."""


@dataclass(frozen=True, slots=True)
class AxisOrder:
    """Which stored dimension is which axis, and which dimensions are dropped."""

    axes: str
    """Axes of the layer in canonical order."""
    dimensions: tuple[int, ...]
    """Stored dimension of each axis of `axes`."""
    shape: tuple[int, ...]
    """Size along `axes` in pixels."""
    dropped: tuple[int, ...]
    """Stored dimensions that are no axis; only their first pixel is read."""
    rgb: bool
    """Whether c holds the colours of one picture."""
    notes: tuple[str, ...]
    """What was guessed, reordered or left out."""

    @property
    def stored_axes(self) -> str:
        """The letters of `axes` in stored order."""
        return "".join(a for _, a in sorted(zip(self.dimensions, self.axes, strict=True)))

    def stored_box(self, box: Sequence[slice]) -> tuple[slice, ...]:
        """Turn a box along `axes` into one slice per stored dimension."""
        index = [slice(0, 1)] * (len(self.dimensions) + len(self.dropped))
        for dimension, part in zip(self.dimensions, box, strict=True):
            index[dimension] = part
        return tuple(index)

    def canonical(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Transpose a stored box to the order of `axes`."""
        return pixels.transpose(*self.dimensions, *self.dropped).reshape([pixels.shape[d] for d in self.dimensions])

    def grey(self) -> AxisOrder:
        """Return the order for a colour picture whose channels are equal: only the first is read."""
        i = self.axes.index("c")
        return AxisOrder(
            self.axes.replace("c", ""),
            (*self.dimensions[:i], *self.dimensions[i + 1 :]),
            (*self.shape[:i], *self.shape[i + 1 :]),
            (*self.dropped, self.dimensions[i]),
            False,
            (*self.notes, "the colour channels are equal and are read as one grey channel"),
        )


def order_axes(
    name: str, shape: Sequence[int], dtype: np.dtype[Any], found: str | None, wanted: str | None
) -> AxisOrder:
    """Decide which stored dimension is which axis.

    Parameters
    ----------
    name : str
        Name of the image, for messages.
    shape : sequence of int
        Stored shape.
    dtype : dtype
        Stored type. uint8 suggests a colour picture rather than a stack.
    found, wanted : str or None
        Axis letters in stored order, from the file and from the user; those of the user take precedence.

    Raises
    ------
    SourceError
        If the letters do not match the dimensions, repeat, lack y or x, or cannot be guessed.
    """
    notes: list[str] = []
    axes = (wanted if wanted is not None else found or "").lower()
    if not axes or (wanted is None and set(axes) & {"q", "i", "?"}):
        axes = _guess(name, shape, dtype, notes)
    if len(axes) != len(shape):
        raise SourceError(
            f"axes '{axes}' for {name}, whose stored array has {len(shape)} dimensions, shape {tuple(shape)}",
            "axes has one letter for each stored dimension: t, c, z, y, x, or s for the colour samples of a picture",
            "give axes that match",
            axes=axes,
            shape=tuple(shape),
        )
    if len(set(axes)) != len(axes) or not {"y", "x"} <= set(axes):
        raise SourceError(
            f"axes '{axes}' of {name}",
            "axes include y and x, and no letter twice",
            "give the right letters, such as axes='czyx'",
            axes=axes,
        )
    if min(shape, default=0) < 1:
        raise SourceError(
            f"shape {tuple(shape)} of {name} is empty",
            "every axis has at least 1 pixel",
            "check how the image was written",
            shape=tuple(shape),
        )
    return _arrange(name, tuple(shape), dtype, axes, notes)


def _arrange(name: str, shape: tuple[int, ...], dtype: np.dtype[Any], axes: str, notes: list[str]) -> AxisOrder:
    sizes = dict(zip(axes, shape, strict=True))
    names = dict(zip(axes, axes, strict=True))
    rgb = False
    if _SAMPLES in sizes:
        if sizes.get("c", 1) > 1:
            raise SourceError(
                f"{name} has {sizes['c']} channels of {sizes['s']} colour samples each",
                "an image has channels or colours, not both",
                "save each channel as its own file",
            )
        names.pop("c", None)
        names[_SAMPLES] = "c"
        rgb = True
    elif axes.endswith("c") and sizes["c"] in (3, 4) and dtype == np.uint8:
        # Only pictures store channels last; microscopes store them before y.
        rgb = True
    if rgb:
        rgb = _drop_alpha(sizes, "s" if _SAMPLES in sizes else "c", names, notes)
    for letter in axes:
        if names.get(letter) is not None and names[letter] not in AXES:
            if sizes[letter] > 1:
                raise SourceError(
                    f"axis '{letter}' of {name} has {sizes[letter]} px",
                    f"axes are a subset of '{AXES}'",
                    f"give axes, with one letter for each of the {len(axes)} dimensions in '{axes}'",
                    axes=axes,
                )
            notes.append(f"axis '{letter}' of 1 px is left out")
            del names[letter]
    place = {names[letter]: axes.index(letter) for letter in axes if letter in names}
    canonical = "".join(a for a in AXES if a in place)
    order = tuple(place[a] for a in canonical)
    if tuple(sorted(order)) != order and not rgb:
        notes.append(f"axes are stored as '{axes}' and read as '{canonical}'")
    return AxisOrder(
        canonical,
        order,
        tuple(sizes[axes[d]] for d in order),
        tuple(d for d in range(len(axes)) if d not in order),
        rgb,
        tuple(notes),
    )


def _drop_alpha(sizes: dict[str, int], letter: str, names: dict[str, str], notes: list[str]) -> bool:
    """Drop the alpha channel, and the axis of a single sample; return whether colours are left."""
    n = sizes[letter]
    if n in (2, 4):
        sizes[letter] = n - 1
        notes.append("the alpha channel is left out")
    if n in (1, 2):
        del names[letter]
    return n in (3, 4)


def _guess(name: str, shape: Sequence[int], dtype: np.dtype[Any], notes: list[str]) -> str:
    """Guess the axes from the shape if one answer is likely, and add a note."""
    picture = len(shape) == 3 and shape[2] in (3, 4) and dtype == np.uint8 and min(shape[:2]) > 4
    axes = "yxs" if picture else _GUESSES.get(len(shape))
    if axes is None:
        raise SourceError(
            f"{name} has {len(shape)} dimensions, shape {tuple(shape)}, and no axes in its metadata",
            f"an image has 2 to 5 dimensions, a subset of '{AXES}'",
            "give axes, such as axes='czyx' or axes='tzyx'" if len(shape) == 4 else "give an image",
            shape=tuple(shape),
        )
    if len(shape) > 2:
        notes.append(f"no axes in the metadata; shape {tuple(shape)} is taken as '{axes}' (give axes if this is wrong)")
    return axes
