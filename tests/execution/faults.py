"""Real faults at a chosen step of a chosen process: signals, disk errors, bad tiles and too little memory."""

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from napari_s1omni.errors import EngineOutOfMemory
from napari_s1omni.testing.fake_engine import FakeEngine


@dataclass(frozen=True)
class Fault:
    """Sends a signal, once, when a run reaches a step for the n-th time."""

    step: str
    number: int
    folder: str
    """Folder in which the steps are counted, and the victim is stored."""
    each: bool = False
    """Whether each process counts for itself; otherwise all processes count together."""
    target: str = "self"
    """``self``, ``parent-of-worker`` (the process of its nanny) or the name of a file that holds a process id."""
    name: str = "KILL"
    error: int = 0
    """Number of a system error to raise instead."""
    seconds: float = 0.0
    """Seconds after which a stopped process is continued."""

    def __call__(self, step):
        if step != self.step:
            return
        # Exclusive file creation counts correctly across processes and threads.
        count = 1
        name = f"{step}-{os.getpid()}" if self.each else step
        while True:
            try:
                (Path(self.folder) / f"{name}-{count}").touch(exist_ok=False)
                break
            except FileExistsError:
                count += 1
        if count != self.number:
            return
        pid = {"self": os.getpid, "parent-of-worker": os.getppid}.get(self.target, self._noted)()
        try:
            with (Path(self.folder) / "victim").open("x") as file:
                file.write(str(pid))
        except FileExistsError:
            return
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        if self.seconds:
            # Only another process can continue a stopped one.
            subprocess.Popen(["sh", "-c", f"sleep {self.seconds}; kill -CONT {pid}"], start_new_session=True)
        os.kill(pid, getattr(signal, f"SIG{self.name}"))

    def _noted(self):
        return int(Path(self.target).read_text())


class FaultyEngine(FakeEngine):
    """A fake engine that a certain tile kills, or that has memory for a few tiles only."""

    def __init__(self, *, deadly=None, room=None, **settings):
        super().__init__(**settings)
        self._deadly = deadly
        self._room = room

    def generate(self, images, thoughts, sampling, noise):
        if self._room is not None and len(images) > self._room:
            raise EngineOutOfMemory(f"{len(images)} tiles at a time", f"room for {self._room}")
        if self._deadly is not None and any(float(image.max()) == self._deadly for image in images):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().generate(images, thoughts, sampling, noise)
