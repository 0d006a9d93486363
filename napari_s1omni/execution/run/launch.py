"""Starts a run as its own process, which outlives the process that started it.

A new output is marked as starting at once. An output with a finished result, or with that of another job, is changed
only by the process that holds its lock, after all checks: a run that is refused leaves it as it was.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_s1omni.errors import EngineUnavailable, JobError, StoreLocked
from napari_s1omni.execution.run.control import write_control
from napari_s1omni.execution.run.order import Order
from napari_s1omni.execution.run.run_output import JOB_FILE
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import (
    Failure,
    RunStatus,
    current_status,
    read_status,
    starting_status,
    write_launch,
    write_status,
)
from napari_s1omni.execution.run.watch import status
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.planning.plan import Plan
from napari_s1omni.settings import PYTHON, cache_folder, child_environment, interpreter, niceness
from napari_s1omni.storage.files.disk import disk_errors
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.result import preflight
from napari_s1omni.storage.result.output_checks import check_no_other_files
from napari_s1omni.storage.result.output_fingerprint import is_begun
from napari_s1omni.system.processes import lower_priority, start_detached, start_time, start_time_of

LoadedProcess = Callable[[Order, str, Path], "subprocess.Popen[Any] | None"]
"""Gives an order for an engine, with the file for its output, to a process that has that engine loaded; returns the
process, which ends with the order, or None where there is none."""

_TERMINAL_VARIABLES = ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
"""Variables by which Jupyter claims that the output is a terminal; progress bars would fill the log."""
OVERWRITE = "--overwrite"
"""Option of ``s1omni run`` by which the result of another job is replaced."""


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
    before: RunStatus | None
    """The status in the output when the process was started."""

    @property
    def has_begun(self) -> bool:
        """Whether its process has written a status of its own; the output is that of another run until then."""
        found, before = read_status(self.path), self.before or RunStatus(RunState.STARTING)
        return found is not None and (found.pid, found.born) != (before.pid, before.born)

    def status(self) -> RunStatus:
        """Return its status; until its process writes one, it is starting for as long as the process lives."""
        if self.process.poll() is not None or self.has_begun:
            return status(self.path)
        return self.before if self.before is not None and self.before.alive else starting_status()

    def failure(self) -> Failure | None:
        """Return why its process ended with an error; None while it is alive or after success."""
        code = self.process.poll()
        if not code:
            return None
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n") if self.log.exists() else []
        last = next((line.strip() for line in reversed(lines) if line.strip()), f"it ended with exit code {code}")
        return Failure("RunFailed", last.removeprefix("s1omni: "), f"its log is {self.log}", code)

    def cancel(self) -> None:
        """Stop it after the current micro-batch."""
        write_control(self.path, cancel=True)


def launch(
    job: Job,
    *,
    plan: Plan | None = None,
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
    plan : Plan, optional
        Its plan, where it is known: then an output that would be refused is refused here.
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
    StoreExists, PlanMismatch
        If the output holds something else.
    EngineUnavailable
        If the interpreter does not exist.
    """
    if job.source.uri.startswith("memory:"):
        raise JobError("a source in memory", "a path or URL", "save the image first")
    path, program = output_path(job), _interpreter(python)
    _check_idle(path)
    begun = is_begun(path)
    if plan is not None:
        request = preflight.OutputRequest(plan.fingerprint(), 0, source=plan.source.source, into=job.into is not None)
        preflight.dry_run(path, request, overwrite=OVERWRITE in options)
    text = (job if job.into else job.replace(output=str(path))).dump()
    # A finished result, or that of another job, has a job file and a status of its own until the run has its lock.
    mark = not begun or (plan is not None and OVERWRITE not in options and _is_unfinished(path))
    file = path / WORK / JOB_FILE if mark else cache_folder() / "jobs" / f"{uuid.uuid4().hex}.yaml"
    with disk_errors("writing", file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return _spawn(path, Order(job=str(file)), program, options, engine, loaded, mark=mark)


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
        See :func:`napari_s1omni.execution.redo.redo.parse_tiles`.
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
    _check_idle(path)
    order = Order(result=str(path), tiles=tiles, seed=seed, prompt=prompt)
    return _spawn(path, order, _interpreter(python), options, engine, loaded, mark=False)


def _spawn(
    path: Path,
    order: Order,
    program: str,
    options: Sequence[str],
    engine: str,
    loaded: LoadedProcess | None,
    *,
    mark: bool,
) -> LaunchedRun:
    """Start a process that outlives this one and writes an output, or give the order to one that is there.

    `mark` notes in the output that a run is starting there.
    """
    log = path / WORK / "run.log"
    with disk_errors("writing", log.parent):
        log.touch()
    if mark:
        with disk_errors("writing", log.parent):
            (log.parent / "status.json").unlink(missing_ok=True)
        # Without a process id: the run itself fills it in once it has started. Until then others ask the launched
        # process, or this one while there is none.
        write_launch(path, os.getpid(), start_time())
        write_status(path, starting_status())
    before = read_status(path)
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
    if mark:
        write_launch(path, process.pid, start_time_of(process.pid))
    lower_priority(process.pid, niceness())
    # Waiting for it prevents a zombie process.
    threading.Thread(target=process.wait, name=f"waiting for run {process.pid}", daemon=True).start()
    return LaunchedRun(path, process.pid, log, process, before)


def _check_idle(path: Path) -> None:
    """Refuse an output in which a run is at work, and one with files that no run made."""
    found = current_status(path)
    # Of a run on another machine that is not heard of any more, the lock says as much as can be known.
    if found is not None and found.alive and not (found.is_silent and not preflight.is_locked(path)):
        process = f"process {found.pid}" if found.pid else "a process that is starting"
        raise StoreLocked(
            f"{path} is being written by {process} on {found.host}",
            remedy="watch it, or choose another output",
            path=str(path),
            pid=found.pid,
        )
    with disk_errors("reading", path):
        check_no_other_files(path)


def _is_unfinished(path: Path) -> bool:
    found = read_status(path)
    return found is None or found.state is not RunState.COMPLETE


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
