"""How many bytes of a file come from the disk: what the system has in its cache is forgotten first."""

from __future__ import annotations

import os

import psutil


def forget_cached(path: str) -> bool:
    """Take a file out of the cache of the system; return whether this system can.

    Parts that a process has mapped stay.
    """
    if not hasattr(os, "posix_fadvise"):
        return False
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
    return True


def bytes_read() -> int:
    """Return how many bytes this process had to read from disks so far; 0 where the system does not count them."""
    process = psutil.Process()
    return int(process.io_counters().read_bytes) if hasattr(process, "io_counters") else 0
