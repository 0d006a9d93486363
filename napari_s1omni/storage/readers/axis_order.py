"""AxisOrder: how the dimensions of a stored array map to the axes ``t c z y x``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import AXES
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.axis_names import NamedAxes, axis_label

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
    alpha: tuple[int, int] | None = None
    """Stored dimension and index of the sample that may be transparency; None if there is none."""
    guess: str = ""
    """The note that says which axes were guessed from the shape alone; empty if none were."""

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

    def alpha_box(self, box: Sequence[slice]) -> tuple[slice, ...]:
        """Return the stored box of the transparency of a box along `axes`."""
        index = list(self.stored_box(box))
        if self.alpha is not None:
            dimension, at = self.alpha
            index[dimension] = slice(at, at + 1)
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
            self.alpha,
            self.guess,
        )


def order_axes(
    name: str, shape: Sequence[int], dtype: np.dtype[Any], found: NamedAxes | None, wanted: NamedAxes | None
) -> AxisOrder:
    """Decide which stored dimension is which axis.

    Parameters
    ----------
    name : str
        Name of the image, for messages.
    shape : sequence of int
        Stored shape.
    dtype : dtype
        Stored type. True and false suggest a stack of masks rather than a picture.
    found, wanted : NamedAxes or None
        Axes in stored order, from the file and from the user; those of the user take precedence.

    Raises
    ------
    SourceError
        If the axes do not match the dimensions, repeat, lack y or x, have no known meaning, or cannot be guessed.
    """
    notes: list[str] = []
    guess = ""
    axes = wanted or found
    if axes is None or not axes.letters:
        letters = _guess(name, shape, dtype, notes)
        axes = NamedAxes(letters, tuple(letters))
        # Three or four pixels in the last dimension are colours beyond doubt.
        guess = notes[-1] if notes and _SAMPLES not in letters else ""
    elif wanted is None:
        axes = _with_wavelengths(axes, notes)
    shown = axes.letters if axes.names == tuple(axes.letters) else ", ".join(axes.names)
    if len(axes.letters) != len(shape):
        raise SourceError(
            f"axes '{shown}' for {name}, whose stored array has {len(shape)} dimensions, shape {tuple(shape)}",
            "axes has one letter for each stored dimension: t, c, z, y, x, or s for the colour samples of a picture",
            "give axes that match",
            axes=shown,
            shape=tuple(shape),
        )
    if min(shape, default=0) < 1:
        raise SourceError(
            f"shape {tuple(shape)} of {name} is empty",
            "every axis has at least 1 pixel",
            "check how the image was written",
            shape=tuple(shape),
        )
    _check_known(name, shape, axes, shown)
    if len(set(axes.letters)) != len(axes.letters) or not {"y", "x"} <= set(axes.letters):
        raise SourceError(
            f"axes '{shown}' of {name}" + _read_as(axes),
            "axes include y and x, and no letter twice",
            "give the right letters, such as axes='czyx'",
            axes=shown,
        )
    return dataclasses.replace(_arrange(name, tuple(shape), dtype, axes, notes), guess=guess)


def _read_as(axes: NamedAxes) -> str:
    """Say how words were understood, where they were no letters anyway."""
    return "" if axes.names == tuple(axes.letters) else f" are read as '{axes.letters}'"


def _with_wavelengths(axes: NamedAxes, notes: list[str]) -> NamedAxes:
    """Read the wavelengths of a TIFF as its channels, if it has no others."""
    if "e" not in axes.letters or "c" in axes.letters:
        return axes
    notes.append("axis 'e' (wavelength) is read as channels")
    return NamedAxes(axes.letters.replace("e", "c"), axes.names, axes.notes)


def _check_known(name: str, shape: Sequence[int], axes: NamedAxes, shown: str) -> None:
    """Ask for axes if one of more than 1 px has no known meaning."""
    for letter, label, n in zip(axes.letters, axes.names, shape, strict=True):
        if letter in f"{AXES}{_SAMPLES}" or n == 1:
            continue
        free = [a for a in "ztc" if a not in axes.letters]
        known = all(a in f"{AXES}{_SAMPLES}" or a == letter for a in axes.letters)
        meaning = {"z": "planes", "t": "time points", "c": "channels"}
        offers = [f"axes='{axes.letters.replace(letter, a)}' if these are {meaning[a]}" for a in free]
        choose = f"or read one of the {n} at a time"
        raise SourceError(
            f"axis {axis_label(label)} of {name} has {n} px and no meaning that is known"
            + (f" (axes {shown})" if shown != axes.letters else ""),
            "axes are time, channel, z, y and x, or s for the colour samples of a picture",
            f"give {', '.join(offers)}, {choose}"
            if offers and known
            else f"give axes, with one letter for each of the {len(shape)} dimensions, {choose}",
            axes=shown,
        )


def guess_axes(shape: Sequence[int], dtype: np.dtype[Any]) -> str | None:
    """Return the axes that are assumed for an array without any; None if they cannot be guessed."""
    try:
        return _guess("the array", shape, dtype, [])
    except SourceError:
        return None


def _arrange(name: str, shape: tuple[int, ...], dtype: np.dtype[Any], named: NamedAxes, notes: list[str]) -> AxisOrder:
    axes = named.letters
    notes.extend(named.notes)
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
    elif axes.endswith("c") and sizes["c"] in (3, 4):
        # Only pictures store channels last; microscopes store them before y.
        rgb = dtype == np.uint8
        notes.append(
            "the channels are stored last, as in pictures, and are read as colours"
            if rgb
            else f"the {sizes['c']} channels are stored last but are no 8-bit colours, and are read as channels; "
            f"give axes='{axes[:-1]}s' if they are the colours of a picture"
        )
    alpha = None
    if rgb:
        letter = _SAMPLES if _SAMPLES in sizes else "c"
        if sizes[letter] in (2, 4):
            alpha = (axes.index(letter), sizes[letter] - 1)
        elif sizes[letter] > 4:
            notes.append(f"{sizes[letter]} samples per pixel are read as channels")
        rgb = _drop_alpha(sizes, letter, names)
    for letter, label in zip(axes, named.names, strict=True):
        if names.get(letter) is not None and names[letter] not in AXES:
            notes.append(f"axis {axis_label(label)} of 1 px is left out")
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
        alpha,
    )


def _drop_alpha(sizes: dict[str, int], letter: str, names: dict[str, str]) -> bool:
    """Drop the transparency, and the axis of a single sample; return whether colours are left."""
    n = sizes[letter]
    if n in (2, 4):
        sizes[letter] = n - 1
    if n in (1, 2):
        del names[letter]
    return n in (3, 4)


def _guess(name: str, shape: Sequence[int], dtype: np.dtype[Any], notes: list[str]) -> str:
    """Guess the axes from the shape if one answer is likely, and add a note."""
    last = shape[-1] in (3, 4) if shape else False
    # Other libraries keep the channels last, also a single one; no image is a few pixels wide.
    thin = len(shape) in (3, 5) and shape[-1] <= 4 and min(shape[-3:-1]) > 4
    picture = len(shape) == 3 and thin and shape[-1] != 2 and dtype.kind != "b"
    axes = "yxs" if picture else None if thin and dtype.kind != "b" else _GUESSES.get(len(shape))
    if axes is None:
        example = {3: "axes='yxc'", 5: "axes='tzyxs'"}.get(len(shape))
        example = example or ("axes='zyxs' or axes='tyxs'" if last else "axes='czyx' or axes='tzyx'")
        raise SourceError(
            f"{name} has {len(shape)} dimensions, shape {tuple(shape)}, and no axes in its metadata",
            f"an image has 2 to 5 dimensions, a subset of '{AXES}'",
            f"give axes, such as {example}" if len(shape) in (3, 4, 5) else "give an image",
            shape=tuple(shape),
        )
    if len(shape) > 2:
        notes.append(f"no axes in the metadata; shape {tuple(shape)} is taken as '{axes}' (give axes if this is wrong)")
    return axes
