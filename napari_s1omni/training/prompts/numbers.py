"""The numbers that a trace may contain, on a geometric scale."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def trace_numbers(largest: int = 4096) -> tuple[int, ...]:
    """Return all integers up to 12, then steps of 8 %, up to at least `largest`."""
    values = list(range(13))
    step = 12.0
    while values[-1] < largest:
        step *= 1.08
        values.append(max(values[-1] + 1, round(step)))
    return tuple(values)


TRACE_NUMBERS = trace_numbers()
_LOG = np.log(np.asarray(TRACE_NUMBERS, np.float64) + 1.0)


def nearest_trace_number(value: float) -> int:
    """Return the trace number nearest to `value` on a logarithmic scale."""
    return TRACE_NUMBERS[int(np.argmin(np.abs(_LOG - math.log(max(0.0, value) + 1.0))))]


def soft_target(value: int, sigma: float) -> NDArray[np.float32]:
    """Return a Gaussian over the bins of :data:`TRACE_NUMBERS` around `value`, with sum 1; 0 stays a hard target."""
    at = TRACE_NUMBERS.index(value)
    bins = np.arange(len(TRACE_NUMBERS))
    weights = np.exp(-0.5 * ((bins - at) / sigma) ** 2)
    if value == 0:
        weights = (bins == 0).astype(np.float64)
    else:
        weights[0] = 0
    return np.asarray(weights / weights.sum(), np.float32)
