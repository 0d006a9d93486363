"""The process of a run as a surface knows it: started here, or found at work."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.run.control import read_control, write_control
from napari_s1omni.execution.run.launch import LaunchedRun
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import NAME as STATUS
from napari_s1omni.execution.run.status import Failure, RunStatus, describe_failure, starting_status, write_status
from napari_s1omni.execution.run.watch import status
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.system.processes import is_alive


class RunProcess:
    """Reads the state of a run, whatever its output holds.

    Parameters
    ----------
    path : Path
        The output folder.
    launched : LaunchedRun, optional
        If it was started here.
    redoes : bool
        Whether it redoes tiles of a result, which stays as it is if the process is refused.
    """

    def __init__(self, path: Path, launched: LaunchedRun | None = None, *, redoes: bool = False) -> None:
        self.path = path
        self.cancelling = False
        """Whether it is to be cancelled."""
        self._launched = launched
        self._redoes = redoes

    @property
    def has_begun(self) -> bool:
        """Whether what lies in the output is that of this run, and not of one before."""
        return self._launched is None or self._launched.has_begun

    def status(self) -> RunStatus:
        """Read the status from the output."""
        return self._launched.status() if self._launched is not None else status(self.path)

    def state(self, last: RunStatus) -> RunStatus | None:
        """Read the state of the run; None while the output does not answer, and may again.

        Parameters
        ----------
        last : RunStatus
            As it was known before.
        """
        launched, died = self._launched, self._failure()
        try:
            if launched is not None and died is not None and not launched.has_begun:
                return self._ended_early(launched, died)
            return self.status()
        except (S1OmniError, OSError) as error:
            # A disk that does not answer now is asked again, unless nobody is left who would write to it.
            if self._may_work(last):
                return None
            return last.replace(state=RunState.FAILED, eta=None, error=died or describe_failure(error))

    def repeat_cancel(self) -> None:
        """Cancel again what may not have been told yet."""
        if not self.cancelling:
            return
        with contextlib.suppress(S1OmniError, OSError):
            if self._launched is not None and not self._launched.has_begun:
                # It has done nothing yet, and the output may be that of another run.
                self._launched.process.terminate()
            elif not read_control(self.path).cancel:
                write_control(self.path, cancel=True)

    def stamp(self) -> tuple[int, Failure | None]:
        """Return when the status file was last replaced, and why the process that was started here has ended."""
        try:
            replaced = (self.path / WORK / STATUS).stat().st_mtime_ns
        except OSError:
            replaced = 0
        return replaced, self._failure()

    def _failure(self) -> Failure | None:
        return self._launched.failure() if self._launched is not None else None

    def _may_work(self, last: RunStatus) -> bool:
        """Whether a process may still work on an output that cannot be read."""
        if self._launched is not None:
            return self._launched.process.poll() is None
        return last.alive and (not last.is_here or is_alive(last.pid, last.born))

    def _ended_early(self, launched: LaunchedRun, died: Failure) -> RunStatus:
        """Return the state of a run whose process ended before it took over the output."""
        if self._redoes:
            return dataclasses.replace(status(self.path), error=None if self.cancelling else died)
        if not self.cancelling:
            return starting_status().replace(state=RunState.FAILED, error=died)
        ended = starting_status().replace(state=RunState.CANCELLED)
        if launched.before is not None and launched.before.alive:
            # Nothing else will say that the output, which was marked as starting, is not at work.
            write_status(self.path, ended)
        return ended
