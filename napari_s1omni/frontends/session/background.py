"""Errands: what may wait for a disk, done one after the other on a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from napari_s1omni.execution.run.status import Failure, describe_failure

_PATIENCE = 5.0
"""Seconds that closing waits for what is in hand."""


class BackgroundQueue:
    """A thread and what waits for it.

    Parameters
    ----------
    name : str
        Name of the thread.
    on_error : callable
        Called from that thread with why something failed; those after it are done all the same.
    """

    def __init__(self, name: str, on_error: Callable[[Failure], Any]) -> None:
        self._name = name
        self._on_error = on_error
        self._waiting: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._open = True

    def do(self, work: Callable[[], Any]) -> None:
        """Do something when those before it are done; from the surface's thread, and dropped after :meth:`close`."""
        if not self._open:
            return
        self._waiting.put(work)
        if self._thread is None:
            # A daemon: a disk that hangs must not keep a viewer from closing.
            self._thread = threading.Thread(target=self._go, name=self._name, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Finish what is in hand and do no more."""
        self._open = False
        self._waiting.put(None)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE)

    def _go(self) -> None:
        while (work := self._waiting.get()) is not None and self._open:
            try:
                work()
            except Exception as error:  # a thread that ends would leave everything after it undone, in silence
                self._on_error(describe_failure(error))
