"""Runs functions of other threads on the GUI thread."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Qt, Signal


class MainThread(QObject):
    """Runs functions on the thread that created it; after :meth:`close` it drops them.

    Parameters
    ----------
    parent : QObject, optional
    """

    _posted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.on_done: Callable[[float], Any] | None = None
        """Called after each function with the seconds of processor time that it took; for benchmarks."""
        self._open = True
        self._waiting: deque[Callable[[], Any]] = deque()
        self._busy = False
        self._posted.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def deliver(self, work: Callable[[], Any]) -> None:
        """Run a function soon, from any thread."""
        if self._open:
            # The widgets may be deleted between the check and the signal.
            with contextlib.suppress(RuntimeError):
                self._posted.emit(work)

    def close(self) -> None:
        """Drop all further functions."""
        self._open = False

    def _run(self, work: Callable[[], Any]) -> None:
        self._waiting.append(work)
        if self._busy:
            # napari's progress bars process events: functions that arrive meanwhile wait.
            return
        self._busy = True
        try:
            while self._waiting and self._open:
                start = time.thread_time()
                self._waiting.popleft()()
                if self.on_done is not None:
                    self.on_done(time.thread_time() - start)
        finally:
            self._busy = False
