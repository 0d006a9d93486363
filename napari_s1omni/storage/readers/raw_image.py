"""Stored: what a reader found, still in the order and words of its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray


class Pixels(Protocol):
    """An array that is read by slices, one per dimension, without ever being held whole."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size per dimension."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Pixel type, in any byte order."""

    def __getitem__(self, index: tuple[slice, ...], /) -> NDArray[Any]:
        """Return the pixels inside slices of step 1."""


@dataclass(frozen=True, slots=True)
class RawImage:
    """One array and the metadata that stands beside it. Everything is per axis letter, in stored order."""

    pixels: Pixels
    """The array at the chosen level."""
    axes: str | None
    """One letter per dimension: ``t c z y x``, ``s`` for colour samples, others as found; None if nothing says."""
    chunks: tuple[int, ...]
    """Size of the pieces that are read at once, per dimension."""
    scale: Mapping[str, float] = field(default_factory=dict)
    """Size of a px per axis, where the file says."""
    translate: Mapping[str, float] = field(default_factory=dict)
    """World position of the centre of the first px per axis, where the file says."""
    units: Mapping[str, str] = field(default_factory=dict)
    """Unit per axis in the words of the file, where it says."""
    channel_names: tuple[str, ...] = ()
    """Names along c, or empty."""
    kind: Literal["image", "labels"] = "image"
    """Whether values are intensities or object ids."""
    coarser: tuple[Pixels, ...] = ()
    """The coarser levels of the pyramid below the chosen one, finest first."""
    notes: tuple[str, ...] = ()
    """What was adjusted or looks odd, one sentence each."""
    uri: str | None = None
    """From where any process can open it again; None for what lives in memory."""
