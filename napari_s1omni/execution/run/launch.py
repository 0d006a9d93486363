"""Launching: a run as a process of its own, which outlives whoever started it."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_s1omni.errors import EngineUnavailable, JobError, StoreExists, StoreLocked
from napari_s1omni.execution.run.control import write_control
from napari_s1omni.execution.run.status import Failure, RunStatus, write_status
from napari_s1omni.execution.run.watch import status
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.settings import PYTHON, child_environment, interpreter, niceness
from napari_s1omni.storage.files.disk import disk_errors
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.system.processes import lower_priority, start_detached

_TERMINAL = ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
"""Variables by which Jupyter says that output is a terminal; a log is none, and would grow by every turn of a bar."""


@dataclass(frozen=True, slots=True)
class Launched:
    """A run that was started; everything else is learnt from its output."""

    path: Path
    """The output folder, for ``status``, ``watch`` and ``write_control``."""
    pid: int
    """Process of the run."""
    log: Path
    """What it prints."""
    process: subprocess.Popen[bytes]
    """The process as a child of this one."""

    def status(self) -> RunStatus:
        """Tell how far it is."""
        return status(self.path)

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
        write_control(self.path, cancel=True)


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
    program = _interpreter(python)
    with disk_errors("writing", work):
        (work / "job.yaml").write_text(job.dump(), encoding="utf-8")
    return _detached(path, [program, "-m", "napari_s1omni", "run", str(work / "job.yaml"), *options])


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
        See :func:`napari_s1omni.execution.run.redo.parse_tiles`.
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
        process = start_detached(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=Path.cwd(),
            env=child_environment(without=_TERMINAL),
        )
    lower_priority(process.pid, niceness())
    # Waited for, so that none stays behind as a zombie however long this process lives.
    threading.Thread(target=process.wait, name=f"waiting for run {process.pid}", daemon=True).start()
    return Launched(path, process.pid, work / "run.log", process)


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
    wanted = str(python or interpreter())
    found = shutil.which(wanted)
    if found is None:
        raise EngineUnavailable(
            f"interpreter {wanted}",
            "the path of a Python that has napari_s1omni and the engine",
            f"correct {PYTHON.name}",
        )
    return found
