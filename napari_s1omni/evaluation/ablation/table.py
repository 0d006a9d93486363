"""Rows of the ablation: means with paired bootstrap intervals, as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    task: str
    """Task, with its metric in brackets."""
    variant: str
    """What was done to the condition."""
    score: float
    """Mean over the units."""
    low: float
    """2.5th percentile of the bootstrapped mean."""
    high: float
    """97.5th percentile."""
    change: float
    """Mean difference from the unchanged condition, unit by unit."""
    change_low: float
    change_high: float
    units: int
    """Independent units: tiles, or pairs of requests."""


def bootstrap_row(task: str, variant: str, scores: NDArray[Any], base: NDArray[Any], seed: int) -> Row:
    """Compare the scores of all units with those of the unchanged condition, with paired bootstrap intervals."""
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(scores), (_RESAMPLES, len(scores)))
    means, changes = scores[picks].mean(1), (scores - base)[picks].mean(1)
    low, high = (float(v) for v in np.percentile(means, (2.5, 97.5)))
    change_low, change_high = (float(v) for v in np.percentile(changes, (2.5, 97.5)))
    change = float((scores - base).mean())
    return Row(task, variant, float(scores.mean()), low, high, change, change_low, change_high, len(scores))


def table(rows: Sequence[Row]) -> str:
    """Format the rows as a Markdown table."""
    lines = [
        "| task (metric) | condition | score | 95 % interval | change | 95 % interval | units |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        score, change = f"{row.low:.3f} to {row.high:.3f}", f"{row.change_low:+.3f} to {row.change_high:+.3f}"
        lines.append(
            f"| {row.task} | {row.variant} | {row.score:.3f} | {score} | {row.change:+.3f} | {change} | {row.units} |"
        )
    return "\n".join(lines)
