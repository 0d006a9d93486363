"""Places: where each of very many keys is stored, in 16 bytes a key."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

_RECENT = 2**14
"""Keys that are kept in a dictionary before they are sorted."""
_ENTRY = np.dtype([("key", "<u8"), ("place", "<u8")])
_BITS = 40
"""A segment may be up to a terabyte."""

Place = tuple[int, int]
"""Number of a segment and offset in it in bytes."""


class OffsetIndex:
    """A mapping from keys to places that remembers of a key 64 bits of its digest only.

    Whoever looks a key up must look whether it is really there: two of a
    billion keys may have the same bits, and then the later one is known alone.
    """

    def __init__(self) -> None:
        self._recent: dict[int, int] = {}
        self._runs: list[NDArray[np.void]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, key: str) -> Place | None:
        """Return the place of a key, or None."""
        found = self._find(_bits(key))
        return None if found is None else (found >> _BITS, found & (2**_BITS - 1))

    def put(self, key: str, place: Place) -> None:
        """Enter the place of a key, in place of an earlier one."""
        bits = _bits(key)
        self._count += self._find(bits) is None
        self._recent[bits] = place[0] << _BITS | place[1]
        if len(self._recent) >= _RECENT:
            self._sort()

    def _find(self, bits: int) -> int | None:
        if (found := self._recent.get(bits)) is not None:
            return found
        # Runs are few, and later ones count more.
        for run in reversed(self._runs):
            at = int(np.searchsorted(run["key"], np.uint64(bits)))
            if at < len(run) and int(run["key"][at]) == bits:
                return int(run["place"][at])
        return None

    def _sort(self) -> None:
        run = np.array(list(self._recent.items()), _ENTRY)
        self._recent = {}
        run.sort(order="key")
        # Runs of like size become one, so that their number grows with the logarithm of the keys.
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            both = np.concatenate([self._runs.pop(), run])
            both = both[np.argsort(both["key"], kind="stable")]
            last = np.append(both["key"][1:] != both["key"][:-1], True)
            run = both[last]
        self._runs.append(run)


def _bits(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")
