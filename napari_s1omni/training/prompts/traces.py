"""Traces: what a thought says of a tile, written from measured truth.

Order, after nano's own experiments: polarity, noise, blur, coverage, size,
count, target. Numbers are single tokens of a geometric grid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.training.prompts.prompt_templates import blur_word, nearest_trace_number, noise_word

ROUTE = "<image_edit>"


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of the objects a request means, in one tile."""

    task: str
    """Operation type."""
    target: str
    """Canonical noun or stain; for super-resolution the factor."""
    bright: bool = True
    size_class: str | None = None
    coverage: float = 0.0
    """Share of px that belong to an object."""
    size: float = 0.0
    """Median equivalent diameter in px; 0 without objects."""
    count: int = 0
    noise: str | None = None
    """Word, or None where unknown."""
    blur: str | None = None

    @property
    def text(self) -> str:
        """Trace, answer and route; an unknown word is written as its most frequent value."""
        noise, blur = self.noise or "low", self.blur or "no"
        optics = f"{noise} noise; {blur} blur"
        if self.task == "super_resolution":
            return f"<think>detail; {optics}; draw {self.target} x finer</think>finer image{ROUTE}"
        kind = "stain" if self.task == "modality_translation" else "masks"
        answer = "image" if self.task == "modality_translation" else "mask"
        target = f"{self.size_class} {self.target}" if self.size_class else self.target
        if self.count == 0:
            seen = f"empty; {optics}; 0 % covered; size 0 px; count 0"
        else:
            share = max(1, nearest_trace_number(100 * self.coverage))
            polarity = "bright" if self.bright else "dark"
            seen = f"{polarity}; {optics}; {share} % covered; size {nearest_trace_number(self.size)} px; count {nearest_trace_number(self.count)}"
        return f"<think>{seen}; draw {target} {kind}</think>{target} {answer}{ROUTE}"


@dataclass(frozen=True, slots=True)
class ParsedTrace:
    """What a written thought states; None where it states nothing of the kind."""

    polarity: str | None
    noise: str | None
    blur: str | None
    coverage: int | None
    size: int | None
    count: int | None
    target: str | None


_SEEN = re.compile(
    r"<think>(?P<polarity>bright|dark|empty|detail); (?P<noise>\w+) noise; (?P<blur>\w+) blur"
    r"(?:; (?P<coverage>\d+) % covered; size (?P<size>\d+) px; count (?P<count>\d+))?; draw (?P<target>[^<]*)"
)


def parse_trace(text: str) -> ParsedTrace:
    """Read the statements of a thought written in the form of :attr:`Truth.text`."""
    found = _SEEN.search(text)
    if found is None:
        return ParsedTrace(None, None, None, None, None, None, None)
    number = {k: int(found[k]) if found[k] is not None else None for k in ("coverage", "size", "count")}
    return ParsedTrace(found["polarity"], found["noise"], found["blur"], **number, target=found["target"])


def perturb_truth(truth: Truth, rng: np.random.Generator) -> Truth:
    """Return `truth` with numbers off by about a third and, sometimes, another word for noise or blur."""
    coverage, size, count = (v * float(np.exp(rng.normal(0, 0.3))) for v in (truth.coverage, truth.size, truth.count))
    noise = str(rng.choice(["low", "medium", "high"])) if rng.random() < 0.2 else truth.noise
    blur = str(rng.choice(["no", "slight", "strong"])) if rng.random() < 0.3 else truth.blur
    whole = max(1, round(count)) if truth.count else 0
    return replace(truth, coverage=min(1.0, coverage), size=size, count=whole, noise=noise, blur=blur)


def measure_objects(labels: NDArray[Any]) -> tuple[float, float, int]:
    """Return coverage, median equivalent diameter in px, and count of the objects in a tile.

    Slivers at the side of the tile, below a fifth of the median area, are not counted.
    """
    area = np.bincount(labels.ravel())[1:]
    area = area[area > 0]
    if not len(area):
        return 0.0, 0.0, 0
    whole = area[area >= 0.2 * np.median(area)]
    typical = float(np.median(whole))
    return float(area.sum() / labels.size), 2 * float(np.sqrt(typical / np.pi)), len(whole)


def with_measurements(truth: Truth, labels: NDArray[Any], noise: float | None, blur: float | None) -> Truth:
    """Return `truth` with the numbers measured in `labels`."""
    coverage, size, count = measure_objects(labels)
    return replace(
        truth,
        coverage=coverage,
        size=size,
        count=count,
        noise=None if noise is None else noise_word(noise),
        blur=None if blur is None else blur_word(blur),
    )
