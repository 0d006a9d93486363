"""Queue: runs that are started one after the other, since they share one machine."""

from __future__ import annotations

from collections.abc import Callable

from napari_s1omni.frontends.session.run import Run


class RunQueue:
    """The runs of one surface, in the order in which they were asked for.

    Parameters
    ----------
    launch : callable
        Starts a run.
    """

    def __init__(self, launch: Callable[[Run], None]) -> None:
        self.runs: list[Run] = []
        """All of them, ended ones too."""
        self._launch = launch

    @property
    def alive(self) -> list[Run]:
        """Those that wait or are at work."""
        return [run for run in self.runs if run.alive]

    def put(self, run: Run) -> None:
        """Add a run."""
        self.runs.append(run)
        run.ended.connect(self._ended)
        self._next()

    def again(self, run: Run) -> None:
        """Let a run that ended wait for another turn."""
        run.queued = True
        self._next()

    def found(self, run: Run) -> None:
        """Add a run that others started; it is watched, not started."""
        self.runs.append(run)
        run.ended.connect(self._ended)

    def close(self) -> None:
        """Stop watching all of them."""
        for run in self.runs:
            run.unwatch()

    def _ended(self, run: Run) -> None:
        self._next()

    def _next(self) -> None:
        if any(run.alive and not run.queued for run in self.runs):
            return
        waiting = next((run for run in self.runs if run.queued), None)
        if waiting is not None:
            self._launch(waiting)
