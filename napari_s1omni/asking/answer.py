"""What a question is answered with: words, and what supports them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from napari_s1omni.asking.view import PixelBox

Stop = Literal["answered", "rounds", "images", "tokens", "seconds", "errors", "no gain", "cancelled"]
"""Why looking ended: the model answered, a limit was reached, its code failed three times, or three looks in a row
showed nothing new."""


@dataclass(frozen=True, slots=True)
class Note:
    """One value that code measured."""

    name: str
    value: float
    unit: str
    """Empty for plain numbers."""
    cell: int
    """Piece of code that noted it, counted from 1."""

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"name": self.name, "value": self.value, "unit": self.unit}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question: words, measured values, places, and the transcript that anyone can replay."""

    text: str
    notes: tuple[Note, ...]
    boxes: tuple[PixelBox, ...]
    """Places it rests on, in px of the full resolution."""
    rounds: int
    """How often code was run."""
    stop: Stop
    mode: Literal["reason", "look"]
    """Whether it looked closer."""
    reasons: tuple[str, ...]
    """Why it did, or did not; and what was decided on the way."""
    written_by: str
    """Who wrote the words."""
    transcript: str
    """Folder with everything that was seen, run and said."""

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "answer": self.text,
            "notes": [note.to_json() for note in self.notes],
            "boxes": [list(box) for box in self.boxes],
            "rounds": self.rounds,
            "stop": self.stop,
            "mode": self.mode,
            "reasons": list(self.reasons),
            "written_by": self.written_by,
            "transcript": self.transcript,
        }
