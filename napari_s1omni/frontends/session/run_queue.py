"""Runs are started one after the other, since they share one machine."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import partial
from typing import Any

from psygnal import Signal

from napari_s1omni.execution.run.launch import LoadedProcess
from napari_s1omni.frontends.napari_layers.transform_file import saved_transform, write_transform
from napari_s1omni.frontends.session.background import BackgroundQueue
from napari_s1omni.frontends.session.run import Run
from napari_s1omni.frontends.session.run_history import remember


class RunQueue:
    """The runs of one surface, in the order in which they were submitted.

    Parameters
    ----------
    background : BackgroundQueue
        Starts the processes.
    python : str, optional
        Interpreter that holds the engines; by default that of ``S1OMNI_PYTHON``, else this one.
    options : tuple of str
        More options of ``s1omni run``.
    loaded : callable, optional
        A process that has the engine loaded, see :data:`~napari_s1omni.execution.run.launch.LoadedProcess`.
    """

    emptied = Signal()
    """Emitted when a run has ended and no other waits or works."""

    def __init__(
        self,
        background: BackgroundQueue,
        python: str | None = None,
        options: tuple[str, ...] = (),
        loaded: LoadedProcess | None = None,
    ) -> None:
        self.python = python
        self.options = options
        self.loaded = loaded
        self.runs: list[Run] = []
        """All runs, ended ones too."""
        self._background = background
        self._transforms: dict[Run, Mapping[str, Any]] = {}

    @property
    def alive(self) -> list[Run]:
        """Runs that wait or work."""
        return [run for run in self.runs if run.alive]

    def put(self, run: Run, transform: Mapping[str, Any] | None = None) -> None:
        """Add a run; it starts when those before it have ended.

        Parameters
        ----------
        run : Run
        transform : mapping, optional
            Layer transform of its result, saved beside it.
        """
        self._transforms[run] = transform or {}
        self.watch(run)
        self._start_next()

    def restart(self, run: Run) -> None:
        """Queue a run that has ended once more."""
        run.forget_cancel()
        run.queued = True
        if run in self.runs:
            self._start_next()
        else:
            self.put(run)

    def watch(self, run: Run) -> None:
        """Add a run that was started elsewhere."""
        self.runs.append(run)
        # Before all others: what a view does with a run that ended must not keep the next one waiting.
        run.ended.connect(self._on_run_ended, priority=1)

    def close(self) -> None:
        """Stop watching all runs."""
        for run in self.runs:
            run.unwatch()

    def _on_run_ended(self, run: Run) -> None:
        self._start_next()
        if not self.alive:
            self.emptied.emit()

    def _start_next(self) -> None:
        ahead = next((run for run in self.runs if run.occupies_machine), None)
        for run in [one for one in self.runs if one.queued]:
            if ahead is None:
                ahead = run
                self._start(run)
            else:
                run.wait_behind(ahead)

    def _start(self, run: Run) -> None:
        run.mark_starting()

        axes, transform = run.pyramid.display.axes, self._transforms.get(run, {})

        def work() -> None:
            for other in self.runs:
                # An earlier run of this output has nothing to watch any more.
                if other is not run and other.path == run.path and not other.alive:
                    other.unwatch()
            if run.replace:
                begun = partial(write_transform, run.path, axes, transform)
                run.start(self.python, self.options, self.loaded, begun)
            else:
                with saved_transform(run.path, axes, transform):
                    run.start(self.python, self.options, self.loaded)
            # A list that cannot be written costs an entry of the list, not the run.
            with contextlib.suppress(OSError):
                remember(run.path, run.title, run.layer)

        self._background.submit(work, failed=run.mark_failed)
