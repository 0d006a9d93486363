"""The pyramid of a result while it is computed, for viewers that slice arrays.

Levels that blocks write themselves are read from the store; coarser ones come from memory until the run has written
them. Labels that are not joined yet are shown with ids of their own per block.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.execution.stitching.block_labels import is_stitched
from napari_s1omni.frontends.views.display_axes import DisplayAxes
from napari_s1omni.frontends.views.lazy_array import LazyArray, bounds
from napari_s1omni.frontends.views.memory_levels import MemoryLevels
from napari_s1omni.frontends.views.provisional_labels import ProvisionalLabels
from napari_s1omni.frontends.views.tile_cache import TileCache
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.logs.journal import BlockRecord
from napari_s1omni.storage.result.label_scratch import ARRAY
from napari_s1omni.storage.result.pyramid import Pyramid
from napari_s1omni.storage.result.store import ResultStore

_DECODED = 2**24
"""Full-resolution pixels that one view of a coarser level may decode."""

Box = tuple[slice, ...]


class LivePyramid:
    """The levels of one run's result.

    Parameters
    ----------
    plan : Plan
    path : Path or str
        The output folder; it may be empty or missing. Of a result behind a URL, only the final levels are shown.
    display : DisplayAxes, optional
        Defaults to the axes of the target.
    """

    def __init__(self, plan: Plan, path: Path | str, display: DisplayAxes | None = None) -> None:
        self.plan = plan
        self.target = plan.target
        self.path = path
        self.display = display or DisplayAxes("".join(plan.target.axes), (0,) * len(plan.target.axes))
        self.complete = False
        """Whether the store holds the final result at every level."""
        self.cache: TileCache | None = None
        """Pixels kept in memory for a viewer that must not wait for a disk."""
        self._pyramid = Pyramid.of(plan.target, plan.block_shape)
        self._memory = MemoryLevels(plan.target, self._pyramid)
        self._store: ResultStore | None = None
        self._labels: ProvisionalLabels | None = None
        self._cached_reader: int | None = None

    @property
    def data(self) -> list[Any]:
        """One array per level, finest first, in the displayed dimensions."""
        disk = [LiveLevel(self, level) for level in range(self._memory.first)]
        return [*disk, *(self.display.arrange(array, self.target.axes) for array in self._memory.arrays)]

    @property
    def store(self) -> ResultStore | None:
        """The store, once it exists."""
        return self._store

    def level_shape(self, level: int) -> tuple[int, ...]:
        """Return the shape of a level, along the axes of the target."""
        return self._memory.shapes[level]

    def level_step(self, level: int) -> tuple[int, ...]:
        """Return the full-resolution pixels per pixel of a level, along the axes of the target."""
        return self._memory.steps[level]

    @contextlib.contextmanager
    def cached_reads(self) -> Iterator[None]:
        """Answer reads of this thread from memory; missing pixels are fetched in the background."""
        before, self._cached_reader = self._cached_reader, threading.get_ident()
        try:
            yield
        finally:
            self._cached_reader = before

    def fill(self, records: Iterable[BlockRecord]) -> None:
        """Bring finished blocks into the levels in memory; reads the disk."""
        if not self._open_store() or self.complete:
            return
        for record in records:
            if record.state == "empty":
                continue
            if is_stitched(self.plan):
                self._fill_labels(record)
            else:
                self._fill_image(record.block)
            if self.cache is not None:
                self.cache.mark_stale(self._block_spans(record.block))

    def finish(self) -> None:
        """Take over the final levels of a complete run; reads the disk."""
        if not ResultStore.exists(self.path):
            return
        self._store = ResultStore.open(self.path)
        self._memory.replace(self._store)
        self.complete = True
        if self.cache is not None:
            self.cache.mark_stale()

    def read(self, level: int, box: Box) -> NDArray[Any]:
        """Read a box of a level, in the axes of the target; pixels not computed yet are 0."""
        if self.cache is not None and self._cached_reader == threading.get_ident():
            cached = self.cache.read(level, box)
            if cached is not None:
                return cached
        return self.fetch(level, box)

    def fetch(self, level: int, box: Box) -> NDArray[Any]:
        """Read a box of a level from the store; reads the disk."""
        store = self._store
        if store is None:
            return np.zeros([b.stop - b.start for b in box], self.target.np_dtype)
        if self.complete:
            return store.sample(self.level_step(level), box)
        if not is_stitched(self.plan) and self._is_owned(store, level):
            return np.asarray(store.levels[level][box])
        if self._labels is not None:
            fine = tuple(
                slice(b.start * s, min((b.stop - 1) * s + 1, n), s)
                for b, s, n in zip(box, self.level_step(level), self.target.shape, strict=True)
            )
            if math.prod(f.stop - f.start for f in fine) <= _DECODED:
                return self._labels.read(fine)
        return self.coarse(level, box)

    def coarse(self, level: int, box: Box) -> NDArray[Any]:
        """Return a box of a level, enlarged from the finest level in memory."""
        return self._memory.read(level, box)

    def _open_store(self) -> bool:
        """Open the store if it exists by now."""
        if self._store is None and ResultStore.exists(self.path):
            self._store = ResultStore.open(self.path)
        if self._labels is None and self._store is not None and is_stitched(self.plan):
            if self._store.has_work_array(ARRAY):
                scratch = self._store.require_array(ARRAY, "uint32", self._store.target.shape, self._store.block)
                self._labels = ProvisionalLabels(scratch, self._pyramid.levels[0].shard)
        return self._store is not None

    def _is_owned(self, store: ResultStore, level: int) -> bool:
        """Whether blocks write their part of a level themselves."""
        return level < len(store.pyramid.levels) and store.pyramid.levels[level].with_blocks

    def _block_spans(self, block: Sequence[int]) -> list[tuple[int, int]]:
        """Return where a block lies, in pixels of full resolution."""
        sizes = zip(block, self._pyramid.levels[0].shard, self.target.shape, strict=True)
        return [(i * b, min((i + 1) * b, n)) for i, b, n in sizes]

    def _fill_labels(self, record: BlockRecord) -> None:
        if self._labels is not None and record.labels:
            self._memory.insert(self._block_spans(record.block), self._labels.add(record), (1,) * len(self.target.axes))

    def _fill_image(self, block: tuple[int, ...]) -> None:
        if self._store is not None:
            level = max(i for i, at in enumerate(self._store.pyramid.levels) if at.with_blocks)
            step = self.level_step(level)
            sizes = zip(self._block_spans(block), step, strict=True)
            spans = [(start // s, -(-stop // s)) for (start, stop), s in sizes]
            pixels = np.asarray(self._store.levels[level][tuple(slice(*s) for s in spans)])
            self._memory.insert(spans, pixels, step)


class LiveLevel(LazyArray):
    """One level of a :class:`LivePyramid` on disk, as an array in the displayed dimensions.

    Parameters
    ----------
    pyramid : LivePyramid
    level : int
    """

    def __init__(self, pyramid: LivePyramid, level: int) -> None:
        target = pyramid.target
        super().__init__(pyramid.display.shape(target.axes, pyramid.level_shape(level)), target.np_dtype)
        self._pyramid = pyramid
        self._level = level

    def read(self, ranges: Sequence[range]) -> NDArray[Any]:
        """Read the given indices along each displayed dimension."""
        display, axes = self._pyramid.display, self._pyramid.target.axes
        box = dict.fromkeys(axes, slice(0, 1))
        selected = []
        for axis, repeated, indices in zip(display.axes, display.sizes, ranges, strict=True):
            if repeated:
                selected.append(slice(0, len(indices)))
            else:
                box[axis] = bounds(indices)
                selected.append(slice(None, None, indices.step))
        pixels = self._pyramid.read(self._level, tuple(box[a] for a in axes))
        arranged: NDArray[Any] = display.arrange(pixels, axes)[tuple(selected)]
        return arranged
