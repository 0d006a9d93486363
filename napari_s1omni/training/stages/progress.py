"""Progress of a training: one line per interval in a log."""

from __future__ import annotations

import sys
import time
from pathlib import Path


class Progress:
    """Writes step, rate and mean losses to a log file and to standard error.

    Parameters
    ----------
    log : Path
    stage : str
        Name of the stage in the log.
    interval : float
        Seconds between lines.
    """

    def __init__(self, log: Path, stage: str, interval: float = 15.0) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log, self._stage, self._interval = log, stage, interval
        self._losses: dict[str, list[float]] = {}
        self._samples = 0
        self._since = time.monotonic()

    def record_step(self, step: int, samples: int, used: float, losses: dict[str, float]) -> None:
        """Record one step; write a line if the interval is over."""
        for name, value in losses.items():
            self._losses.setdefault(name, []).append(value)
        self._samples += samples
        elapsed = time.monotonic() - self._since
        if elapsed >= self._interval:
            means = " ".join(f"{name} {sum(values) / len(values):.4f}" for name, values in self._losses.items())
            self._write(f"step {step} at {used / 60:.1f} min, {self._samples / elapsed:.1f} samples/s: {means}")
            self._losses.clear()
            self._samples = 0
            self._since = time.monotonic()

    def _write(self, text: str) -> None:
        line = f"{time.strftime('%H:%M:%S')} {self._stage}: {text}\n"
        sys.stderr.write(line)
        with self._log.open("a", encoding="utf-8") as file:
            file.write(line)
