"""Starts a run as its own process, which outlives the process that started it."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_s1omni.core.paths import is_left_by_system
from napari_s1omni.errors import EngineUnavailable, JobError, StoreExists, StoreLocked
from napari_s1omni.execution.run.control import write_control
from napari_s1omni.execution.run.order import Order
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import (
    Failure,
    RunStatus,
    current_status,
    starting_status,
    write_launch,
    write_status,
)
from napari_s1omni.execution.run.watch import status
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.settings import PYTHON, child_environment, interpreter, niceness
from napari_s1omni.storage.files.disk import disk_errors
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.result.preflight import is_locked
from napari_s1omni.system.processes import lower_priority, start_detached, start_time, start_time_of

LoadedProcess = Callable[[Order, str, Path], "subprocess.Popen[Any] | None"]
"""Gives an order for an engine, with the file for its output, to a process that has that engine loaded; returns the
process, which ends with the order, or None where there is none."""

_TERMINAL_VARIABLES = ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
"""Variables by which Jupyter claims that the output is a terminal; progress bars would fill the log."""


@dataclass(frozen=True, slots=True)
class LaunchedRun:
    """A run that was started; everything else is read from its output."""

    path: Path
    """The output folder."""
    pid: int
    """Process id of the run."""
    log: Path
    """File with its output."""
    process: subprocess.Popen[Any]
    """The process as a child of this one."""

    def status(self) -> RunStatus:
        """Return its status; until its process writes one, it is starting for as long as the process lives."""
        found = status(self.path)
        begins = found.pid == 0 and found.state is RunState.STOPPED and self.process.poll() is None
        return found.replace(state=RunState.STARTING) if begins else found

    def failure(self) -> Failure | None:
        """Return why its process ended with an error; None while it is alive or after success."""
        code = self.process.poll()
        if not code:
            return None
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n") if self.log.exists() else []
        last = next((line.strip() for line in reversed(lines) if line.strip()), f"it ended with exit code {code}")
        return Failure("RunFailed", last, f"its log is {self.log}", code)

    def cancel(self) -> None:
        """Stop it after the current micro-batch."""
        write_control(self.path, cancel=True)


def launch(
    job: Job,
    *,
    python: str | Path | None = None,
    options: Sequence[str] = (),
    engine: str = "",
    loaded: LoadedProcess | None = None,
) -> LaunchedRun:
    """Start ``s1omni run`` on a job, detached from this process.

    Parameters
    ----------
    job : Job
        It names its output, and its source is a path or URL: another process cannot read pixels of this one.
    python : str or Path, optional
        The interpreter to run in, which may have packages of an engine that this
        one lacks; by default that of ``S1OMNI_PYTHON``, else this one.
    options : sequence of str
        Further options of ``s1omni run``, such as ``("--workers", "2")``.
    engine : str
        Name of the engine that its plan has chosen.
    loaded : callable, optional
        May give the run to a process that has this engine loaded already; not asked where there are `options`.

    Returns
    -------
    LaunchedRun

    Raises
    ------
    JobError
        If the job names no output, or a source in memory.
    StoreLocked
        If another run is writing there.
    StoreExists
        If the output holds something else.
    EngineUnavailable
        If the interpreter does not exist.
    """
    if job.source.uri.startswith("memory:"):
        raise JobError("a source in memory", "a path or URL", "save the image first")
    path = output_path(job)
    work = _prepare_output(path)
    program = _interpreter(python)
    with disk_errors("writing", work):
        (work / "job.yaml").write_text((job if job.into else job.replace(output=str(path))).dump(), encoding="utf-8")
    return _spawn(path, Order(job=str(work / "job.yaml")), program, options, engine, loaded)


def launch_redo(
    path: Path | str,
    tiles: str,
    *,
    seed: int | None = None,
    prompt: str | None = None,
    python: str | Path | None = None,
    options: Sequence[str] = (),
    engine: str = "",
    loaded: LoadedProcess | None = None,
) -> LaunchedRun:
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
        Another prompt for these tiles.
    python, options, engine, loaded
        As in :func:`launch`.

    Returns
    -------
    LaunchedRun

    Raises
    ------
    StoreLocked
        If another run is writing there.
    EngineUnavailable
        If the interpreter does not exist.
    """
    path = Path(path)
    _prepare_output(path)
    order = Order(result=str(path), tiles=tiles, seed=seed, prompt=prompt)
    return _spawn(path, order, _interpreter(python), options, engine, loaded)


def _spawn(
    path: Path, order: Order, program: str, options: Sequence[str], engine: str, loaded: LoadedProcess | None
) -> LaunchedRun:
    """Start a process that outlives this one and writes an output, or give the order to one that is there."""
    work = path / WORK
    with disk_errors("writing", work):
        (work / "status.json").unlink(missing_ok=True)
        log = work / "run.log"
        log.touch()
    # Without a process id: the run itself fills it in once it has started. Until then others ask the launched process,
    # or this one while there is none.
    write_launch(path, os.getpid(), start_time())
    write_status(path, starting_status())
    process = loaded(order, engine, log) if loaded is not None and not options else None
    if process is None:
        with log.open("ab") as output:
            process = start_detached(
                [program, "-m", "napari_s1omni", *order.words, *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=Path.cwd(),
                env=child_environment(without=_TERMINAL_VARIABLES),
            )
    write_launch(path, process.pid, start_time_of(process.pid))
    lower_priority(process.pid, niceness())
    # Waiting for it prevents a zombie process.
    threading.Thread(target=process.wait, name=f"waiting for run {process.pid}", daemon=True).start()
    return LaunchedRun(path, process.pid, log, process)


def _prepare_output(path: Path) -> Path:
    work = path / WORK
    if work.is_dir():
        found = current_status(path)
        # Of a run on another machine that is not heard of any more, the lock says as much as can be known.
        if found is not None and found.alive and not (found.is_silent and not is_locked(path)):
            process = f"process {found.pid}" if found.pid else "a process that is starting"
            raise StoreLocked(
                f"{path} is being written by {process} on {found.host}",
                remedy="watch it, or choose another output",
                path=str(path),
                pid=found.pid,
            )
    elif path.exists() and not (path.is_dir() and all(is_left_by_system(entry.name) for entry in path.iterdir())):
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
