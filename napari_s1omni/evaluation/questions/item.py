"""A question of a benchmark, and what reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

LoadImage = Callable[[], NDArray[np.uint8]]
"""Reads a picture of a question as uint8 (height, width, 3); images are read only when they are shown."""
Part = str | int
"""Words of a prompt, or the index of an image in it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question."""

    id: str
    prompt: tuple[Part, ...]
    """What a model is asked, with the places of its images."""
    answer: str
    """The right answer: a letter if there are `options`."""
    images: tuple[LoadImage, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    """Text of each option, by its letter; empty for an open question."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """What a score is split by, such as ``{"category": "single"}``."""


@dataclass(frozen=True, slots=True)
class Score:
    """How right the answers to a benchmark are, by one rule."""

    accuracy: float | None
    """Share of right answers, 0 to 1; None if the published rule needs a second model as its judge."""
    counted: int
    """Answers that the share is of."""
    correct: int
    groups: Mapping[str, float] = field(default_factory=dict)
    """The share in parts of the benchmark."""
    letters: Mapping[str, str] = field(default_factory=dict)
    """What was read from each answer, by the question's id."""
    right: Mapping[str, bool] = field(default_factory=dict)
    note: str = ""


Kind = Literal["letters", "words"]


class QuestionSet(Protocol):
    """A benchmark of questions."""

    name: ClassVar[str]
    """Name on the command line."""
    title: ClassVar[str]
    protocol: ClassVar[str]
    """Layout, prompt and published score in a few sentences; printed with every result."""

    def items(self, place: Path) -> Iterator[Item]:
        """Yield the questions of a file or folder in the published layout.

        Raises
        ------
        SourceError
            If the layout is another.
        """
        ...

    def published(self, items: Sequence[Item], answers: Mapping[str, str]) -> Score:
        """Return the score that the published program gives to these answers, its faults included."""
        ...

    def strict(self, items: Sequence[Item], answers: Mapping[str, str]) -> Score:
        """Return the score by our rule: every question counts, and what cannot be read is wrong."""
        ...
