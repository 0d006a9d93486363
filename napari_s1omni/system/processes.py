"""Processes: whether one lives, starting one that outlives this one, its priority, and requests to stop."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import psutil


def start_time() -> float:
    """Unix time at which this process was started."""
    return float(psutil.Process().create_time())


def start_time_of(pid: int) -> float:
    """Unix time at which a process of this machine was started; 0 if it has ended."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return 0.0


def is_alive(pid: int, started: float) -> bool:
    """Report whether a process of this machine still works.

    Parameters
    ----------
    pid : int
    started : float
        Unix time at which it was started: its number may have been given to another process since.
    """
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < 1
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def processor_time(pid: int) -> float:
    """Seconds of processor time that a process of this machine has used; 0 if it has ended."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def start_detached(words: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a process that neither a signal to this one's terminal nor this one's end reaches.

    Parameters
    ----------
    words : sequence of str
        Program and arguments.
    **options
        Of :class:`subprocess.Popen`.
    """
    return subprocess.Popen(words, start_new_session=True, **options)


def kill_detached(pid: int) -> None:
    """Kill a process of :func:`start_detached` at once, with all that it has started."""
    os.killpg(pid, signal.SIGKILL)


def lower_priority(pid: int, niceness: int) -> None:
    """Lower the priority of a process of :func:`start_detached`, its threads and all that it will start, as allowed.

    Parameters
    ----------
    pid : int
    niceness : int
        0 to 19; a process that yields more already stays as it is.
    """
    # On Linux each thread has a priority of its own.
    folder = Path(f"/proc/{pid}/task")
    threads = [int(entry.name) for entry in folder.iterdir()] if folder.is_dir() else [pid]
    for number in threads:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, number, max(niceness, os.getpriority(os.PRIO_PROCESS, number)))
    # Where Linux shares the processor among sessions, niceness counts within one only; then the session has its own.
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness), encoding="ascii")


@contextlib.contextmanager
def stop_requests(ask: Callable[[], None]) -> Iterator[None]:
    """Call `ask` for Ctrl-C and SIGTERM during a ``with`` block; outside the main thread, do nothing."""

    def handle(number: int, frame: FrameType | None) -> None:
        ask()

    # Python delivers signals to the main thread only.
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM) if main}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_when_terminated() -> None:
    """Let SIGTERM end this process as an exit does, so that it ends what it has started."""

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        sys.exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, leave)
