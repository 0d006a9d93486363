"""Belt: the one pipeline of a worker, through which the blocks of all its leases pass without a gap."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from napari_s1omni.core.tiling import Block

_BEAT = 0.1
"""Seconds after which an idle belt looks whether its pipeline was stopped."""


@dataclass(slots=True)
class _Load:
    """The blocks of one lease."""

    blocks: deque[Block]
    """Those that are not on their way yet."""
    left: int
    """How many are not written yet."""
    since: float
    seconds: float = 0.0
    error: BaseException | None = field(default=None)


class WorkerQueue:
    """Lets the blocks of several callers pass through one pipeline, in the order in which they came.

    While the last block of one caller is written, the first one of the next
    is drawn and its second one read; and a micro-batch may hold tiles of both.

    Parameters
    ----------
    run : callable
        The pipeline: takes blocks as they come, and None where it is not to
        wait with what it has in hand.
    """

    def __init__(self, run: Callable[[Iterable[Block | None]], None]) -> None:
        self._run = run
        self._state = threading.Condition()
        self._loads: deque[_Load] = deque()
        self._of: dict[Block, _Load] = {}
        self._ended = 0.0
        self._moving = False
        self._closed = False

    def put(self, blocks: Sequence[Block]) -> float:
        """Let blocks pass; return when the last one is written, with the seconds since the load before was done.

        Raises
        ------
        Exception
            What stopped the pipeline. Blocks that had passed are written; nobody else's are lost but those on the belt.
        """
        load = _Load(deque(blocks), len(blocks), time.perf_counter())
        with self._state:
            self._loads.append(load)
            if not self._moving:
                self._moving = True
                threading.Thread(target=self._move, name="draw", daemon=True).start()
            self._state.notify_all()
            self._state.wait_for(lambda: load.left == 0 or load.error is not None)
        if load.error is not None:
            raise load.error
        return load.seconds

    def passed(self, block: Block) -> None:
        """Take note that a block is written."""
        with self._state:
            load = self._of.pop(block)
            load.left -= 1
            if load.left == 0:
                now = time.perf_counter()
                load.seconds = now - max(load.since, self._ended)
                self._ended = now
                self._loads.remove(load)
                self._state.notify_all()

    def close(self) -> None:
        """Let the pipeline end when it has nothing more to do."""
        with self._state:
            self._closed = True
            self._state.notify_all()

    def _move(self) -> None:
        error: BaseException | None = None
        try:
            self._run(self._blocks())
        except BaseException as found:
            error = found
        with self._state:
            self._moving = False
            for load in self._loads:
                load.error = error or RuntimeError("the belt was closed")
            self._loads.clear()
            self._of.clear()
            self._state.notify_all()

    def _blocks(self) -> Iterator[Block | None]:
        while True:
            with self._state:
                self._state.wait_for(lambda: self._next() is not None or self._closed, _BEAT)
                load = self._next()
                if load is None and self._closed:
                    return
                block = load.blocks.popleft() if load is not None else None
                if load is not None and block is not None:
                    self._of[block] = load
                last = self._next() is None
            yield block
            if block is not None and last:
                yield None

    def _next(self) -> _Load | None:
        return next((load for load in self._loads if load.blocks), None)
