"""The kernel of this machine: one confined process after another, each tested before it gets any code."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_s1omni.errors import SandboxError
from napari_s1omni.sandbox import self_test
from napari_s1omni.sandbox.frames import BadFrame, PipeClosed
from napari_s1omni.sandbox.kernel import Broker, Execution, NoBroker, Note, Picture
from napari_s1omni.sandbox.launch import Backend
from napari_s1omni.sandbox.policy import Confinement
from napari_s1omni.sandbox.requests import answer, picture_frame
from napari_s1omni.sandbox.worker_process import WorkerProcess

_WATCH = 0.1
"""Seconds between two looks at what limits do not bound inside."""
_STOP = 0.6
"""Seconds that a cell has to end after :meth:`ProcessKernel.interrupt`."""
_CODE = 2**20
"""Bytes of the longest cell."""


class Killed(Exception):
    """The process must end; the text says why."""


class ProcessKernel:
    """A kernel in a process of its own, see :class:`napari_s1omni.sandbox.kernel.Kernel`.

    Parameters
    ----------
    backend : {"bubblewrap", "landlock"}
    confinement : Confinement
    """

    def __init__(self, backend: Backend, confinement: Confinement) -> None:
        self._backend: Backend = backend
        self._confinement = confinement
        self._worker: WorkerProcess | None = None
        self._generation = 0
        self._cell = 0
        self._pictures: tuple[Picture, ...] = ()
        self._layer: dict[str, Any] = {}
        self._closed = False
        self._stop_at = 0.0
        self._turn = threading.Lock()
        self.findings: tuple[self_test.Finding, ...] = ()
        """What the self-test of the present process found."""

    @property
    def backend(self) -> str:
        return self._backend

    @property
    def alive(self) -> bool:
        worker = self._worker
        return worker is not None and worker.alive

    @property
    def generation(self) -> int:
        return self._generation

    @property
    def facts(self) -> dict[str, Any]:
        """Versions of Python, of the libraries and of Landlock in the present process; empty without one."""
        said = self._worker.facts if self._worker is not None else {}
        return {name: said[name] for name in ("python", "libraries", "landlock") if name in said}

    def start(self) -> None:
        """Start a process if there is none, and test it.

        Raises
        ------
        SandboxError
            If it does not start, or a probe gets out.
        """
        with self._turn:
            self._ready()

    def _ready(self) -> WorkerProcess:
        if self._closed:
            raise SandboxError("this kernel was closed", remedy="open another one")
        if self._worker is not None and not self._worker.alive:
            self._drop()
        if self._worker is None:
            self._worker = WorkerProcess(self._backend, self._confinement)
            self._generation += 1
            try:
                self.findings = self_test.run(self._probe)
                if self._pictures or self._layer:
                    self._give(self._worker)
            except PipeClosed as error:
                self._drop()
                raise SandboxError(f"the confined process ended before its first cell: {error}") from None
            except BaseException:
                self._drop()
                raise
        return self._worker

    def _probe(self, code: str) -> str:
        """Run code of ours, and return what it printed."""
        assert self._worker is not None
        done = self._run(self._worker, code, NoBroker(), 20.0)
        if done.status != "ok":
            raise SandboxError(f"the self-test of the sandbox did not end: {done.error or done.status}")
        return done.text

    def offer(self, pictures: Sequence[Picture], layer: Mapping[str, Any]) -> None:
        """Give the code ``images`` and ``layer``."""
        with self._turn:
            self._pictures, self._layer = tuple(pictures), dict(layer)
            if self._worker is not None and self._worker.alive:
                self._give(self._worker)

    def _give(self, worker: WorkerProcess) -> None:
        worker.release()
        try:
            worker.pipe.send({"kind": "layer", "facts": self._layer})
            for picture in self._pictures:
                header, payload = picture_frame("picture", picture)
                worker.pipe.send(header, payload)
        except PipeClosed:
            # The next cell starts another process, and gives it everything.
            self._drop()

    def execute(self, code: str, broker: Broker | None = None) -> Execution:
        """Run a cell to its end."""
        if len(code.encode("utf-8", "replace")) > _CODE:
            return Execution("error", error=f"a cell has at most {_CODE // 2**20} MiB", generation=self._generation)
        with self._turn:
            worker = self._ready()
            return self._run(worker, code, broker or NoBroker(), self._confinement.limits.cell_seconds)

    def _run(self, worker: WorkerProcess, code: str, broker: Broker, seconds: float) -> Execution:
        self._cell += 1
        self._stop_at = 0.0
        execution = Execution(generation=self._generation)
        exchange = _Exchange(self._cell, broker, execution, self._confinement)
        began = time.monotonic()
        try:
            worker.release()
            header = {"kind": "run", "cell": self._cell, "seconds": seconds}
            worker.pipe.send(header, code.encode("utf-8", "replace"))
            self._attend(worker, exchange, began + seconds + self._confinement.limits.grace_seconds)
            worker.hold()
        except (BadFrame, Killed, PipeClosed) as end:
            reason = str(end) if not isinstance(end, PipeClosed) else "its process ended by itself"
            stopped = bool(self._stop_at)
            execution.status = "killed"
            execution.error = f"The process of the code was ended: {reason.rstrip('.')}. Its variables are gone."
            if stopped:
                execution.error = "The cell was stopped by the user and did not end. Its variables are gone."
            self._drop()
        except BaseException:
            # The broker failed in the midst of an answer.
            self._drop()
            raise
        execution.seconds = time.monotonic() - began
        execution.text = "".join(exchange.printed)
        return execution

    def _attend(self, worker: WorkerProcess, exchange: _Exchange, deadline: float) -> None:
        """Answer until the cell has ended."""
        before = worker.pipe.received
        look = time.monotonic() + _WATCH
        while True:
            now = time.monotonic()
            if now >= look:
                look = now + _WATCH
                if excess := worker.excess():
                    raise Killed(excess)
            if now > deadline + exchange.answering or self._closed or (self._stop_at and now > self._stop_at):
                raise Killed(
                    "the time of the cell was over, and it did not end" if not self._closed else "it was closed"
                )
            frame = worker.pipe.receive(min(_WATCH, max(0.001, look - now)))
            if worker.pipe.received - before > self._confinement.limits.cell_bytes:
                raise Killed(f"it sent more than {self._confinement.limits.cell_bytes // 2**20} MiB in one cell")
            if frame is not None and exchange.take(worker, *frame):
                # A cell must not leave too much behind either.
                if excess := worker.excess():
                    raise Killed(excess)
                return

    def interrupt(self) -> None:
        """Stop the present cell, from another thread."""
        worker = self._worker
        if worker is not None and self._turn.locked():
            self._stop_at = time.monotonic() + _STOP
            worker.interrupt()

    def close(self) -> None:
        """End the process and remove what it wrote."""
        self._closed = True
        with self._turn:
            self._drop()

    def _drop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()


class _Exchange:
    """Frames of one cell: what counts, what is answered, what is too much."""

    def __init__(self, cell: int, broker: Broker, execution: Execution, confinement: Confinement) -> None:
        self._cell = cell
        self._broker = broker
        self._execution = execution
        self._limits = confinement.limits
        self._frames = 0
        self._letters = 0
        self.answering = 0.0
        """Seconds that the broker took, which the cell does not pay for."""
        self.printed: list[str] = []

    def take(self, worker: WorkerProcess, said: dict[str, Any], payload: bytearray) -> bool:
        """Take a frame; return whether it was the last."""
        if said["kind"] != "call":
            self._frames += 1
        if self._frames > self._limits.frames:
            raise Killed(f"it sent more than {self._limits.frames} frames in one cell")
        if said["cell"] != self._cell:
            # A thread of an earlier cell.
            return False
        kind = said["kind"]
        if kind == "call":
            began = time.monotonic()
            header, reply = answer(said, self._broker)
            worker.pipe.send(header, reply)
            self.answering += time.monotonic() - began
        elif kind == "text":
            self._print(said["stream"], said["text"])
        elif kind == "image":
            self._show(said, payload)
        elif kind == "note":
            if len(self._execution.notes) >= self._limits.notes:
                raise Killed(f"it took more than {self._limits.notes} notes in one cell")
            note = Note(said["name"], float(said["value"]), said["unit"])
            self._execution.notes.append(note)
            self._broker.note(note)
        elif kind == "done":
            self._execution.status, self._execution.error = said["status"], said["error"]
            self._execution.threads = max(1, said["threads"])
            return True
        else:
            raise BadFrame(f"a frame of kind {kind} in a cell")
        return False

    def _print(self, stream: Any, text: str) -> None:
        text = text[: max(0, self._limits.text + 200 - self._letters)]
        self._letters += len(text)
        if text:
            self.printed.append(text)
            self._broker.text(stream, text)

    def _show(self, said: dict[str, Any], payload: bytearray) -> None:
        if len(self._execution.pictures) >= self._limits.pictures:
            raise Killed(f"it showed more than {self._limits.pictures} pictures in one cell")
        pixels = np.frombuffer(payload, np.uint8).reshape(said["shape"])
        if max(pixels.shape[:2]) > self._limits.picture_side:
            raise BadFrame(f"a picture of {pixels.shape[0]} x {pixels.shape[1]} px")
        picture = Picture(pixels, said["name"])
        self._execution.pictures.append(picture)
        self._broker.show(picture)
