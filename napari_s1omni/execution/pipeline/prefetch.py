"""Threads that read ahead and write behind, joined to their user by a queue that is limited in bytes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")


class _ByteLimitedQueue(Generic[Item]):
    """A queue between two threads whose items together stay below a number of bytes.

    An item counts from :meth:`reserve` until :meth:`release`; a single item is always accepted, however large.

    Parameters
    ----------
    capacity : int
        Bytes that may be in use at a time.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[tuple[int, Item]] = deque()
        self._used = 0
        self._state = threading.Condition()
        self._closed = False
        self._error: BaseException | None = None

    def reserve(self, size: int) -> bool:
        """Wait until there is room for `size` bytes and count them; False if the queue was closed meanwhile."""
        with self._state:
            self._state.wait_for(lambda: self._closed or not self._used or self._used + size <= self._capacity)
            if self._closed:
                return False
            self._used += size
            return True

    def put(self, item: Item, size: int) -> None:
        """Append an item of `size` bytes, for which room is reserved."""
        with self._state:
            self._items.append((size, item))
            self._state.notify_all()

    def get(self) -> tuple[int, Item] | None:
        """Wait for the next item and return its size and itself; None when the queue is closed and empty."""
        with self._state:
            self._state.wait_for(lambda: self._items or self._closed)
            return self._items.popleft() if self._items else None

    def release(self, size: int) -> None:
        """Free the bytes of an item that is no longer in use."""
        with self._state:
            self._used -= size
            self._state.notify_all()

    def close(self, error: BaseException | None = None) -> None:
        """Accept no more items, because of `error` if it is given; those that wait can still be taken."""
        with self._state:
            self._closed = True
            self._error = self._error or error
            self._state.notify_all()

    def clear(self) -> None:
        """Drop all items."""
        with self._state:
            self._items.clear()

    @property
    def empty(self) -> bool:
        """Whether no item waits."""
        return not self._items

    def raise_error(self) -> None:
        """Raise the error with which the queue was closed, if there was one."""
        if self._error is not None:
            raise self._error


class Prefetcher(Generic[Item]):
    """Makes items in its own thread, ahead of their use.

    Iterate over it inside a ``with`` block. An item counts until the next one
    is asked for; one item is always made, however large. An item None announces
    a long wait for the next one; it is skipped if that one is already there.

    Parameters
    ----------
    items : iterable of (bytes, callable)
        The size of each item, and a function that makes it.
    capacity : int
        Bytes that may be in use, ready or being made.
    """

    def __init__(self, items: Iterable[tuple[int, Callable[[], Item]]], capacity: int) -> None:
        self._items = items
        self._queue: _ByteLimitedQueue[Item] = _ByteLimitedQueue(capacity)
        self._thread = threading.Thread(target=self._make_items, name="prefetch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.close()
        # After a second Ctrl-C, do not wait for a slow disk.
        if not isinstance(error, KeyboardInterrupt):
            self._thread.join()

    def __iter__(self) -> Iterator[Item]:
        while (found := self._queue.get()) is not None:
            size, item = found
            if item is None and not self._queue.empty:
                continue
            yield item
            del item, found
            self._queue.release(size)
        self._queue.raise_error()

    def _make_items(self) -> None:
        error: BaseException | None = None
        try:
            for size, make in self._items:
                if not self._queue.reserve(size):
                    return
                self._queue.put(make(), size)
        except BaseException as raised:
            error = raised
        finally:
            self._queue.close(error)


class WriteBehind(Generic[Item]):
    """Processes items in its own thread, in the order given, while the next ones are prepared.

    Use it as a context manager: leaving it waits until all items are processed,
    also after an error, but not after a second Ctrl-C.

    Parameters
    ----------
    process : callable
        Takes one item.
    capacity : int
        Bytes of items that may wait or be processed; one item is always accepted.
    """

    def __init__(self, process: Callable[[Item], None], capacity: int) -> None:
        self._process = process
        self._queue: _ByteLimitedQueue[Item] = _ByteLimitedQueue(capacity)
        self._thread = threading.Thread(target=self._process_items, name="write-behind", daemon=True)

    def put(self, item: Item, size: int) -> None:
        """Add an item of `size` bytes; raises the error of an earlier one."""
        if not self._queue.reserve(size):
            self._queue.raise_error()
        self._queue.put(item, size)

    def check(self) -> None:
        """Raise the error of an earlier item, if there was one."""
        self._queue.raise_error()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.close()
        if isinstance(error, KeyboardInterrupt):
            return
        self._thread.join()
        # Of two errors the first one counts, and it is already being raised.
        if error is None:
            self._queue.raise_error()

    def _process_items(self) -> None:
        while (found := self._queue.get()) is not None:
            size, item = found
            try:
                self._process(item)
            except BaseException as error:
                self._queue.clear()
                self._queue.close(error)
                return
            del item, found
            self._queue.release(size)
