"""An index of where each key is stored, at 16 bytes per key."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

_RECENT = 2**14
"""Keys that are collected in a dictionary before they are sorted into an array."""
_ENTRY = np.dtype([("key", "<u8"), ("position", "<u8")])
_OFFSET_BITS = 40
"""Bits for the offset: a segment may have up to a terabyte."""

LogPosition = tuple[int, int]
"""Number of a segment and offset in it in bytes."""


class OffsetIndex:
    """A mapping from keys to positions that stores only 64 bits of the digest of each key.

    The caller must check that a position really holds the key: two of a
    billion keys may share their 64 bits, and then only the later one is kept.
    """

    def __init__(self) -> None:
        self._recent: dict[int, int] = {}
        self._sorted_runs: list[NDArray[np.void]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, key: str) -> LogPosition | None:
        """Return the position of a key, or None."""
        found = self._find(_digest_bits(key))
        return None if found is None else (found >> _OFFSET_BITS, found & (2**_OFFSET_BITS - 1))

    def put(self, key: str, position: LogPosition) -> None:
        """Store the position of a key, replacing an earlier one."""
        bits = _digest_bits(key)
        self._count += self._find(bits) is None
        self._recent[bits] = position[0] << _OFFSET_BITS | position[1]
        if len(self._recent) >= _RECENT:
            self._sort_recent()

    def _find(self, bits: int) -> int | None:
        if (found := self._recent.get(bits)) is not None:
            return found
        # There are few runs, and later ones take precedence.
        for run in reversed(self._sorted_runs):
            at = int(np.searchsorted(run["key"], np.uint64(bits)))
            if at < len(run) and int(run["key"][at]) == bits:
                return int(run["position"][at])
        return None

    def _sort_recent(self) -> None:
        run = np.array(list(self._recent.items()), _ENTRY)
        self._recent = {}
        run.sort(order="key")
        # Runs of similar size are merged, so their number grows with the logarithm of the number of keys.
        while self._sorted_runs and len(self._sorted_runs[-1]) <= 2 * len(run):
            both = np.concatenate([self._sorted_runs.pop(), run])
            both = both[np.argsort(both["key"], kind="stable")]
            last = np.append(both["key"][1:] != both["key"][:-1], True)
            run = both[last]
        self._sorted_runs.append(run)


def _digest_bits(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")
