"""Progress: one line per interval in a log, and states from which training continues."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch


class Progress:
    """Writes step, samples, rate and mean losses to a log file and to standard error."""

    def __init__(self, log: Path, stage: str, every: float = 15.0) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log, self._stage, self._every = log, stage, every
        self._sums: dict[str, list[float]] = {}
        self._steps = self._samples = 0
        self._since = time.monotonic()

    def note(self, step: int, samples: int, used: float, losses: dict[str, float]) -> None:
        """Count one step; writes a line when the interval is over."""
        for name, value in losses.items():
            self._sums.setdefault(name, []).append(value)
        self._steps += 1
        self._samples += samples
        passed = time.monotonic() - self._since
        if passed >= self._every:
            means = " ".join(f"{name} {sum(values) / len(values):.4f}" for name, values in self._sums.items())
            self.say(f"step {step} at {used / 60:.1f} min, {self._samples / passed:.1f} samples/s: {means}")
            self._sums.clear()
            self._steps = self._samples = 0
            self._since = time.monotonic()

    def say(self, text: str) -> None:
        """Write one line."""
        line = f"{time.strftime('%H:%M:%S')} {self._stage}: {text}\n"
        sys.stderr.write(line)
        with self._log.open("a", encoding="utf-8") as file:
            file.write(line)


def save_state(path: Path, parts: dict[str, Any], used: float, step: int) -> None:
    """Write the state of every part, the seconds used and the step; whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save({"used": used, "step": step, **{name: part.state_dict() for name, part in parts.items()}}, partial)
    partial.rename(path)


def load_state(path: Path, parts: dict[str, Any]) -> tuple[float, int]:
    """Load what :func:`save_state` wrote, if it exists; returns seconds used and step."""
    if not path.is_file():
        return 0.0, 0
    stored = torch.load(path, map_location="cpu", weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(stored[name])
    return float(stored["used"]), int(stored["step"])
