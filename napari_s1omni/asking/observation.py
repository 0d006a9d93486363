"""What a piece of code brought to light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.asking.answer import Note
from napari_s1omni.asking.gain import Gain
from napari_s1omni.asking.view import Picture

LONGEST_TEXT = 4_000
"""Characters of printed text that a model is shown; the middle of a longer text is left out."""
_ERROR_LINES = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture that code showed."""

    caption: str
    pixels: NDArray[np.uint8]
    """(rows, columns, 3)."""
    view: Picture | None
    """The view of the layer that it is; None if code made it itself."""
    gain: Gain | None
    """What it adds to what was seen before; None if it is no view."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Result of one cell."""

    text: str
    """What was printed."""
    error: str
    """Last lines of an error; empty if there was none."""
    shown: tuple[Shown, ...]
    notes: tuple[Note, ...]
    seconds: float

    @property
    def gained(self) -> bool:
        """Whether anything new was seen or measured."""
        return bool(self.notes) or any(one.gain is None or one.gain.counts for one in self.shown)

    def words(self) -> str:
        """Return what a model is told of it, without the pictures."""
        parts = [_shortened(self.text)] if self.text.strip() else []
        parts += [f"note: {note.name} = {note.value:.6g} {note.unit}".rstrip() for note in self.notes]
        if self.error:
            parts.append("The code failed:\n" + "\n".join(self.error.splitlines()[-_ERROR_LINES:]))
        parts += [
            f"{one.caption} (shows nothing new)" if one.gain is not None and not one.gain.counts else one.caption
            for one in self.shown
        ]
        return "\n".join(parts) or "The code printed and showed nothing."


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    half = LONGEST_TEXT // 2
    return f"{text[:half]}\n... {len(text) - 2 * half:,} characters left out ...\n{text[-half:]}"
