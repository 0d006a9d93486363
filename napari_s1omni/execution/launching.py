"""Launching: a run as a process of its own, which outlives whoever started it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_s1omni.errors import EngineUnavailable, JobError, StoreExists, StoreLocked
from napari_s1omni.execution.control import request
from napari_s1omni.execution.status import Failure, RunStatus, write_status
from napari_s1omni.execution.watching import status
from napari_s1omni.job import Job, output_path
from napari_s1omni.storage.disk import disk_errors
from napari_s1omni.storage.fsync_store import WORK

PYTHON = "S1OMNI_PYTHON"
"""Environment variable that names the interpreter of engines, where it is not this one."""

_TERMINAL = ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
"""Variables by which Jupyter says that output is a terminal; a log is none, and would grow by every turn of a bar."""


NICENESS = "S1OMNI_NICENESS"
"""Environment variable: how far a run yields the processor to the window that shows it, 0 to 19, by default 10."""


@dataclass(frozen=True, slots=True)
class Launched:
    """A run that was started; everything else is learnt from its output."""

    path: Path
    """The output folder, for ``status``, ``watch`` and ``request``."""
    pid: int
    """Process of the run."""
    log: Path
    """What it prints."""
    process: subprocess.Popen[bytes]
    """The process as a child of this one."""

    def status(self) -> RunStatus:
        """Tell how far it is; until its process says something itself, it is starting for as long as that takes."""
        found = status(self.path)
        begins = found.pid == 0 and found.state == "stopped" and self.process.poll() is None
        return found.replace(state="starting") if begins else found

    def failure(self) -> Failure | None:
        """Tell why its process ended with an error; None while it lives or where it ended well."""
        code = self.process.poll()
        if not code:
            return None
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n") if self.log.exists() else []
        last = next((line.strip() for line in reversed(lines) if line.strip()), f"it ended with exit code {code}")
        return Failure("RunFailed", last, f"its log is {self.log}", code)

    def cancel(self) -> None:
        """Ask it to stop after the micro-batch in hand."""
        request(self.path, cancel=True)


def launch(job: Job, *, python: str | Path | None = None, options: Sequence[str] = ()) -> Launched:
    """Start ``s1omni run`` on a job, detached from this process.

    Parameters
    ----------
    job : Job
        It names its output, and its source is a path or URL: pixels of this process cannot be reached from another.
    python : str or Path, optional
        The interpreter to run in, which may hold an engine's packages where this
        one does not; by default that of ``S1OMNI_PYTHON``, else this one.
    options : sequence of str
        More options of ``s1omni run``, such as ``("--workers", "2")``.

    Returns
    -------
    Launched

    Raises
    ------
    JobError
        If the job names no output, or a source in memory.
    StoreLocked
        If a run is at work there.
    StoreExists
        If something else is there.
    EngineUnavailable
        If there is no such interpreter.
    """
    if job.source.uri.startswith("memory:"):
        raise JobError("a source in memory", "a path or URL", "save the image first")
    path = output_path(job)
    work = _make_room(path)
    interpreter = _interpreter(python)
    with disk_errors("writing", work):
        (work / "job.yaml").write_text(job.dump(), encoding="utf-8")
    return _detached(path, [interpreter, "-m", "napari_s1omni", "run", str(work / "job.yaml"), *options])


def launch_redo(
    path: Path | str,
    tiles: str,
    *,
    seed: int | None = None,
    prompt: str | None = None,
    python: str | Path | None = None,
    options: Sequence[str] = (),
) -> Launched:
    """Start ``s1omni redo`` on some tiles of a result, detached from this process.

    Parameters
    ----------
    path : Path or str
        The result.
    tiles : str
        See :func:`napari_s1omni.execution.redo.parse_tiles`.
    seed : int, optional
        Another seed.
    prompt : str, optional
        Another wording for these tiles.
    python, options
        As in :func:`launch`.

    Returns
    -------
    Launched

    Raises
    ------
    StoreLocked
        If a run is at work there.
    EngineUnavailable
        If there is no such interpreter.
    """
    path = Path(path)
    _make_room(path)
    words = [_interpreter(python), "-m", "napari_s1omni", "redo", str(path), "--tiles", tiles, *options]
    if seed is not None:
        words += ["--seed", str(seed)]
    if prompt is not None:
        # One word, so that it may begin with a dash.
        words.append(f"--prompt={prompt}")
    return _detached(path, words)


def _detached(path: Path, words: Sequence[str]) -> Launched:
    """Start a process that outlives this one and works on an output."""
    work = path / WORK
    with disk_errors("writing", work):
        (work / "status.json").unlink(missing_ok=True)
        log = (work / "run.log").open("ab")
    # Process 0: the run itself puts its own number there once it lives.
    write_status(path, RunStatus("starting", started=time.time(), updated=time.time()))
    with log:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=Path.cwd(),
            env={name: value for name, value in os.environ.items() if name not in _TERMINAL},
        )
    _give_way(process.pid)
    # Waited for, so that none stays behind as a zombie however long this process lives.
    threading.Thread(target=process.wait, name=f"waiting for run {process.pid}", daemon=True).start()
    return Launched(path, process.pid, work / "run.log", process)


def _give_way(pid: int) -> None:
    """Lower the priority of a process and of all that it will start."""
    wanted = os.environ.get(NICENESS, "10")
    niceness = min(19, int(wanted)) if wanted.isdecimal() else 10
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, pid, max(niceness, os.getpriority(os.PRIO_PROCESS, pid)))
    # Where Linux shares the processor among sessions, niceness counts within one only; then the session has its own.
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness), encoding="ascii")


def _make_room(path: Path) -> Path:
    work = path / WORK
    if work.is_dir():
        if (work / "status.json").exists() and (found := status(path)).alive:
            raise StoreLocked(
                f"{path} is being written by process {found.pid} on {found.host}",
                remedy="watch it, or choose another output",
                path=str(path),
                pid=found.pid,
            )
    elif path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise StoreExists(f"{path} holds something else", "a new or empty folder", "choose another output")
    with disk_errors("writing", path):
        work.mkdir(parents=True, exist_ok=True)
    return work


def _interpreter(python: str | Path | None) -> str:
    wanted = str(python or os.environ.get(PYTHON) or sys.executable)
    found = shutil.which(wanted)
    if found is None:
        raise EngineUnavailable(
            f"interpreter {wanted}", "the path of a Python that has napari_s1omni and the engine", f"correct {PYTHON}"
        )
    return found
