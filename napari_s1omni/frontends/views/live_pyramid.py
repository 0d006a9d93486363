"""LiveLevels: the pyramid of a result that is still being made, for viewers that slice arrays.

Viewers keep the coarsest level for good, so it is a small array in memory,
updated in place. Levels that blocks write themselves are read from the store;
those in between are taken from memory until the run has made them. Labels that
are not joined yet are shown with ids of their own per block.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.execution.pipeline.block_geometry import block_shape
from napari_s1omni.execution.stitching.stitching_pass import is_stitched
from napari_s1omni.frontends.views.tile_cache import TileCache
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.logs.journal import BlockRecord
from napari_s1omni.storage.result.label_scratch import ARRAY
from napari_s1omni.storage.result.pyramid import Pyramid
from napari_s1omni.storage.result.store import ResultStore

_KEPT = 48 * 2**20
"""Bytes that the finest level in memory may have."""
_DECODED = 2**24
"""Px of full resolution that are decoded at most for one look at a coarser level."""

Key = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class DisplayAxes:
    """How the axes of a result are laid out for a viewer."""

    axes: str
    """Letters of the dimensions to show, in order; colours of a picture come last as ``c``."""
    sizes: tuple[int, ...]
    """Size of dimensions that the result does not have, along which it is the same; 0 where it has them."""


class LivePyramid:
    """The levels of one run's result.

    Parameters
    ----------
    plan : Plan
    path : Path
        The output folder; nothing need be there yet.
    show : DisplayAxes, optional
        By default the axes of the target.
    """

    def __init__(self, plan: Plan, path: Path, show: DisplayAxes | None = None) -> None:
        self.plan = plan
        self.path = path
        self.show = show or DisplayAxes("".join(plan.target.axes), (0,) * len(plan.target.axes))
        self.pyramid = Pyramid.of(plan.target, block_shape(plan))
        self.complete = False
        """Whether the store holds the final result at every level."""
        self.resident: TileCache | None = None
        """What is kept in memory for a viewer that must not wait."""
        self._hurried: int | None = None
        self._store: ResultStore | None = None
        self._scratch: Any = None
        self._offsets: dict[tuple[int, ...], int] = {}
        self._labels = 0
        self._lock = threading.Lock()
        self._steps = [level.factor for level in self.pyramid.levels]
        self._shapes = [level.shape for level in self.pyramid.levels]
        item = plan.target.np_dtype.itemsize
        flat = [a in "yx" for a in plan.target.axes]
        while math.prod(self._shapes[-1]) * item > _KEPT:
            self._shapes.append(tuple(-(-n // 2) if f else n for n, f in zip(self._shapes[-1], flat, strict=True)))
            self._steps.append(tuple(s * 2 if f else s for s, f in zip(self._steps[-1], flat, strict=True)))
        first = len(self._shapes) - 1
        while first and not self._is_owned(first - 1) and math.prod(self._shapes[first - 1]) * item <= _KEPT:
            first -= 1
        self._first = first
        self._memory = [np.zeros(shape, plan.target.np_dtype) for shape in self._shapes[first:]]

    @property
    def data(self) -> list[Any]:
        """One array per level, finest first, in the dimensions of `show`."""
        disk = [LiveLevel(self, i) for i in range(self._first)]
        return [*disk, *(self.shown(array) for array in self._memory)]

    @property
    def store(self) -> ResultStore | None:
        """The store, once it is there."""
        return self._store

    @property
    def multiscale(self) -> bool:
        return len(self._shapes) > 1

    def shown(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Return a view of px in the axes of the target, in the dimensions of `show`."""
        axes = self.plan.target.axes
        # An axis that is not shown has one px.
        index = tuple(slice(None) if a in self.show.axes else 0 for a in axes)
        kept = [a for a in axes if a in self.show.axes]
        view = pixels[index].transpose([kept.index(a) for a in self.show.axes if a in kept])
        shape = iter(view.shape)
        sizes = [n or next(shape) for n in self.show.sizes]
        expand = tuple(slice(None) if not n else None for n in self.show.sizes)
        return np.broadcast_to(view[expand], sizes)

    def shape_of(self, level: int) -> tuple[int, ...]:
        """Return the shape of a level, along the axes of the target."""
        return self._shapes[level]

    def step_of(self, level: int) -> tuple[int, ...]:
        """Return how many px of full resolution one px of a level stands for, along the axes of the target."""
        return self._steps[level]

    @contextlib.contextmanager
    def hurried(self) -> Iterator[None]:
        """Let reads of this thread take what is in memory; what is not there is fetched and comes with a later look."""
        before, self._hurried = self._hurried, threading.get_ident()
        try:
            yield
        finally:
            self._hurried = before

    def attach(self) -> bool:
        """Open the store if it is there by now; from a thread that may wait for a disk."""
        if self._store is None and (self.path / "zarr.json").is_file():
            self._store = ResultStore.open(self.path)
        if self._scratch is None and self._store is not None and is_stitched(self.plan):
            if (self.path / WORK / ARRAY / "zarr.json").is_file():
                self._scratch = self._store.require_array(ARRAY, "uint32", self._store.target.shape, self._store.block)
        return self._store is not None

    def fill(self, records: Iterable[BlockRecord]) -> None:
        """Bring finished blocks into the levels in memory; from a thread that may wait for a disk."""
        if not self.attach() or self.complete:
            return
        for record in records:
            if record.state == "empty":
                continue
            if is_stitched(self.plan):
                self._fill_labels(record)
            else:
                self._fill_image(record.block)
            if self.resident is not None:
                self.resident.forget(self._span(record.block))

    def finish(self) -> None:
        """Take the final levels of a complete run; from a thread that may wait for a disk."""
        if not (self.path / "zarr.json").is_file():
            return
        self._store = ResultStore.open(self.path)
        levels = self._store.levels
        for kept, step in zip(self._memory, self._steps[self._first :], strict=True):
            known = next((i for i, s in enumerate(self._steps[: len(levels)]) if s == step), None)
            if known is not None:
                kept[...] = levels[known][...]
            else:
                last = len(levels) - 1
                ratio = tuple(a // b for a, b in zip(step, self._steps[last], strict=True))
                kept[...] = np.asarray(levels[last][...])[tuple(slice(None, None, r) for r in ratio)]
        self.complete = True
        if self.resident is not None:
            self.resident.forget()

    def read(self, level: int, box: Key) -> NDArray[Any]:
        """Read a box of a level, in the axes of the target; what is not known yet is 0."""
        if self.resident is not None and self._hurried == threading.get_ident():
            known = self.resident.read(level, box)
            if known is not None:
                return known
        return self.fetch(level, box)

    def fetch(self, level: int, box: Key) -> NDArray[Any]:
        """Read a box of a level from the store; from a thread that may wait for a disk."""
        store = self._store
        if store is None:
            return np.zeros([b.stop - b.start for b in box], self.plan.target.np_dtype)
        if self.complete or (not is_stitched(self.plan) and self._is_owned(level)):
            return np.asarray(store.levels[level][box])
        step = self._steps[level]
        if self._scratch is not None:
            fine = tuple(
                slice(b.start * s, min((b.stop - 1) * s + 1, n), s)
                for b, s, n in zip(box, step, self.plan.target.shape, strict=True)
            )
            if math.prod(f.stop - f.start for f in fine) <= _DECODED:
                return self._provisional(fine)
        return self.coarse(level, box)

    def coarse(self, level: int, box: Key) -> NDArray[Any]:
        """Return a box of a level as the finest level in memory shows it."""
        step, kept = self._steps[level], self._steps[self._first]
        index = [
            np.minimum(np.arange(b.start, b.stop) * s // c, n - 1)
            for b, s, c, n in zip(box, step, kept, self._memory[0].shape, strict=True)
        ]
        return self._memory[0][np.ix_(*index)]

    def _is_owned(self, level: int) -> bool:
        return level < len(self.pyramid.levels) and self.pyramid.levels[level].with_blocks

    def _span(self, block: Sequence[int]) -> list[tuple[int, int]]:
        sizes = zip(block, self.pyramid.levels[0].shard, self.plan.target.shape, strict=True)
        return [(i * b, min((i + 1) * b, n)) for i, b, n in sizes]

    def _fill_labels(self, record: BlockRecord) -> None:
        if self._scratch is None or not record.labels:
            return
        with self._lock:
            if record.block not in self._offsets:
                self._offsets[record.block] = self._labels
                self._labels += record.labels
            offset = self._offsets[record.block]
        core = self._scratch.read_block(record.block)
        self._sample(self._span(record.block), np.where(core > 0, core + np.uint32(offset), 0), (1,) * core.ndim)

    def _fill_image(self, block: tuple[int, ...]) -> None:
        level = max(i for i, at in enumerate(self.pyramid.levels) if at.with_blocks)
        step = self._steps[level]
        spans = [(start // s, -(-stop // s)) for (start, stop), s in zip(self._span(block), step, strict=True)]
        if self._store is not None:
            pixels = np.asarray(self._store.levels[level][tuple(slice(*s) for s in spans)])
            self._sample(spans, pixels, step)

    def _sample(self, spans: Sequence[tuple[int, int]], pixels: NDArray[Any], step: tuple[int, ...]) -> None:
        """Put every n-th px of a box, at some level, into the coarser levels in memory."""
        for kept, coarse in zip(self._memory, self._steps[self._first :], strict=True):
            ratio = [max(1, c // s) for c, s in zip(coarse, step, strict=True)]
            first = [-(-start // r) for (start, _), r in zip(spans, ratio, strict=True)]
            part = pixels[tuple(slice(f * r - a, None, r) for f, r, (a, _) in zip(first, ratio, spans, strict=True))]
            place = tuple(slice(f, f + n) for f, n in zip(first, part.shape, strict=True))
            room = kept[place]
            room[...] = part[tuple(slice(0, n) for n in room.shape)]

    def _provisional(self, box: Key) -> NDArray[Any]:
        """Read labels that are not joined yet, from `box` in px of full resolution with steps."""
        labels = np.asarray(self._scratch.array[box])
        with self._lock:
            offsets = dict(self._offsets)
        places = [np.arange(b.start, b.stop, b.step or 1) for b in box]
        blocks = [p // n for p, n in zip(places, self.pyramid.levels[0].shard, strict=True)]
        out = np.zeros(labels.shape, labels.dtype)
        for index, offset in offsets.items():
            at = [np.flatnonzero(b == i) for b, i in zip(blocks, index, strict=True)]
            if all(len(a) for a in at):
                part = tuple(slice(a[0], a[-1] + 1) for a in at)
                out[part] = np.where(labels[part] > 0, labels[part] + np.uint32(offset), 0)
        return out


class LiveLevel:
    """One level on disk, as an array that is read when it is indexed.

    Parameters
    ----------
    levels : LivePyramid
    level : int
    """

    def __init__(self, levels: LivePyramid, level: int) -> None:
        self._levels = levels
        self._level = level
        self.dtype = levels.plan.target.np_dtype
        sizes = dict(zip(levels.plan.target.axes, levels.pyramid.levels[level].shape, strict=True))
        show = levels.show
        self.shape = tuple(n or sizes[a] for a, n in zip(show.axes, show.sizes, strict=True))
        self.ndim = len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read what integers and slices choose."""
        keys = list(key) if isinstance(key, tuple) else [key]
        if Ellipsis in keys:
            i = keys.index(Ellipsis)
            keys[i : i + 1] = [slice(None)] * (self.ndim - len(keys) + 1)
        keys += [slice(None)] * (self.ndim - len(keys))
        show, axes = self._levels.show, self._levels.plan.target.axes
        wanted = {}
        after: list[Any] = []
        for axis, fixed, n, k in zip(show.axes, show.sizes, self.shape, keys, strict=True):
            start, stop, step = k.indices(n) if isinstance(k, slice) else (int(k) % n, int(k) % n + 1, 1)
            after.append(slice(None, None, step) if isinstance(k, slice) else 0)
            if fixed:
                after[-1] = slice(start, stop, step) if isinstance(k, slice) else 0
            else:
                wanted[axis] = slice(start, max(stop, start))
        box = tuple(wanted.get(a, slice(0, 1)) for a in axes)
        if any(b.stop == b.start for b in box):
            return np.zeros([b.stop - b.start for b in box if b.stop], self.dtype)
        pixels: NDArray[Any] = self._levels.shown(self._levels.read(self._level, box))[tuple(after)]
        return pixels

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[(slice(None),) * self.ndim], dtype)
