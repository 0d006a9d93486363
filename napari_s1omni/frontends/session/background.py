"""A background thread for work that may wait for a disk."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from napari_s1omni.execution.run.status import Failure, describe_failure

_CLOSE_TIMEOUT = 5.0
"""Seconds to wait for the current function when closing."""

T = TypeVar("T")


def call_directly(work: Any) -> None:
    """Deliver at once, on the calling thread; for surfaces without a thread of their own."""
    work()


@contextlib.contextmanager
def until_exit() -> Iterator[None]:
    """End the work of a daemon thread quietly when Python ends: the thread pools with which zarr reads close first."""
    try:
        yield
    except RuntimeError as error:
        if "cannot schedule new futures" not in str(error):
            raise


class BackgroundQueue:
    """Runs functions one after the other on a thread of its own.

    Parameters
    ----------
    name : str
        Name of the thread.
    deliver : callable
        Runs a function on the surface's thread.
    on_error : callable
        Called on the surface's thread when a function raises; the next ones still run.
    """

    def __init__(
        self, name: str, deliver: Callable[[Callable[[], None]], None], on_error: Callable[[Failure], Any]
    ) -> None:
        self._name = name
        self._deliver = deliver
        self._on_error = on_error
        self._waiting: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._open = True

    def submit(
        self,
        work: Callable[[], T],
        then: Callable[[T], Any] | None = None,
        failed: Callable[[Failure], Any] | None = None,
    ) -> None:
        """Run a function after those submitted before; dropped after :meth:`close`.

        Parameters
        ----------
        work : callable
        then : callable, optional
            Called with its result on the surface's thread.
        failed : callable, optional
            Called on the surface's thread if `work` raises, instead of `on_error`.
        """
        if not self._open:
            return
        self._waiting.put(partial(self._do, work, then, failed or self._on_error))
        if self._thread is None:
            # A daemon: a disk that hangs must not keep a viewer from closing.
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Finish the current function and drop the rest."""
        self._open = False
        self._waiting.put(None)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_CLOSE_TIMEOUT)

    def _run(self) -> None:
        while (work := self._waiting.get()) is not None and self._open:
            work()

    def _do(self, work: Callable[[], T], then: Callable[[T], Any] | None, failed: Callable[[Failure], Any]) -> None:
        try:
            result = work()
        except Exception as error:  # if the thread ended here, later functions would never run
            self._deliver(partial(failed, describe_failure(error)))
            return
        if then is not None:
            self._deliver(partial(then, result))
