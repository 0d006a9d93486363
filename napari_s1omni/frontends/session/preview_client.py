"""Previewer: small pieces of a job, run by a helper process that keeps the engine warm."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import TileGrid
from napari_s1omni.engine.protocol import Thought
from napari_s1omni.execution.run.status import Failure
from napari_s1omni.planning.job import Box, Job
from napari_s1omni.planning.plan import Plan
from napari_s1omni.settings import interpreter
from napari_s1omni.system.processes import start_detached

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PreviewStep:
    """What a preview is doing."""

    request: int
    words: str
    """Such as ``loading nano`` or ``4 of 9 tiles``."""
    done: int = 0
    total: int = 0
    loading: str = ""
    """Name of the engine that is being loaded."""
    loaded: str = ""
    """Name of the engine that is there now."""


@dataclass(frozen=True, slots=True)
class Previewed:
    """What a preview made."""

    request: int
    plan: Plan
    """The small plan; its target says where `pixels` lie."""
    pixels: NDArray[Any]
    """In the axes of the target."""
    thoughts: Mapping[str, Thought]
    seconds: float
    """From request to result, the loading of the engine included."""
    rate: float | None
    """Seconds per tile, from when the engine was there; None where no tile was drawn."""
    errors: tuple[str, ...] = ()
    """Tiles that failed."""


@dataclass(frozen=True, slots=True)
class PreviewFailed:
    """Why there is no preview."""

    request: int
    failure: Failure


Answer = PreviewStep | Previewed | PreviewFailed


class PreviewClient:
    """A helper process, started with the first request.

    Parameters
    ----------
    on_answer : callable
        Called from a thread of its own with each :data:`Answer`; those of
        requests that were replaced by newer ones are left out.
    python : str, optional
        Interpreter that has the engine; by default that of ``S1OMNI_PYTHON``, else this one.
    """

    def __init__(self, on_answer: Callable[[Answer], None], python: str | None = None) -> None:
        self._on_answer = on_answer
        self._python = python
        self._process: subprocess.Popen[str] | None = None
        self._folder: Path | None = None
        self._lock = threading.Lock()
        self._number = 0
        self._total = 0

    def start(self) -> None:
        """Start the helper, if it is not there: its imports take a second or two."""
        with self._lock:
            self._started()

    def ask(self, job: Job, thoughts: Mapping[str, str] | None = None) -> int:
        """Ask for a preview; a running one is given up for it.

        Parameters
        ----------
        job : Job
            Its region is what is shown.
        thoughts : mapping of key to text, optional
            Thoughts to draw from instead of thinking.

        Returns
        -------
        int
            Number of the request.
        """
        with self._lock:
            process = self._started()
            self._number += 1
            pixels = Path(str(self._folder)) / f"{self._number}.npy"
            request = {
                "id": self._number,
                "job": job.model_dump(mode="json"),
                "pixels": str(pixels),
                "thoughts": dict(thoughts or {}),
            }
            if process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(json.dumps(request) + "\n")
                    process.stdin.flush()
            return self._number

    def close(self) -> None:
        """End the helper."""
        with self._lock:
            process, self._process = self._process, None
            self._number += 1
        if process is not None:
            process.terminate()
            process.wait(10)
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _started(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._folder = self._folder or Path(tempfile.mkdtemp(prefix="s1omni-preview-"))
        self._process = start_detached(
            [self._python or interpreter(), "-m", "napari_s1omni.frontends.session.preview_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        threading.Thread(target=self._listen, args=(self._process,), name="preview answers", daemon=True).start()
        return self._process

    def _listen(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            return
        with contextlib.suppress(ValueError):
            # Closing the stream while it is read ends the loop.
            for line in process.stdout:
                message = json.loads(line)
                if message["event"] not in ("started", "superseded") and message["id"] == self._number:
                    self._on_answer(self._read(message))
        with self._lock:
            died = self._process is process
            self._process = None if died else self._process
            number = self._number
        if died and number:
            gone = Failure(
                "EngineUnavailable", "the preview process ended", "preview again; see the log if it repeats", 69
            )
            self._on_answer(PreviewFailed(number, gone))

    def _read(self, message: Mapping[str, Any]) -> Answer:
        number = message["id"]
        match message["event"]:
            case "loading":
                return PreviewStep(number, f"loading {message['engine']}", loading=message["engine"])
            case "ready":
                self._total = message["tiles"]
                name = message["engine"]
                return PreviewStep(number, f"thinking with {name}", 0, self._total, loaded=name)
            case "tiles":
                words = f"{message['done']} of {self._total} tiles"
                return PreviewStep(number, words, message["done"], self._total)
            case "done":
                pixels = Path(str(self._folder)) / f"{number}.npy"
                made = np.load(pixels, allow_pickle=False)
                pixels.unlink()
                thoughts = {key: Thought(**told) for key, told in message["thoughts"].items()}
                plan = Plan.from_json(message["plan"])
                errors = tuple(message["errors"])
                return Previewed(number, plan, made, thoughts, message["seconds"], message["rate"], errors)
            case _:
                found = Failure(message["kind"], message["message"], message["remedy"], 1)
                return PreviewFailed(number, found)


def preview_box(grid: TileGrid, spans: Mapping[str, tuple[float, float]], cells: int = 2) -> Box:
    """Choose what to preview: up to `cells` x `cells` lattice cells around the middle of what is looked at.

    Parameters
    ----------
    grid : TileGrid
        Of the whole job.
    spans : mapping of axis to (start, stop)
        What is looked at, in px of the source; t and z may be given by their first value.
    cells : int
        Edge of the preview in steps of the lattice.
    """
    chosen: dict[str, Span] = {}
    for axis, first, last in (("y", *grid.y), ("x", *grid.x)):
        low, high = spans.get(axis, (first, last))
        low, high = max(low, first), min(high, last)
        if high <= low:
            low, high = first, last
        count = max(1, -(-(last - first) // grid.step))
        n = min(cells, count, max(1, round((high - low) / grid.step)))
        start = int(((low + high) / 2 - n * grid.step / 2 - first) / grid.step + 0.5)
        start = max(0, min(start, count - n))
        chosen[axis] = (first + start * grid.step, min(last, first + (start + n) * grid.step))
    for axis, (first, last) in (("t", grid.t), ("z", grid.z)):
        at = max(first, min(int(spans.get(axis, (first, 0))[0]), last - 1))
        chosen[axis] = (at, at + 1)
    return Box(**chosen)
