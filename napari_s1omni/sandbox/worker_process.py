"""The host's side of one confined process: started, watched, stopped, and everything of it removed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from typing import Any

from napari_s1omni.errors import SandboxError
from napari_s1omni.sandbox.frames import Pipe, PipeClosed
from napari_s1omni.sandbox.launch import Backend, launch, missing
from napari_s1omni.sandbox.policy import Confinement
from napari_s1omni.system.confined import Watched, enlarge_pipe, folder_use, remove_folder, start_bound
from napari_s1omni.system.processes import kill_detached

START_SECONDS = 60.0
"""Until the worker has imported everything and locked itself; a busy machine is slow."""


class WorkerProcess:
    """A confined process that is ready for cells.

    Parameters
    ----------
    backend : str
    confinement : Confinement

    Attributes
    ----------
    pipe : Pipe
    facts : dict
        What it said of itself when it was ready: its libraries, and the version of Landlock.

    Raises
    ------
    SandboxError
        If it could not be started or confined; nothing is left of it.
    """

    def __init__(self, backend: Backend, confinement: Confinement) -> None:
        if lacking := missing(backend):
            raise SandboxError(lacking)
        self.backend = backend
        self._limits = confinement.limits
        self._watched: Watched | None = None
        self._closing = contextlib.ExitStack()
        try:
            self._start(confinement)
        except BaseException:
            self.close()
            raise

    def _start(self, confinement: Confinement) -> None:
        info_out, info_in = os.pipe()
        self._closing.callback(os.close, info_out)
        with open(info_in, "wb") as given:
            command = launch(self.backend, confinement, info_in)
            self.scratch, self._folder = command.scratch, command.folder
            if command.folder is not None:
                self._closing.callback(remove_folder, command.folder)
            self._process = start_bound(
                command.words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=command.environment,
                cwd="/",
                pass_fds=(given.fileno(),) if command.says_pid else (),
            )
        self._closing.callback(self._end)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for stream in (self._process.stdin, self._process.stdout):
            enlarge_pipe(stream.fileno())
        self.pipe = Pipe(self._process.stdout.fileno(), self._process.stdin.fileno())
        try:
            pid = self._said_pid(info_out) if command.says_pid else self._process.pid
            self._watched = Watched(pid)
            self.pipe.send(confinement.to_worker(self.scratch, count_threads=self._folder is None), b"", START_SECONDS)
            frame = self.pipe.receive(START_SECONDS)
        except (PipeClosed, ProcessLookupError) as error:
            raise SandboxError(f"the confined process did not start: {self._complaint() or error}") from None
        if frame is None:
            raise SandboxError(f"the confined process did not start within {START_SECONDS:g} s")
        self.facts: dict[str, Any] = frame[0]
        if self.facts["kind"] != "ready":
            raise SandboxError(f"this machine does not confine code: {self.facts.get('text', 'no answer')}")
        # Landlock holds for the thread that asked for it, and for those it starts.
        if (count := self._watched.threads()) != 1:
            raise SandboxError(f"the confined process has {count} threads, so that not all are confined")

    def _said_pid(self, descriptor: int) -> int:
        """Return the number of the worker, as bubblewrap says it."""
        os.set_blocking(descriptor, False)
        end, said = time.monotonic() + START_SECONDS, b""
        while time.monotonic() < end:
            with contextlib.suppress(BlockingIOError):
                part = os.read(descriptor, 4096)
                said += part
                if not part:
                    break
            if b"}" in said:
                return int(json.loads(said)["child-pid"])
            time.sleep(0.002)
        raise PipeClosed("bubblewrap did not start it")

    def _complaint(self) -> str:
        """Return what was written to standard error before the end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        assert self._process.stderr is not None
        os.set_blocking(self._process.stderr.fileno(), False)
        with contextlib.suppress(BlockingIOError):
            lines = os.read(self._process.stderr.fileno(), 4096).decode("utf-8", "replace").strip().splitlines()
            return lines[-1] if lines else ""
        return ""

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def hold(self) -> None:
        """Stop it between two cells: threads that a cell has left do not go on."""
        if self._watched is not None:
            self._watched.hold()

    def release(self) -> None:
        """Let it work on a cell."""
        if self._watched is not None:
            self._watched.release()

    def interrupt(self) -> None:
        """Ask the cell to end."""
        if self._watched is not None:
            self._watched.interrupt()

    def excess(self) -> str:
        """Say which limit it exceeds, of those that are watched from outside; else nothing."""
        if self._watched is None or not self.alive:
            return ""
        limits = self._limits
        if (threads := self._watched.threads()) > limits.threads + 2:
            return f"it had {threads} threads; {limits.threads} are allowed"
        if self._folder is None:
            files, size = self._watched.files_inside(self.scratch), 0
        else:
            try:
                size, files = folder_use(self._folder, limits.entries)
            except OSError as error:
                return f"its scratch folder cannot be counted ({error.strerror})"
            size += self._watched.hidden_bytes()
        if size > limits.scratch:
            return f"its files took more than {limits.scratch // 2**20} MiB"
        if files > limits.entries:
            return f"it made more than {limits.entries} files"
        return ""

    def close(self) -> None:
        """Kill it, with all that it started, and remove its folder."""
        self._closing.close()

    def _end(self) -> None:
        if self._watched is not None:
            self._watched.kill()
            self._watched.close()
            self._watched = None
            # bubblewrap ends after it has collected the worker; else it would stay a zombie of somebody else.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(2.0)
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill_detached(self._process.pid)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
