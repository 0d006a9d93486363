"""Previews, computed in a process of their own that keeps the engine loaded."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_s1omni.engine.protocol import Thought
from napari_s1omni.execution.run.status import Failure
from napari_s1omni.frontends.session.preview.events import PreviewEvent, PreviewFailed, PreviewProgress, PreviewResult
from napari_s1omni.planning.job import Job
from napari_s1omni.planning.plan import Plan
from napari_s1omni.settings import interpreter
from napari_s1omni.system.processes import start_detached


class PreviewClient:
    """A process that computes previews, started with the first request.

    Parameters
    ----------
    on_event : callable
        Called from a background thread with each :data:`~napari_s1omni.frontends.session.preview.events.PreviewEvent`
        of the newest request.
    python : str, optional
        Interpreter that holds the engine; by default that of ``S1OMNI_PYTHON``, else this one.
    """

    def __init__(self, on_event: Callable[[PreviewEvent], None], python: str | None = None) -> None:
        self._on_event = on_event
        self._python = python
        self._process: subprocess.Popen[str] | None = None
        self._folder: Path | None = None
        self._lock = threading.Lock()
        self._newest = 0
        self._tiles = 0

    def start(self) -> None:
        """Start the process if necessary; its imports take a second or two."""
        with self._lock:
            self._running_process()

    def request(self, job: Job) -> int:
        """Request a preview; it replaces a running one.

        Parameters
        ----------
        job : Job
            Its region is previewed.

        Returns
        -------
        int
            Number of the request.
        """
        with self._lock:
            process = self._running_process()
            self._newest += 1
            pixels = Path(str(self._folder)) / f"{self._newest}.npy"
            request = {"id": self._newest, "job": job.model_dump(mode="json"), "pixels": str(pixels)}
            if process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(json.dumps(request) + "\n")
                    process.stdin.flush()
            return self._newest

    def close(self) -> None:
        """End the process."""
        with self._lock:
            process, self._process = self._process, None
            self._newest += 1
        if process is not None:
            process.terminate()
            process.wait(10)
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _running_process(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._folder = self._folder or Path(tempfile.mkdtemp(prefix="s1omni-preview-"))
        self._process = start_detached(
            [self._python or interpreter(), "-m", "napari_s1omni.frontends.session.preview.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        threading.Thread(target=self._listen, args=(self._process,), name="preview events", daemon=True).start()
        return self._process

    def _listen(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            return
        with contextlib.suppress(ValueError):
            # Closing the stream ends the loop.
            for line in process.stdout:
                message = json.loads(line)
                if message["event"] not in ("started", "superseded") and message["id"] == self._newest:
                    self._on_event(self._event(message))
        with self._lock:
            died = self._process is process
            self._process = None if died else self._process
            newest = self._newest
        if died and newest:
            error = Failure("EngineUnavailable", "the preview process ended", "start the preview again", 69)
            self._on_event(PreviewFailed(newest, error))

    def _event(self, message: Mapping[str, Any]) -> PreviewEvent:
        number = message["id"]
        match message["event"]:
            case "loading":
                return PreviewProgress(number, f"loading {message['engine']}", loading=message["engine"])
            case "ready":
                self._tiles = message["tiles"]
                name = message["engine"]
                return PreviewProgress(number, f"thinking with {name}", 0, self._tiles, loaded=name)
            case "tiles":
                text = f"{message['done']} of {self._tiles} tiles"
                return PreviewProgress(number, text, message["done"], self._tiles)
            case "done":
                pixels = Path(str(self._folder)) / f"{number}.npy"
                loaded = np.load(pixels, allow_pickle=False)
                pixels.unlink()
                thoughts = {key: Thought(**fields) for key, fields in message["thoughts"].items()}
                plan = Plan.from_json(message["plan"])
                errors = tuple(message["errors"])
                return PreviewResult(number, plan, loaded, thoughts, message["seconds"], errors)
            case _:
                error = Failure(message["kind"], message["message"], message["remedy"], 1)
                return PreviewFailed(number, error)
