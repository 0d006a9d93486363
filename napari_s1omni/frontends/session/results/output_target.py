"""Where the next result goes, and what lies there already."""

from __future__ import annotations

from psygnal import Signal

from napari_s1omni.errors import S1OmniError
from napari_s1omni.frontends.session.background import BackgroundQueue
from napari_s1omni.frontends.session.run import Run
from napari_s1omni.frontends.session.run_queue import RunQueue
from napari_s1omni.jobs.output_check import Held, OutputCheck, check_output
from napari_s1omni.jobs.prepare import Prepared
from napari_s1omni.planning.job import Job, output_path


class OutputTarget:
    """The output of the edited job.

    Parameters
    ----------
    queue : RunQueue
        Its runs write to outputs too.
    background : BackgroundQueue
    """

    checked = Signal(object)
    """What the output holds, an :class:`~napari_s1omni.jobs.output_check.OutputCheck`; None for a new folder."""

    def __init__(self, queue: RunQueue, background: BackgroundQueue) -> None:
        self._queue, self._background = queue, background
        self.check: OutputCheck | None = None
        """What the output of the last plan holds; None for a new folder in the cache."""
        self.replace = False
        """Whether the next run may replace the result of another job."""
        self._prepared: Prepared | None = None
        self._job: Job | None = None

    @property
    def may_run(self) -> bool:
        """Whether a run may write there."""
        check = self.check
        return check is None or check.may_run or (self.replace and check.held is Held.OTHER)

    def look(self, prepared: Prepared, job: Job) -> OutputCheck | None:
        """Look at the output of a job; reads the disk, on any thread."""
        if job.output is None and job.into is None:
            return None
        path = output_path(job)
        if any(run.alive and run.path == path for run in list(self._queue.runs)):
            return OutputCheck(Held.BUSY, path, f"A run in the list of runs writes {path.name}.")
        return check_output(prepared.plan, job)

    def require(self, prepared: Prepared, job: Job, replace: bool) -> None:
        """Look at the output just before a run is queued.

        Raises
        ------
        StoreError
            If the run must not write there.
        """
        check = self.look(prepared, job)
        if check is not None:
            check.require(replace)

    def show(self, check: OutputCheck | None, prepared: Prepared | None = None, job: Job | None = None) -> None:
        """Take over what the output of a plan holds."""
        self.check, self._prepared, self._job = check, prepared, job
        self.checked.emit(check)

    def allow_replacing(self) -> None:
        """Let the next run replace the result of another job that lies there."""
        self.replace = True
        self.checked.emit(self.check)

    def recheck(self, run: Run) -> None:
        """Look again after a run was queued or has ended, if it writes to the same output."""
        prepared, job = self._prepared, self._job
        if prepared is None or job is None or self.check is None or self.check.path != run.path:
            return

        def look() -> OutputCheck | None:
            try:
                return self.look(prepared, job)
            except (S1OmniError, OSError):
                # The next plan reports it.
                return None

        def show(check: OutputCheck | None) -> None:
            if self._prepared is prepared:
                self.show(check, prepared, job)

        self._background.submit(look, show)
