"""Queues: work handed from thread to thread, counted in bytes, with errors handed over too."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")


class Prefetcher(Generic[Item]):
    """Makes items in a thread of its own, a few bytes ahead of who uses them.

    Iterate over it inside a ``with`` block. An item counts until the next one
    is asked for; one item is always made, however large. An item None says that
    the next one may be long in coming; it is left out where that one is there.

    Parameters
    ----------
    items : iterable of (bytes, callable)
        How large each item will be, and what makes it.
    capacity : int
        Bytes that may be in use, ready and in the making.
    """

    def __init__(self, items: Iterable[tuple[int, Callable[[], Item]]], capacity: int) -> None:
        self._items = items
        self._capacity = capacity
        self._ready: deque[tuple[int, Item]] = deque()
        self._bytes = 0
        self._state = threading.Condition()
        self._closed = False
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="read ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._state:
            self._closed = True
            self._state.notify_all()
        # Whoever is interrupted for good does not wait for a slow disk.
        if not isinstance(error, KeyboardInterrupt):
            self._thread.join()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._state:
                self._state.wait_for(lambda: self._ready or self._ended)
                if not self._ready:
                    if self._error is not None:
                        raise self._error
                    return
                size, item = self._ready.popleft()
                if item is None and self._ready:
                    continue
            yield item
            del item
            with self._state:
                self._bytes -= size
                self._state.notify_all()

    def _work(self) -> None:
        try:
            for size, make in self._items:
                with self._state:
                    self._state.wait_for(
                        lambda size=size: self._closed or not self._bytes or self._bytes + size <= self._capacity  # type: ignore[misc]
                    )
                    if self._closed:
                        return
                    self._bytes += size
                item = make()
                with self._state:
                    self._ready.append((size, item))
                    self._state.notify_all()
        except BaseException as error:
            self._error = error
        finally:
            with self._state:
                self._ended = True
                self._state.notify_all()


class WriteBehind(Generic[Item]):
    """Does work in a thread of its own, in the order given, while the next is prepared.

    Use it as a context manager: leaving waits until everything is done, also
    when an error passes, but not when it is a second Ctrl-C.

    Parameters
    ----------
    work : callable
        Takes one item.
    capacity : int
        Bytes of items that may wait or be worked on; one item is always taken.
    """

    def __init__(self, work: Callable[[Item], None], capacity: int) -> None:
        self._work = work
        self._capacity = capacity
        self._waiting: deque[tuple[int, Item]] = deque()
        self._bytes = 0
        self._state = threading.Condition()
        self._closed = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="write behind", daemon=True)

    def put(self, item: Item, size: int) -> None:
        """Hand over an item of `size` bytes; raises what went wrong with an earlier one."""
        with self._state:
            self._state.wait_for(lambda: self._error or not self._bytes or self._bytes + size <= self._capacity)
            self._raise()
            self._bytes += size
            self._waiting.append((size, item))
            self._state.notify_all()

    def check(self) -> None:
        """Raise what went wrong."""
        with self._state:
            self._raise()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._state:
            self._closed = True
            self._state.notify_all()
        if isinstance(error, KeyboardInterrupt):
            return
        self._thread.join()
        # Of two errors the first one counts; it is on its way already.
        if error is None:
            self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while True:
            with self._state:
                self._state.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                size, item = self._waiting.popleft()
            try:
                self._work(item)
            except BaseException as error:
                with self._state:
                    self._error = error
                    self._waiting.clear()
                    self._state.notify_all()
                return
            del item
            with self._state:
                self._bytes -= size
                self._state.notify_all()
