"""Times work on a device until a deadline, and reads how much memory it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Measures on one device."""

    device: torch.device
    deadline: float
    """Value of ``time.monotonic()`` after which nothing new is begun."""

    def seconds(self, action: Callable[[], object]) -> float:
        """Return the seconds of an action, until the device has finished it."""
        self._wait()
        begin = time.perf_counter()
        action()
        self._wait()
        return time.perf_counter() - begin

    def within_limits(self, measure: Callable[[], float]) -> float | None:
        """Return a measurement; None after the deadline, or if the memory of the device is too small for it."""
        if time.monotonic() > self.deadline:
            return None
        try:
            return measure()
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            return None

    def peak_memory(self) -> int | None:
        """Return the largest number of bytes allocated since the last call; None on a CPU."""
        if self.device.type != "cuda":
            return None
        peak: int = torch.cuda.max_memory_allocated(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        return peak

    def random(self, *shape: int) -> torch.Tensor:
        """Return normally distributed numbers, always the same."""
        return torch.randn(*shape, device=self.device, generator=torch.Generator(self.device).manual_seed(1))

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
