"""The visible part of a live result, kept in memory so that a viewer never waits for a disk.

Pixels that are not in memory are shown from a coarser level and fetched by a background thread. Pixels that a run has
changed stay visible until they are fetched again. The newest view is fetched first; older requests are dropped.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import S1OmniError

_EDGE = 512
"""Edge in pixels of a cached square along y and x; one pixel along all other axes."""
_CAPACITY = 96 * 2**20
"""Largest size in bytes; a 4K view with four bytes per pixel takes a third of it."""
_CLOSE_TIMEOUT = 5.0
"""Seconds to wait for a running read when closing."""

Square = tuple[int, tuple[int, ...]]
"""Level, and index along each axis of the target."""


class Levels(Protocol):
    """What the cache reads: the levels of one result, along the axes of its target."""

    @property
    def target(self) -> LayerSpec:
        """Axes and data type."""

    def level_shape(self, level: int) -> tuple[int, ...]:
        """Return the shape of a level."""

    def level_step(self, level: int) -> tuple[int, ...]:
        """Return the full-resolution pixels per pixel of a level."""

    def fetch(self, level: int, box: tuple[slice, ...]) -> NDArray[Any]:
        """Read a box of a level; may wait for a disk."""

    def coarse(self, level: int, box: tuple[slice, ...]) -> NDArray[Any]:
        """Return a box of a level from memory, possibly at a lower resolution."""


class TileCache:
    """Squares of the levels on disk, the least recently used dropped first.

    Parameters
    ----------
    levels : Levels
    on_fetched : callable
        Called from the background thread when the last visible square was fetched.
    """

    def __init__(self, levels: Levels, on_fetched: Callable[[], Any]) -> None:
        self._levels = levels
        self._on_fetched = on_fetched
        self._edges = tuple(_EDGE if a in "yx" else 1 for a in levels.target.axes)
        self._squares: OrderedDict[Square, NDArray[Any]] = OrderedDict()
        self._stale: set[Square] = set()
        self._bytes = 0
        self._wanted: list[Square] = []
        self._version = 0
        self._open = True
        self._thread: threading.Thread | None = None
        self._condition = threading.Condition()

    @property
    def nbytes(self) -> int:
        """Bytes in the cache."""
        return self._bytes

    def read(self, level: int, box: tuple[slice, ...]) -> NDArray[Any] | None:
        """Return a box of a level without waiting; None if it is too large to cache.

        Parameters
        ----------
        level : int
        box : tuple of slice
            In pixels of the level, along the axes of the target, without steps.
        """
        target = self._levels.target
        inside = list(self._squares_in(level, box))
        if sum(_volume(span) for _, span in inside) * target.np_dtype.itemsize > _CAPACITY // 2:
            return None
        out = np.empty([b.stop - b.start for b in box], target.np_dtype)
        missing = []
        with self._condition:
            for key, span in inside:
                pixels = self._squares.get(key)
                if pixels is None or key in self._stale:
                    missing.append(key)
                if pixels is None:
                    span = _common(span, box)
                    pixels = self._levels.coarse(level, span)
                else:
                    self._squares.move_to_end(key)
                _copy(pixels, span, out, box)
            self._wanted = missing
            if missing and self._open:
                self._start_thread()
                self._condition.notify()
        return out

    def mark_stale(self, spans: Sequence[tuple[int, int]] | None = None) -> None:
        """Fetch squares again at the next view.

        Parameters
        ----------
        spans : sequence of (start, stop), optional
            A box in full-resolution pixels; by default everything.
        """
        with self._condition:
            self._version += 1
            self._stale |= {key for key in self._squares if spans is None or self._overlaps(key, spans)}

    def close(self) -> None:
        """Stop fetching and drop everything."""
        with self._condition:
            self._open = False
            self._wanted = []
            self._squares.clear()
            self._condition.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_CLOSE_TIMEOUT)

    def _start_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._fetch, name="tile cache", daemon=True)
            self._thread.start()

    def _fetch(self) -> None:
        while True:
            with self._condition:
                while self._open and not self._wanted:
                    self._condition.wait()
                if not self._open:
                    return
                key, version = self._wanted.pop(0), self._version
            try:
                pixels = self._levels.fetch(key[0], self._span(key))
            except (S1OmniError, OSError, ValueError):
                # A store that does not answer is asked again at the next view.
                continue
            with self._condition:
                self._keep(key, pixels, fresh=version == self._version)
                last = not self._wanted
            if last and self._open:
                self._on_fetched()

    def _keep(self, key: Square, pixels: NDArray[Any], *, fresh: bool) -> None:
        before = self._squares.pop(key, None)
        self._bytes += pixels.nbytes - (0 if before is None else before.nbytes)
        self._squares[key] = pixels
        if fresh:
            self._stale.discard(key)
        else:
            self._stale.add(key)
        while self._bytes > _CAPACITY:
            old, dropped = self._squares.popitem(last=False)
            self._stale.discard(old)
            self._bytes -= dropped.nbytes

    def _squares_in(self, level: int, box: Iterable[slice]) -> Iterator[tuple[Square, tuple[slice, ...]]]:
        ranges = [range(b.start // e, -(-b.stop // e)) for b, e in zip(box, self._edges, strict=True)]
        for index in itertools.product(*ranges):
            yield (level, index), self._span((level, index))

    def _span(self, key: Square) -> tuple[slice, ...]:
        level, index = key
        shape = self._levels.level_shape(level)
        return tuple(slice(i * e, min((i + 1) * e, n)) for i, e, n in zip(index, self._edges, shape, strict=True))

    def _overlaps(self, key: Square, spans: Sequence[tuple[int, int]]) -> bool:
        steps = self._levels.level_step(key[0])
        return all(
            s.start * f < stop and s.stop * f > start
            for s, f, (start, stop) in zip(self._span(key), steps, spans, strict=True)
        )


def _volume(span: Iterable[slice]) -> int:
    return int(np.prod([s.stop - s.start for s in span]))


def _copy(pixels: NDArray[Any], span: Sequence[slice], out: NDArray[Any], box: Sequence[slice]) -> None:
    """Copy the part of a square that lies in a box into an array of that box."""
    part = _common(span, box)
    out[_within(part, box)] = pixels[_within(part, span)]


def _common(span: Iterable[slice], box: Iterable[slice]) -> tuple[slice, ...]:
    """Return the intersection of two boxes."""
    return tuple(slice(max(s.start, b.start), min(s.stop, b.stop)) for s, b in zip(span, box, strict=True))


def _within(part: Iterable[slice], whole: Iterable[slice]) -> tuple[slice, ...]:
    """Return a box relative to the start of a larger one."""
    return tuple(slice(p.start - w.start, p.stop - w.start) for p, w in zip(part, whole, strict=True))
