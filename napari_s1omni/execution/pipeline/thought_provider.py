"""Thinking: which thought belongs to a tile, and where it comes from.

A thought depends on the lattice cell (or region of cells, or plane) and never
on the block that happens to need it. So two blocks that share a tile find the
same thought, and a stored one is replayed instead of thought again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.tiling import Block, Span, Tile
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.protocol import Engine, Thought
from napari_s1omni.execution.pipeline.thought_keys import key_of
from napari_s1omni.execution.run.redo_log import Place, RedoLog
from napari_s1omni.planning.plan import Plan

_OVERVIEW = 1024
"""Edge in px up to which a layer is shown as it is; a larger one is reduced to it."""

ReadPlane = Callable[[int, int, int, Span, Span], NDArray[np.float32]]
"""(t, z, group, rows, columns) to float32 (3, h, w) in model range."""


class ThoughtStore(Protocol):
    """Where thoughts are kept by key."""

    def get(self, key: str) -> Thought | None:
        """Return the thought of a key, or None."""
        ...

    def put(self, key: str, thought: Thought) -> None:
        """Keep a thought."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """One tile to be drawn: where it is and what the engine sees."""

    tile: Tile
    block: Block
    """The block it is drawn for."""
    z: int
    """Plane, in source px."""
    image: NDArray[np.float32]
    """float32 (3, tile_size, tile_size), model range; one px of nothing where it is `outside`."""
    outside: bool = False
    """Whether it has no px in the job's region: it is neither read nor drawn."""
    unknown: NDArray[np.bool_] | None = None
    """Px that are background whatever is drawn, (tile_size, tile_size); None where there are none."""

    @property
    def t(self) -> int:
        """Time point."""
        return self.block.t

    @property
    def group(self) -> int:
        """Channel group."""
        return self.block.group

    @property
    def place(self) -> Place:
        """Which tile it is, whatever the block."""
        return self.block.t, self.z, self.block.group, *self.tile.index


class ThoughtProvider:
    """The thoughts of a run: stored ones replayed, missing ones thought.

    Parameters
    ----------
    plan : Plan
    engine : Engine
    store : ThoughtStore
    read : callable
        Reads a view that is wider than a tile.
    redone : RedoLog, optional
        Tiles with thoughts of their own.
    """

    def __init__(
        self, plan: Plan, engine: Engine, store: ThoughtStore, read: ReadPlane, redone: RedoLog | None = None
    ) -> None:
        self._plan = plan
        self._engine = engine
        self._store = store
        self._read = read
        self._redone = redone or RedoLog()

    def key(self, window: Window) -> str:
        """Name of the thought that a window is drawn from, the last one where it was redone."""
        found = self._redone.of(window.place)
        key = key_of(self._plan, window.place)
        return f"{key}/redo/{found.number}" if found else key

    def round(self, window: Window) -> int:
        """In which round a window was redone last; 0 if never."""
        found = self._redone.of(window.place)
        return found.number if found else 0

    def sampling(self, window: Window) -> Sampling:
        """Return the numbers with which a window is thought and drawn."""
        found = self._redone.of(window.place)
        return found.sampling if found else self._plan.sampling

    def thoughts(self, windows: Sequence[Window]) -> list[Thought]:
        """Return the thought of each window, thinking those that are not stored; all have the same sampling."""
        keys = [self.key(w) for w in windows]
        found = {key: thought for key in dict.fromkeys(keys) if (thought := self._store.get(key)) is not None}
        missing = {key: window for key, window in zip(keys, windows, strict=True) if key not in found}
        for key, thought in zip(missing, self._think(list(missing.values())), strict=True):
            self._store.put(key, thought)
            found[key] = thought
        return [found[key] for key in keys]

    def _think(self, windows: list[Window]) -> list[Thought]:
        plan = self._plan
        if not windows:
            return []
        sampling = self.sampling(windows[0])
        instruction = self._instruction(windows[0])
        if plan.sampling.think == "off":
            return [Thought(instruction.text)]
        if plan.sampling.think == "per_tile":
            images = np.stack([w.image for w in windows])
            return self._engine.think(images, instruction, sampling)
        thoughts = []
        for window in windows:
            view, reduced = self._view(window)
            thoughts += self._engine.think(view[None], instruction.replace(view=float(reduced)), sampling)
        return thoughts

    def _instruction(self, window: Window) -> Instruction:
        """Return the plan's instruction, with the prompt of the last redo if that had its own."""
        found = self._redone.of(window.place)
        if found is None or found.prompt is None:
            return self._plan.instruction
        return self._plan.instruction.replace(request=found.prompt)

    def _view(self, window: Window) -> tuple[NDArray[np.float32], int]:
        """Return the tiles of a thought's region, or the layer's overview, reduced by an integer to at most 1024 px.

        What lies outside the job's region is seen too: a thought, and so a px, must not depend on that.
        """
        grid = self._plan.grid
        if self._plan.sampling.think == "once":
            t, z = grid.t[0], (grid.z[0] + grid.z[1]) // 2
            y, x = grid.overview
        else:
            k = self._plan.sampling.region_tiles
            t, z = window.t, window.z
            first = [i // k * k for i in window.tile.index]
            last = [min(i + k, n) - 1 for i, n in zip(first, grid.lattice, strict=True)]
            start, stop = grid.tile(*first), grid.tile(*last)
            y, x = (start.y[0], stop.y[1]), (start.x[0], stop.x[1])
        reduce = max(1, -(-max(y[1] - y[0], x[1] - x[0]) // _OVERVIEW))
        rows = []
        # Strips of one reduced row block keep the memory flat however large the layer is.
        strip = max(1, 256 // reduce) * reduce
        for top in range(y[0], y[1], strip):
            part = self._read(t, z, window.group, (top, min(top + strip, y[1])), x)
            rows.append(_mean(part, reduce))
        return _evened(np.concatenate(rows, axis=1), self._plan.engine.limits.multiple_of), reduce


def _mean(image: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Reduce (3, h, w) by the mean over k x k px; partial windows average what exists."""
    if k == 1:
        return image
    for axis in (1, 2):
        starts = np.arange(0, image.shape[axis], k)
        counts = np.diff(np.append(starts, image.shape[axis])).astype(np.float32)
        shape = [1, 1, 1]
        shape[axis] = -1
        image = np.add.reduceat(image, starts, axis=axis, dtype=np.float32)
        image /= counts.reshape(shape)
    return image


def _evened(image: NDArray[np.float32], multiple: int) -> NDArray[np.float32]:
    """Pad to a size an engine can take, by reflection."""
    pad: list[Any] = [(0, -n % multiple) for n in image.shape[1:]]
    return np.pad(image, [(0, 0), *pad], mode="reflect") if any(p[1] for p in pad) else image
