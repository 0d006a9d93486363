"""Progress of a training: one line of JSON per interval in a log, and one of text on standard error."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

LOG = "progress.jsonl"
"""Name of the log in the recipe's folder."""


class Progress:
    """Writes step, lessons, rate and mean losses to a log file and to standard error.

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
        self._reached: dict[str, float] = {}
        self._since = time.monotonic()

    def record_step(self, step: int, samples: int, used: float, losses: dict[str, float]) -> None:
        """Record one step; write a line if the interval is over."""
        for name, value in losses.items():
            self._losses.setdefault(name, []).append(value)
        self._samples += samples
        self._reached = {"step": step, "lessons": step * samples, "minutes": round(used / 60, 2)}
        if time.monotonic() - self._since >= self._interval:
            self.flush()

    def flush(self) -> None:
        """Write a line about the steps since the last one, if there were any."""
        if not self._samples:
            return
        means = {name: round(sum(values) / len(values), 5) for name, values in self._losses.items()}
        rate = round(self._samples / max(time.monotonic() - self._since, 1e-9), 2)
        append_line(self._log, {"stage": self._stage, **self._reached, "per_second": rate, "loss": means})
        self._losses.clear()
        self._samples = 0
        self._since = time.monotonic()


def append_line(log: Path, facts: dict[str, Any]) -> None:
    """Append one line of facts with the time to a log, and say it on standard error."""
    line = json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%S"), **facts})
    sys.stderr.write(f"{line}\n")
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def read_lines(log: Path) -> list[dict[str, Any]]:
    """Read a log; a last line that is not complete is left out."""
    if not log.is_file():
        return []
    lines = log.read_text("utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines]
