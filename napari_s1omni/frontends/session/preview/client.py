"""Previews, computed in a process of their own that keeps the engine loaded and may turn into a run."""

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

from napari_s1omni.engine.description import EngineDescription
from napari_s1omni.engine.protocol import Thought
from napari_s1omni.execution.run.order import Order
from napari_s1omni.execution.run.status import Failure
from napari_s1omni.frontends.session.preview.events import (
    PreviewCancelled,
    PreviewEvent,
    PreviewFailed,
    PreviewPart,
    PreviewProgress,
    PreviewResult,
)
from napari_s1omni.planning.job import Job
from napari_s1omni.planning.plan import Plan
from napari_s1omni.settings import child_environment, engine_environment, interpreter
from napari_s1omni.system.processes import start_detached

_SMALL = 2**30
"""Bytes up to which an engine is loaded before it is asked for."""
_IDLE = 600.0
"""Seconds without a request after which the process ends, and with it the memory of its engine."""


class PreviewClient:
    """A process with a loaded engine, started with the first request.

    Parameters
    ----------
    on_event : callable
        Called from a background thread with each :data:`~napari_s1omni.frontends.session.preview.events.PreviewEvent`
        of the newest request.
    python : str, optional
        Interpreter that holds the engine; by default that of ``S1OMNI_PYTHON``, else this one.
    idle : float
        Seconds without a request after which the process is ended.
    """

    def __init__(
        self, on_event: Callable[[PreviewEvent], None], python: str | None = None, idle: float = _IDLE
    ) -> None:
        self._on_event = on_event
        self._python = python
        self._idle = idle
        self._process: subprocess.Popen[str] | None = None
        self._environment: dict[str, str] = {}
        self._folder: Path | None = None
        self._lock = threading.RLock()
        self._newest = 0
        self._previewing = 0
        self._engine = self._given = self._loading = ""
        self._warm = self._ahead = False
        self._timer: threading.Timer | None = None

    @property
    def engine(self) -> str:
        """Name of the engine that is loaded; empty if none is."""
        return self._engine if self._process is not None and self._process.poll() is None else ""

    def start(self) -> None:
        """Keep a process from now on; its imports take a second or two."""
        with self._lock:
            self._warm = True
            self._running_process()

    def load(self, engine: EngineDescription) -> None:
        """Load a small engine for the next preview or run, if a process is kept and does nothing else."""
        if engine.host.gpus or engine.host.memory.resident > _SMALL:
            return
        with self._lock:
            if self._warm and not self._previewing and engine.name not in (self.engine, self._loading):
                self._running_process()
                self._loading = engine.name if self._send(load=engine.name) else ""

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
            self._running_process()
            pixels = Path(str(self._folder)) / f"{self._newest + 1}.npy"
            self._previewing = self._send(job=job.model_dump(mode="json"), pixels=str(pixels))
            return self._previewing

    def cancel(self) -> None:
        """Stop the preview after its current tile; the event comes at once."""
        with self._lock:
            number, self._previewing = self._previewing, 0
            if not number:
                return
            self._send()
        self._on_event(PreviewCancelled(number))

    def reload(self) -> None:
        """Load the engine again that was given to a run, for the next preview or run."""
        with self._lock:
            engine, self._given = self._given, ""
            if engine and not self._previewing:
                self._running_process()
                self._loading = engine if self._send(load=engine) else ""

    def draw_ahead(self, redo: Order) -> None:
        """Draw what accepting a tried tile will need, until another request comes."""
        with self._lock:
            self._ahead = False
            if self.engine and not self._previewing:
                self._send(ahead=redo.to_json())

    @property
    def drawn_ahead(self) -> bool:
        """Whether everything that was to be drawn ahead is there."""
        return self._ahead

    def give(self, order: Order, engine: str, log: Path) -> subprocess.Popen[Any] | None:
        """Let the process with this engine become that of a run; previews then use another process.

        It is a :data:`~napari_s1omni.execution.run.launch.LoadedProcess`. The run outlives this process.
        """
        with self._lock:
            process = self._process
            # One that is still loading it is as far as a new one will be in a while.
            if process is None or not engine or engine not in (self.engine, self._loading):
                return None
            if self._environment != engine_environment():
                return None
            if not self._send(order=order.to_json(), log=str(log), folder=str(Path.cwd())):
                return None
            previewing, self._previewing = self._previewing, 0
            self._process, self._engine, self._loading, self._given = None, "", "", engine
            if process.stdin is not None:
                process.stdin.close()
        if previewing:
            self._on_event(PreviewCancelled(previewing))
        return process

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._newest += 1
            self._previewing = 0
            self._end_process()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _send(self, **request: Any) -> int:
        """Write a request and return its number; 0 if the process is gone."""
        self._newest += 1
        self._restart_timer()
        process = self._process
        if process is None or process.stdin is None or process.poll() is not None:
            return 0
        try:
            process.stdin.write(json.dumps({"id": self._newest, **request}) + "\n")
            process.stdin.flush()
        except OSError:
            return 0
        return self._newest

    def _restart_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(self._idle, self._end_idle, (self._newest,))
        self._timer.daemon = True
        self._timer.start()

    def _end_idle(self, newest: int) -> None:
        with self._lock:
            if newest == self._newest and not self._previewing:
                self._end_process()

    def _end_process(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        process, self._process, self._engine, self._loading = self._process, None, "", ""
        if process is None:
            return
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()

    def _running_process(self) -> subprocess.Popen[str]:
        environment = engine_environment()
        if self._process is not None and self._process.poll() is None:
            if environment == self._environment:
                return self._process
            # What an engine is loaded with may depend on them.
            self._end_process()
        self._folder = self._folder or Path(tempfile.mkdtemp(prefix="s1omni-preview-"))
        self._environment, self._engine, self._loading = environment, "", ""
        self._process = start_detached(
            [self._python or interpreter(), "-m", "napari_s1omni.frontends.session.preview.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=child_environment(),
        )
        threading.Thread(target=self._listen, args=(self._process,), name="preview events", daemon=True).start()
        return self._process

    def _listen(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            return
        with process.stdout as output:
            for line in output:
                self._receive(process, json.loads(line))
        with self._lock:
            died = self._process is process
            previewing = self._previewing
            if died:
                self._process, self._engine, self._loading, self._previewing = None, "", "", 0
        if died and previewing:
            error = Failure("EngineUnavailable", "the preview process ended", "start the preview again", 69)
            self._on_event(PreviewFailed(previewing, error))

    def _receive(self, process: subprocess.Popen[str], message: Mapping[str, Any]) -> None:
        with self._lock:
            if process is not self._process:
                return
            if message["event"] in ("loading", "loaded"):
                loaded = message["event"] == "loaded"
                self._engine, self._loading = (message["engine"], "") if loaded else ("", message["engine"])
            elif message["event"] == "failed":
                self._loading = ""
            self._ahead = self._ahead or (message["event"] == "ahead" and message["id"] == self._newest)
            wanted = message["id"] == self._previewing != 0
            if wanted and message["event"] in ("done", "failed"):
                self._previewing = 0
        for event in self._events(message) if wanted else ():
            self._on_event(event)
        if "file" in message:
            Path(message["file"]).unlink(missing_ok=True)

    def _events(self, message: Mapping[str, Any]) -> list[PreviewEvent]:
        number = message["id"]
        match message["event"]:
            case "loading":
                return [PreviewProgress(number, f"loading {message['engine']}", loading=message["engine"])]
            case "ready":
                name = message["engine"]
                return [PreviewProgress(number, f"thinking with {name}", loaded=name)]
            case "part":
                done, tiles = message["done"], message["tiles"]
                progress = PreviewProgress(number, f"{done} of {tiles} tiles", done, tiles)
                return [progress, PreviewPart(number, *_facts(message))]
            case "done":
                errors = tuple(message["errors"])
                return [PreviewResult(number, *_facts(message), message["seconds"], errors)]
            case "failed":
                error = Failure(message["kind"], message["message"], message["remedy"], 1)
                return [PreviewFailed(number, error)]
        return []


def _facts(message: Mapping[str, Any]) -> tuple[Plan, Any, dict[str, Thought]]:
    """Return plan, pixels and thoughts of a message."""
    pixels = np.load(message["file"], allow_pickle=False)
    thoughts = {key: Thought(**fields) for key, fields in message["thoughts"].items()}
    return Plan.from_json(message["plan"]), pixels, thoughts
