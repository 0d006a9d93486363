"""The machine: its processors, its load, its GPUs and its system."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_NVIDIA = Path("/proc/driver/nvidia/gpus")


def usable_processors() -> int:
    """Logical processors that this process may use."""
    return len(os.sched_getaffinity(0))


def processors() -> int | None:
    """Logical processors of the machine; None where the system does not say."""
    return os.cpu_count()


def load() -> float:
    """Processes that wanted a processor, on average over the last minute."""
    return os.getloadavg()[0]


def nvidia_gpus() -> int:
    """Return the number of NVIDIA GPUs, without loading anything that talks to them."""
    return len(list(_NVIDIA.iterdir())) if _NVIDIA.is_dir() else 0


def system_name() -> str:
    """Such as ``Linux``."""
    return platform.system()
