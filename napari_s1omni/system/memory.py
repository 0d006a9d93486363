"""Memory: what this machine has, what this process took, and how freed memory is kept."""

from __future__ import annotations

import ctypes
import resource

import psutil

_TRIM, _MMAP, _ARENAS = -1, -3, -8
"""``M_TRIM_THRESHOLD``, ``M_MMAP_THRESHOLD`` and ``M_ARENA_MAX`` of mallopt(3)."""
KEPT = 8 * 2**20
"""Bytes at the end of the heap that are kept, and of the smallest array that gets a place of its own."""


def available_memory() -> int:
    """Bytes that processes of this machine can still take."""
    return int(psutil.virtual_memory().available)


def total_memory() -> int:
    """Bytes of memory of this machine."""
    return int(psutil.virtual_memory().total)


def own_memory() -> int:
    """Resident size of this process, in bytes."""
    return int(psutil.Process().memory_info().rss)


def own_peak() -> int:
    """Largest resident size of this process so far, in bytes."""
    # Linux counts this in KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


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
