"""Allocator: what the C library does with memory that arrays gave back."""

from __future__ import annotations

import ctypes

_TRIM, _MMAP, _ARENAS = -1, -3, -8
"""``M_TRIM_THRESHOLD``, ``M_MMAP_THRESHOLD`` and ``M_ARENA_MAX`` of mallopt(3)."""
KEPT = 8 * 2**20
"""Bytes at the end of the heap that are kept, and of the smallest array that gets a place of its own."""


def keep_freed() -> None:
    """Let the next array take the place of the last one.

    Dask's nannies have every worker return memory at once, so that each array
    is made of new pages, which the system clears first: a tenth of the time of
    a run with tiles of 50 ms. One heap for all threads keeps what is kept
    small. Other C libraries than glibc do as they like.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENAS, 1)
        mallopt(_TRIM, KEPT)
        mallopt(_MMAP, KEPT)
