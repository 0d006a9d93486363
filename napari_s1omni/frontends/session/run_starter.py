"""Starts: runs of one surface are started away from its thread, and what is known of them is noted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import Failure, describe_failure
from napari_s1omni.frontends.napari_layers.layer_transforms import noted
from napari_s1omni.frontends.session.background import BackgroundQueue
from napari_s1omni.frontends.session.run import Run
from napari_s1omni.frontends.session.run_history import remember


class RunStarter:
    """Starts runs.

    Parameters
    ----------
    errands : BackgroundQueue
        For what may wait for a disk.
    deliver : callable
        Runs a function on the surface's thread.
    """

    def __init__(self, errands: BackgroundQueue, deliver: Callable[[Callable[[], None]], None]) -> None:
        self._errands = errands
        self._deliver = deliver
        self._places: dict[Run, Mapping[str, Any]] = {}

    def place(self, run: Run, options: Mapping[str, Any]) -> Run:
        """Keep in mind where the result of a run stands, to be noted beside it when it starts."""
        self._places[run] = options
        return run

    def start(self, run: Run, layer: str, python: str | None, options: tuple[str, ...]) -> None:
        """Start a run soon.

        Parameters
        ----------
        run : Run
        layer : str
            Name of its source layer.
        python, options
            As in :meth:`~napari_s1omni.frontends.session.run.Run.start`.
        """
        # From now on it is no run that waits, though its process is not there yet.
        run.queued = False
        run.status = run.status.replace(state=RunState.STARTING)

        def work() -> None:
            try:
                with noted(run.path, run.levels.show.axes, self._places.get(run, {})):
                    run.start(python, options)
                remember(run.path, run.title, layer)
            except (S1OmniError, OSError) as error:
                found = describe_failure(error)
                self._deliver(lambda: self._not_started(run, found))

        self._errands.do(work)

    def _not_started(self, run: Run, found: Failure) -> None:
        run.status = run.status.replace(state=RunState.FAILED, error=found)
        run.changed.emit(run)
        run.ended.emit(run)
