"""Traces: the text of a thought about a tile, written from measured truth, and its parser.

The order of statements was chosen by experiments with nano: polarity, noise,
blur, coverage, size, count, target. Numbers are single tokens on a geometric scale.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.training.prompts.numbers import nearest_trace_number

ROUTE = "<image_edit>"
"""Token that ends a thought and starts drawing."""


@dataclass(frozen=True, slots=True)
class TileTruth:
    """What is known about the requested objects in one tile."""

    task: str
    """Operation type."""
    target: str
    """Canonical noun or stain; for super-resolution, the factor."""
    bright: bool = True
    size_class: str | None = None
    coverage: float = 0.0
    """Share of pixels that belong to an object."""
    size: float = 0.0
    """Median equivalent diameter in pixels; 0 without objects."""
    count: int = 0
    noise: str | None = None
    """Noise word; None if unknown."""
    blur: str | None = None
    """Blur word; None if unknown."""

    @property
    def trace(self) -> str:
        """Trace, answer and route; an unknown word is written as the most frequent one."""
        noise, blur = self.noise or "low", self.blur or "no"
        optics = f"{noise} noise; {blur} blur"
        if self.task == "super_resolution":
            return f"<think>detail; {optics}; draw {self.target} x finer</think>finer image{ROUTE}"
        kind = "stain" if self.task == "modality_translation" else "masks"
        answer = "image" if self.task == "modality_translation" else "mask"
        target = f"{self.size_class} {self.target}" if self.size_class else self.target
        return f"<think>{self._statements(optics)}; draw {target} {kind}</think>{target} {answer}{ROUTE}"

    def _statements(self, optics: str) -> str:
        if self.count == 0:
            return f"empty; {optics}; 0 % covered; size 0 px; count 0"
        polarity = "bright" if self.bright else "dark"
        share = max(1, nearest_trace_number(100 * self.coverage))
        size, count = nearest_trace_number(self.size), nearest_trace_number(self.count)
        return f"{polarity}; {optics}; {share} % covered; size {size} px; count {count}"


@dataclass(frozen=True, slots=True)
class ParsedTrace:
    """The statements of a written thought; None if it does not contain the statement."""

    polarity: str | None
    noise: str | None
    blur: str | None
    coverage: int | None
    size: int | None
    count: int | None
    target: str | None


_TRACE = re.compile(
    r"<think>(?P<polarity>bright|dark|empty|detail); (?P<noise>\w+) noise; (?P<blur>\w+) blur"
    r"(?:; (?P<coverage>\d+) % covered; size (?P<size>\d+) px; count (?P<count>\d+))?; draw (?P<target>[^<]*)"
)


def parse_trace(text: str) -> ParsedTrace:
    """Parse a thought in the form of :attr:`TileTruth.trace`."""
    found = _TRACE.search(text)
    if found is None:
        return ParsedTrace(None, None, None, None, None, None, None)
    number = {k: int(found[k]) if found[k] is not None else None for k in ("coverage", "size", "count")}
    return ParsedTrace(found["polarity"], found["noise"], found["blur"], **number, target=found["target"])


def noise_word(noise: float) -> str:
    """Return the word for a noise level, given as standard deviation in model range."""
    return "low" if noise < 0.034 else "medium" if noise < 0.093 else "high"


def blur_word(blur: float) -> str:
    """Return the word for a blur, given as sigma in pixels of the tile."""
    return "no" if blur < 0.85 else "slight" if blur < 2.0 else "strong"


def measure_objects(labels: NDArray[Any]) -> tuple[float, float, int]:
    """Return coverage, median equivalent diameter in pixels, and count of the objects in a tile.

    Slivers at the side of the tile, below a fifth of the median area, are not counted.
    """
    area = np.bincount(labels.ravel())[1:]
    area = area[area > 0]
    if not len(area):
        return 0.0, 0.0, 0
    whole = area[area >= 0.2 * np.median(area)]
    typical = float(np.median(whole))
    return float(area.sum() / labels.size), 2 * float(np.sqrt(typical / np.pi)), len(whole)


def with_measurements(truth: TileTruth, labels: NDArray[Any], noise: float | None, blur: float | None) -> TileTruth:
    """Return `truth` with the numbers measured in `labels` and the words for noise and blur."""
    coverage, size, count = measure_objects(labels)
    return replace(
        truth,
        coverage=coverage,
        size=size,
        count=count,
        noise=None if noise is None else noise_word(noise),
        blur=None if blur is None else blur_word(blur),
    )


def perturb_truth(truth: TileTruth, rng: np.random.Generator) -> TileTruth:
    """Return `truth` with numbers off by about a third and, sometimes, another word for noise or blur."""
    coverage, size, count = (v * float(np.exp(rng.normal(0, 0.3))) for v in (truth.coverage, truth.size, truth.count))
    noise = str(rng.choice(["low", "medium", "high"])) if rng.random() < 0.2 else truth.noise
    blur = str(rng.choice(["no", "slight", "strong"])) if rng.random() < 0.3 else truth.blur
    whole = max(1, round(count)) if truth.count else 0
    return replace(truth, coverage=min(1.0, coverage), size=size, count=whole, noise=noise, blur=blur)
