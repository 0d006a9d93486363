"""Provides the thought of each tile: replays a stored one or asks the engine.

A thought depends on the lattice cell (or region of cells, or plane), never on
the block for which a tile is generated. So two blocks that share a tile use the
same thought, and a stored thought is replayed instead of made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.tiling import Span
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.protocol import Engine, Thought
from napari_s1omni.execution.pipeline.surroundings import ReadPlane, fill_view
from napari_s1omni.execution.pipeline.thought_keys import redo_key, thought_key
from napari_s1omni.execution.pipeline.tile_input import TileInput
from napari_s1omni.execution.redo.redo_log import RedoLog
from napari_s1omni.planning.plan import Plan

_MAX_VIEW = 1024
"""Longest edge of a view in pixels; larger views are reduced to it."""


class ThoughtStore(Protocol):
    """Where thoughts are stored by key, on disk or in memory."""

    def get(self, key: str) -> Thought | None:
        """Return the thought of a key, or None."""
        ...

    def put(self, key: str, thought: Thought) -> None:
        """Store a thought."""
        ...

    def commit(self) -> None:
        """Sync all stored thoughts to the disk."""
        ...

    def refresh(self) -> None:
        """Read what other processes have stored meanwhile."""
        ...


class ThoughtProvider:
    """The thoughts of a run.

    Parameters
    ----------
    plan : Plan
    engine : Engine
    store : ThoughtStore
    read : callable
        Reads a view that is larger than a tile.
    redo_log : RedoLog, optional
        Tiles that were redone, with thoughts of their own.
    """

    def __init__(
        self, plan: Plan, engine: Engine, store: ThoughtStore, read: ReadPlane, redo_log: RedoLog | None = None
    ) -> None:
        self._plan = plan
        self._engine = engine
        self._store = store
        self._read = read
        self._redo_log = redo_log or RedoLog()

    def key(self, tile: TileInput) -> str:
        """Return the key of a tile's thought, the latest one if the tile was redone."""
        return redo_key(thought_key(self._plan, tile.place), self.redo_round(tile))

    def redo_round(self, tile: TileInput) -> int:
        """Return the last round in which a tile was redone; 0 if it never was."""
        redone = self._redo_log.last_round(tile.place)
        return redone.number if redone else 0

    def sampling(self, tile: TileInput) -> Sampling:
        """Return the sampling with which a tile is thought about and generated."""
        redone = self._redo_log.last_round(tile.place)
        return redone.sampling if redone else self._plan.sampling

    def stored(self, tile: TileInput) -> Thought | None:
        """Return the thought of a tile if it is stored, by this process or another one."""
        key = self.key(tile)
        found = self._store.get(key)
        if found is None:
            self._store.refresh()
            found = self._store.get(key)
        return found

    def thoughts(self, tiles: Sequence[TileInput]) -> list[Thought]:
        """Return the thought of each tile, making those that are not stored; all tiles are of one redo round."""
        keys = [self.key(tile) for tile in tiles]
        found = {key: thought for key in dict.fromkeys(keys) if (thought := self._store.get(key)) is not None}
        missing = {key: tile for key, tile in zip(keys, tiles, strict=True) if key not in found}
        for key, thought in zip(missing, self._think(list(missing.values())), strict=True):
            self._store.put(key, thought)
            found[key] = thought
        return [found[key] for key in keys]

    def _think(self, tiles: list[TileInput]) -> list[Thought]:
        if not tiles:
            return []
        think, sampling = self._plan.sampling.think, self.sampling(tiles[0])
        instruction = self._instruction(tiles[0])
        if think == "off":
            return [Thought(instruction.text)]
        if think == "per_tile":
            return self._engine.think(np.stack([tile.image for tile in tiles]), instruction, sampling)
        thoughts = []
        for tile in tiles:
            view, reduction = self._view(tile)
            thoughts += self._engine.think(view[None], instruction.replace(view=float(reduction)), sampling)
        return thoughts

    def _instruction(self, tile: TileInput) -> Instruction:
        """Return the plan's instruction, with the prompt of the last redo if that had its own."""
        redone = self._redo_log.last_round(tile.place)
        if redone is None or redone.prompt is None:
            return self._plan.instruction
        return self._plan.instruction.replace(request=redone.prompt)

    def _view(self, tile: TileInput) -> tuple[NDArray[np.float32], int]:
        """Return the region of cells of a thought, or the overview of the layer, and the factor of its reduction.

        A layer that is fitted to the engine's size is shown as it is drawn. Otherwise the longest edge has at most
        1024 px. Pixels outside the job's region are included: a thought, and with it every pixel, must not depend on
        the region.
        """
        if self._plan.fit is not None and self._plan.sampling.think == "per_region":
            # The only tile of a plane is its only region.
            return tile.image, 1
        t, z, y, x = self._view_box(tile)
        if self._plan.fit is not None:
            whole = fill_view(self._plan, self._read(t, z, tile.group, y, x), tile.group)
            return self._plan.fit.see(whole), 1
        reduction = max(1, -(-max(y[1] - y[0], x[1] - x[0]) // _MAX_VIEW))
        rows = []
        # Reading in strips keeps the memory small however large the layer is.
        strip = max(1, 256 // reduction) * reduction
        for top in range(y[0], y[1], strip):
            part = self._read(t, z, tile.group, (top, min(top + strip, y[1])), x)
            rows.append(_reduce(part, reduction))
        view = fill_view(self._plan, np.concatenate(rows, axis=1), tile.group)
        return _pad_to_multiple(view, self._plan.engine.limits.multiple_of), reduction

    def _view_box(self, tile: TileInput) -> tuple[int, int, Span, Span]:
        """Return time point, plane, rows and columns of a view, in source px."""
        grid = self._plan.grid
        if self._plan.sampling.think == "once":
            return grid.t[0], (grid.z[0] + grid.z[1]) // 2, *grid.overview
        k = self._plan.sampling.region_tiles
        first = [i // k * k for i in tile.tile.index]
        last = [min(i + k, n) - 1 for i, n in zip(first, grid.lattice, strict=True)]
        start, stop = grid.tile(*first), grid.tile(*last)
        return tile.t, tile.z, (start.y[0], stop.y[1]), (start.x[0], stop.x[1])


def _reduce(image: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Reduce (3, h, w) by the mean over k x k px; windows at the edge average the pixels that exist and are known."""
    if k == 1:
        return image
    unknown = np.isnan(image)
    if unknown.any():
        share = _reduce((~unknown).astype(np.float32), k)
        share[share == 0] = np.nan
        return np.asarray(_reduce(np.where(unknown, 0, image), k) / share, np.float32)
    for axis in (1, 2):
        starts = np.arange(0, image.shape[axis], k)
        counts = np.diff(np.append(starts, image.shape[axis])).astype(np.float32)
        shape = [1, 1, 1]
        shape[axis] = -1
        image = np.add.reduceat(image, starts, axis=axis, dtype=np.float32)
        image /= counts.reshape(shape)
    return image


def _pad_to_multiple(image: NDArray[np.float32], multiple: int) -> NDArray[np.float32]:
    """Pad to a size that the engine accepts, by reflection."""
    pad: list[Any] = [(0, -n % multiple) for n in image.shape[1:]]
    return np.pad(image, [(0, 0), *pad], mode="reflect") if any(p[1] for p in pad) else image
