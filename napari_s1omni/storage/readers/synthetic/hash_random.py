"""Random numbers that depend only on a position and a seed, the same on any machine."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    mixed: NDArray[np.uint64] = bits ^ (bits >> np.uint64(31))
    return mixed


def _hash(values: NDArray[np.uint64], *keys: int) -> NDArray[np.uint64]:
    """Return 64 random bits for each value; each tuple of keys gives other bits."""
    state = 0x9E3779B97F4A7C15
    for key in keys:
        state = int(_mix(np.array([(state + key * 0x9E3779B97F4A7C15) % 2**64], np.uint64))[0])
    spread: NDArray[np.uint64] = values * np.uint64(0x9E3779B97F4A7C15) + np.uint64(state)
    return _mix(spread)


def hash_uniform(values: NDArray[np.uint64], *keys: int) -> NDArray[np.float64]:
    """Return a uniform number in [0, 1) for each value and tuple of keys."""
    uniform: NDArray[np.float64] = (_hash(values, *keys) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return uniform


def hash_normal(values: NDArray[np.uint64], *keys: int) -> NDArray[np.float64]:
    """Return nearly normal numbers of mean 0 and deviation 1: sums of four uniform ones, exact on any machine."""
    bits = _hash(values, *keys, 202)
    total = np.zeros(bits.shape)
    for shift in (0, 16, 32, 48):
        total += (bits >> np.uint64(shift)) & np.uint64(0xFFFF)
    return (total - 2 * 65535) / (65536 * math.sqrt(1 / 3))
