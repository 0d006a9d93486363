"""The protocol of a benchmark: cases in an official folder layout, and the metrics of a case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

OperationType = Literal["segmentation", "super_resolution", "modality_translation"]


@dataclass(frozen=True, slots=True)
class Case:
    """One image of a benchmark with its truth."""

    name: str
    """For example the stem of its file."""
    group: str
    """Group over which means are taken, such as an organ, a rock or a body region."""
    image: NDArray[Any]
    """Input of the engine, (y, x) or (z, y, x)."""
    truth: NDArray[Any]
    """Expected result."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the operation, such as the prompt."""
    inside: NDArray[np.bool_] | None = None
    """Where the metrics are computed; None: everywhere."""
    label: int | None = None
    """Value of this group in a file of predictions; None: every non-zero value."""
    prediction: str = ""
    """Path of its prediction in a folder of predictions."""


class Benchmark(Protocol):
    """A published benchmark."""

    name: ClassVar[str]
    """Name on the command line."""
    operation: ClassVar[OperationType]
    protocol: ClassVar[str]
    """How the metrics are computed, in sentences that are printed with them."""

    def cases(self, folder: Path) -> Iterator[Case]:
        """Yield the cases of the official layout, one at a time.

        Raises
        ------
        SourceError
            If the folder does not have that layout.
        """
        ...

    def score(self, case: Case, predicted: NDArray[Any]) -> dict[str, float]:
        """Return the metrics of one case by name."""
        ...
