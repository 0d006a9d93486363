"""Memory: what this machine has, what this process took, and how freed memory is kept."""

from __future__ import annotations

import ctypes
import resource

import psutil

_TRIM, _MMAP, _ARENAS = -1, -3, -8
"""``M_TRIM_THRESHOLD``, ``M_MMAP_THRESHOLD`` and ``M_ARENA_MAX`` of mallopt(3)."""
RETAINED = 8 * 2**20
"""Bytes of free memory that are kept at the end of the heap; larger arrays are mapped separately."""


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


def retain_freed_memory() -> None:
    """Let the next array reuse the memory of the last one.

    Dask's nannies make workers return memory to the system at once. Each new array then consists of new pages,
    which the system must clear first: a tenth of the time of a run with tiles of 50 ms. A single heap for all
    threads keeps the retained memory small. This has no effect with C libraries other than glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENAS, 1)
        mallopt(_TRIM, RETAINED)
        mallopt(_MMAP, RETAINED)


def limit_own_memory(more: int) -> None:
    """Let this process take only so many bytes in addition to what it has; a request beyond fails as MemoryError."""
    # Only private pages count: threads reserve address space that they never use.
    held = int(psutil.Process().memory_info().data)
    resource.setrlimit(resource.RLIMIT_DATA, (held + more, resource.getrlimit(resource.RLIMIT_DATA)[1]))
