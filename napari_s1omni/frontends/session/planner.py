"""Plans the edited job in the background."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.run.status import Failure, describe_failure
from napari_s1omni.frontends.napari_layers.layer_source import LayerSource
from napari_s1omni.frontends.session.estimate import empty_share
from napari_s1omni.frontends.session.run import Deliver
from napari_s1omni.jobs.output_check import OutputCheck
from napari_s1omni.jobs.prepare import Prepared
from napari_s1omni.planning.job import Job

_DEBOUNCE = 0.15
"""Seconds without another edit after which a plan is made."""
_CLOSE_TIMEOUT = 5.0
"""Seconds to wait for a running plan when closing."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan and the source that it is for."""

    prepared: Prepared
    source: LayerSource
    job: Job
    empty_share: float | None = None
    """Estimated share of empty tiles; None while unknown."""
    output: OutputCheck | None = None
    """What the output holds; None for a new folder in the cache."""

    def with_empty_share(self) -> Self:
        """Return a copy with the share of empty tiles; reads some of them."""
        return dataclasses.replace(self, empty_share=empty_share(self.prepared))


class Planner:
    """Makes a plan a moment after the last edit.

    Parameters
    ----------
    make : callable
        Makes the plan; called on a background thread.
    deliver : callable
        Runs a function on the surface's thread.
    on_result : callable
        Called on the surface's thread with the plan, again when its empty tiles are counted, or with the failure.
    """

    def __init__(
        self, make: Callable[[], Planned], deliver: Deliver, on_result: Callable[[Planned | Failure], None]
    ) -> None:
        self._make = make
        self._deliver = deliver
        self._on_result = on_result
        self._timer: threading.Timer | None = None
        self._edits = 0
        self._planned_edits = 0
        self._waiting: Callable[[Planned | Failure], Any] | None = None
        self._working = threading.Lock()

    @property
    def is_current(self) -> bool:
        """Whether the last result is that of the last edit."""
        return self._planned_edits == self._edits

    def refresh(self) -> None:
        """Plan again after an edit."""
        if self._timer is not None:
            self._timer.cancel()
        self._edits += 1
        self._timer = threading.Timer(_DEBOUNCE, self._plan, (self._edits,))
        self._timer.daemon = True
        self._timer.start()

    def when_done(self, work: Callable[[Planned | Failure], Any]) -> None:
        """Call a function once with the next result; it replaces one that waits already."""
        self._waiting = work

    def close(self) -> None:
        """Drop the plan in progress."""
        self._edits += 1
        if self._timer is not None:
            self._timer.cancel()
            if self._timer is not threading.current_thread():
                self._timer.join(_CLOSE_TIMEOUT)

    def _plan(self, edit: int) -> None:
        with self._working:
            if edit != self._edits:
                return
            try:
                planned = self._make()
            except Exception as error:  # the user is told; an error in a thread would be lost
                found = describe_failure(error)
                self._deliver(lambda: self._finish(edit, found))
                return
            self._deliver(lambda: self._finish(edit, planned))
            with contextlib.suppress(S1OmniError):
                counted = planned.with_empty_share()
                self._deliver(lambda: self._finish(edit, counted))

    def _finish(self, edit: int, result: Planned | Failure) -> None:
        if edit != self._edits:
            return
        self._planned_edits = edit
        self._on_result(result)
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting(result)
