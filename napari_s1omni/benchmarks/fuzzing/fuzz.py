"""Read damaged images for some time and count what happens."""

from __future__ import annotations

import json
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from napari_s1omni.benchmarks.fuzzing import reading_process
from napari_s1omni.benchmarks.fuzzing.damage import Original, damaged
from napari_s1omni.system.processes import processor_time

OUTCOMES = {
    "equal": "right image",
    "noted": "difference noted",
    "refused": "error of this package",
    "unconfirmed": "read; the reference reader refuses it",
    "silent": "silent difference",
    "failed": "other exception",
    "memory": "too much memory",
    "hang": "too much time",
    "crash": "process ended",
}
"""Outcome -> its name in the table."""
FAULTS = ("silent", "failed", "memory", "hang", "crash")
"""Outcomes that must not occur."""
_WAITING = 10
"""Times the limit of processor time that a read may take by the clock: a busy computer is no fault of it."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What reading one damaged image came to."""

    number: int
    """With the seed and the originals, it gives the same damage again."""
    original: str
    changes: tuple[str, ...]
    outcome: str
    """A key of :data:`OUTCOMES`."""
    text: str
    """The error, or what differs."""

    @property
    def is_fault(self) -> bool:
        return self.outcome in FAULTS


class _Reader:
    """The process that reads; it is started again when it ends or hangs."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def examine(self, path: Path, original: Path) -> tuple[str, str]:
        """Return outcome and text for one image."""
        process = self._process or self._start()
        assert process.stdin is not None
        process.stdin.write(json.dumps({"path": str(path), "original": str(original)}) + "\n")
        process.stdin.flush()
        read = False
        while True:
            try:
                answer = self._answer(process.pid)
            except queue.Empty:
                self._end()
                return ("unconfirmed", "the reference reader hangs") if read else ("hang", f"{self._seconds:g} s")
            if answer is None:
                code = process.wait()
                self._end()
                return ("unconfirmed", "the reference reader crashes") if read else ("crash", f"exit code {code}")
            if "outcome" in answer:
                return str(answer["outcome"]), str(answer["text"])
            read = True

    def _answer(self, pid: int) -> dict[str, Any] | None:
        """Return the next answer; raise `queue.Empty` when the process has worked for too long, or does nothing."""
        begun, end = processor_time(pid), time.monotonic() + _WAITING * self._seconds
        while True:
            try:
                return self._answers.get(timeout=self._seconds)
            except queue.Empty:
                if processor_time(pid) - begun >= self._seconds or time.monotonic() >= end:
                    raise

    def _start(self) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", reading_process.__name__]
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8"
        )
        answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._process, self._answers = process, answers
        threading.Thread(target=_forward, args=(process, answers), daemon=True).start()
        return process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _forward(process: subprocess.Popen[str], answers: queue.Queue[dict[str, Any] | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        answers.put(json.loads(line))
    answers.put(None)


def fuzz(
    found: Sequence[Original],
    *,
    seed: int = 0,
    minutes: float | None = None,
    count: int | None = None,
    keep: Path | None = None,
    seconds: float = 30,
) -> Iterator[Trial]:
    """Damage images and read them, until the time is over or the number is reached.

    Parameters
    ----------
    found : sequence of Original
    seed : int
        The same seed and originals give the same damage.
    minutes : float, optional
    count : int, optional
        Number of damaged images.
    keep : Path, optional
        Folder for the images that must not occur, each with ``trial.json``.
    seconds : float
        Processor time after which reading one image counts as hanging.
    """
    end = time.monotonic() + 60 * minutes if minutes is not None else float("inf")
    with _Reader(seconds) as reader, tempfile.TemporaryDirectory(prefix="s1omni-fuzz-") as temporary:
        number = 0
        while time.monotonic() < end and (count is None or number < count):
            rng = random.Random(f"{seed}:{number}")
            original = rng.choice(found)
            folder = Path(temporary) / str(number)
            folder.mkdir()
            path, changes = damaged(original, folder, rng)
            outcome, text = reader.examine(path, original.path)
            trial = Trial(number, str(original.path), tuple(changes), outcome, text.replace(str(folder), ""))
            if keep and trial.is_fault:
                kept = keep / f"{outcome}-{number:06d}"
                shutil.copytree(folder, kept, dirs_exist_ok=True)
                (kept / "trial.json").write_text(json.dumps(asdict(trial), indent=1), encoding="utf-8")
            shutil.rmtree(folder)
            yield trial
            number += 1
