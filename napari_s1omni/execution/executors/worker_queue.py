"""Feeds the blocks of all leases of a worker to its one pipeline, without gaps between leases."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from napari_s1omni.core.tiling import Block

_IDLE_CHECK = 0.1
"""Seconds after which an idle queue gives its pipeline a chance to check for a stop."""


@dataclass(slots=True)
class _Request:
    """The blocks of one caller of :meth:`WorkerQueue.run`."""

    waiting: deque[Block]
    """Blocks that the pipeline has not taken yet."""
    unwritten: int
    """Number of blocks that are not written yet."""
    submitted: float
    """Time at which it was made, by `time.perf_counter`."""
    seconds: float = 0.0
    """Time it took, without the time in which the pipeline ran earlier requests."""
    error: BaseException | None = None


class WorkerQueue:
    """Runs the blocks of several callers through one pipeline, in the order in which they come.

    While the last block of one caller is written, the first block of the next
    one is generated and its second one read; and a micro-batch may hold tiles of both.

    Parameters
    ----------
    pipeline : callable
        Takes blocks as they come, and None if it shall not wait for more before it generates tiles.
    """

    def __init__(self, pipeline: Callable[[Iterable[Block | None]], None]) -> None:
        self._pipeline = pipeline
        self._state = threading.Condition()
        self._requests: deque[_Request] = deque()
        self._request_of: dict[Block, _Request] = {}
        self._last_end = 0.0
        self._running = False
        self._closed = False

    def run(self, blocks: Sequence[Block]) -> float:
        """Run blocks; return when the last one is written, with the seconds since the request before was done.

        Raises
        ------
        Exception
            The error that stopped the pipeline. Blocks that were finished are written.
        """
        request = _Request(deque(blocks), len(blocks), time.perf_counter())
        with self._state:
            self._requests.append(request)
            if not self._running:
                self._running = True
                threading.Thread(target=self._run_pipeline, name="generate", daemon=True).start()
            self._state.notify_all()
            self._state.wait_for(lambda: request.unwritten == 0 or request.error is not None)
        if request.error is not None:
            raise request.error
        return request.seconds

    def block_written(self, block: Block) -> None:
        """Tell the queue that a block is written."""
        with self._state:
            request = self._request_of.pop(block)
            request.unwritten -= 1
            if request.unwritten == 0:
                now = time.perf_counter()
                request.seconds = now - max(request.submitted, self._last_end)
                self._last_end = now
                self._requests.remove(request)
                self._state.notify_all()

    def close(self) -> None:
        """Let the pipeline end once it has nothing more to do."""
        with self._state:
            self._closed = True
            self._state.notify_all()

    def _run_pipeline(self) -> None:
        error: BaseException | None = None
        try:
            self._pipeline(self._blocks())
        except BaseException as raised:
            error = raised
        with self._state:
            self._running = False
            for request in self._requests:
                request.error = error or RuntimeError("the worker queue was closed")
            self._requests.clear()
            self._request_of.clear()
            self._state.notify_all()

    def _blocks(self) -> Iterator[Block | None]:
        """Yield the blocks of all requests, and None while there are no more, until the queue is closed."""
        while True:
            with self._state:
                self._state.wait_for(lambda: self._first_waiting() is not None or self._closed, _IDLE_CHECK)
                request = self._first_waiting()
                if request is None and self._closed:
                    return
                block = None
                if request is not None:
                    block = request.waiting.popleft()
                    self._request_of[block] = request
                idle = self._first_waiting() is None
            yield block
            if block is not None and idle:
                yield None

    def _first_waiting(self) -> _Request | None:
        return next((request for request in self._requests if request.waiting), None)
