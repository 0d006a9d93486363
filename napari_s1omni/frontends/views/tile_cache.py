"""Resident: the part of a result that is looked at, kept in memory, so that a viewer never waits for a disk.

What is not in memory yet is shown from a coarser level and fetched by a thread
of its own; what a run has changed since is shown as it was until it is fetched
again. The newest look comes first, and looks that are over are forgotten.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import S1OmniError

if TYPE_CHECKING:
    from napari_s1omni.frontends.views.live_pyramid import LivePyramid

_EDGE = 512
"""Px of a square along y and x; one px along all other axes."""
_CAPACITY = 96 * 2**20
"""Bytes that are kept; a view of 4K in four bytes per px is a third of it."""
_PATIENCE = 5.0
"""Seconds that closing waits for a read in hand."""

Square = tuple[int, tuple[int, ...]]
"""Level, and index along each axis of the target."""


class TileCache:
    """Squares of the levels on disk.

    Parameters
    ----------
    levels : LivePyramid
    on_arrival : callable
        Called from the thread that fetches when something that is looked at has come.
    """

    def __init__(self, levels: LivePyramid, on_arrival: Callable[[], Any]) -> None:
        self._levels = levels
        self._on_arrival = on_arrival
        self._edges = tuple(_EDGE if a in "yx" else 1 for a in levels.plan.target.axes)
        self._squares: OrderedDict[Square, NDArray[Any]] = OrderedDict()
        self._stale: set[Square] = set()
        self._bytes = 0
        self._wanted: list[Square] = []
        self._round = 0
        self._open = True
        self._thread: threading.Thread | None = None
        self._news = threading.Condition()

    @property
    def nbytes(self) -> int:
        """Bytes that are kept now."""
        return self._bytes

    def read(self, level: int, box: tuple[slice, ...]) -> NDArray[Any] | None:
        """Return what is known of a box of a level, without waiting; None if it is too large to be kept.

        Parameters
        ----------
        level : int
        box : tuple of slice
            In px of the level, along the axes of the target, without steps.
        """
        target = self._levels.plan.target
        inside = [(key, span) for key, span in self._under(level, box)]
        if sum(_volume(span) for _, span in inside) * target.np_dtype.itemsize > _CAPACITY // 2:
            return None
        out = np.empty([b.stop - b.start for b in box], target.np_dtype)
        missing = []
        with self._news:
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
                self._begin()
                self._news.notify()
        return out

    def forget(self, spans: Sequence[tuple[int, int]] | None = None) -> None:
        """Fetch again, when it is looked at, what touches a box in px of full resolution; by default all."""
        with self._news:
            self._round += 1
            self._stale |= {key for key in self._squares if spans is None or self._touches(key, spans)}

    def close(self) -> None:
        """Fetch no more, and keep nothing."""
        with self._news:
            self._open = False
            self._wanted = []
            self._squares.clear()
            self._news.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE)

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._fetch, name="fetching px", daemon=True)
            self._thread.start()

    def _fetch(self) -> None:
        while True:
            with self._news:
                while self._open and not self._wanted:
                    self._news.wait()
                if not self._open:
                    return
                key, begun = self._wanted.pop(0), self._round
            try:
                pixels = self._levels.fetch(key[0], self._span(key))
            except (S1OmniError, OSError, ValueError):
                # A store that does not answer now is asked again at the next look.
                continue
            with self._news:
                self._keep(key, pixels, fresh=begun == self._round)
                last = not self._wanted
            if last and self._open:
                self._on_arrival()

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

    def _under(self, level: int, box: Iterable[slice]) -> Iterator[tuple[Square, tuple[slice, ...]]]:
        ranges = [range(b.start // e, -(-b.stop // e)) for b, e in zip(box, self._edges, strict=True)]
        for index in itertools.product(*ranges):
            yield (level, index), self._span((level, index))

    def _span(self, key: Square) -> tuple[slice, ...]:
        level, index = key
        shape = self._levels.shape_of(level)
        return tuple(slice(i * e, min((i + 1) * e, n)) for i, e, n in zip(index, self._edges, shape, strict=True))

    def _touches(self, key: Square, spans: Sequence[tuple[int, int]]) -> bool:
        steps = self._levels.step_of(key[0])
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
    """Return what lies in both."""
    return tuple(slice(max(s.start, b.start), min(s.stop, b.stop)) for s, b in zip(span, box, strict=True))


def _within(part: Iterable[slice], whole: Iterable[slice]) -> tuple[slice, ...]:
    """Return a part as counted from where the whole begins."""
    return tuple(slice(p.start - w.start, p.stop - w.start) for p, w in zip(part, whole, strict=True))
