"""Tells the user when a run has ended: complete, failed or stopped."""

from __future__ import annotations

from napari.utils.notifications import show_info

from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import Failure
from napari_s1omni.frontends.dock.notifications import show_error
from napari_s1omni.frontends.session.background import BackgroundQueue
from napari_s1omni.frontends.session.results.finished import describe_finished
from napari_s1omni.frontends.session.run import Run


class RunNotifications:
    """Shows a notification when a run ends, unless the user cancelled it.

    Parameters
    ----------
    background : BackgroundQueue
        Reads logs.
    """

    def __init__(self, background: BackgroundQueue) -> None:
        self._background = background

    def watch(self, run: Run) -> None:
        """Show a notification when a run ends."""
        run.ended.connect(self._on_run_ended)

    def _on_run_ended(self, run: Run) -> None:
        state, error = run.status.state, run.status.error
        if state is RunState.FAILED and error is not None:
            self._background.submit(run.log, lambda log: show_error(error, f"'{run.title}' failed.", log))
        elif error is not None:
            # The result is as it was before.
            self._background.submit(run.log, lambda log: show_error(error, f"'{run.title}' was not changed.", log))
        elif state is RunState.COMPLETE:
            found = describe_finished(run.job, run.status)
            holes = f" {run.status.holes} tiles are missing." if run.status.holes else ""
            show_info(f"{found[:1].upper()}{found[1:]}, saved in {run.path.name}: '{run.title}'.{holes}")
        elif state is RunState.STOPPED:
            show_error(
                Failure("RunStopped", f"the process of '{run.title}' is gone", "resume it on the page 'Runs'", 1)
            )
