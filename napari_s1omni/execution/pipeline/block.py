"""One block from drawn tiles to finished px. Every executor shares it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Block, Tile
from napari_s1omni.execution.pipeline.block_geometry import cells_shape, field_shape
from napari_s1omni.execution.pipeline.region_mask import RegionMask
from napari_s1omni.execution.pipeline.tile_generator import GeneratedTile
from napari_s1omni.joining.blending import Join
from napari_s1omni.joining.seams import tile_scores
from napari_s1omni.operations.operation import Edges, FinishedBlock
from napari_s1omni.planning.plan import Plan
from napari_s1omni.system.memory import own_peak

_LEAST = 1e-6
"""Smallest seam score that is kept."""


@dataclass(frozen=True, slots=True)
class BlockResult:
    """What a block became, before anything is written."""

    block: Block
    finished: FinishedBlock | None
    """Over the block's field box (with halo); None where no tile was drawn, so that all px are 0."""
    drawn: int
    """Tiles that were drawn."""
    empty: int
    """Tiles skipped because nothing varies in them."""
    outside: int
    """Tiles skipped because they have no px in the job's region."""
    holes: tuple[str, ...]
    """Failed tiles as ``z/row/column: reason``."""
    missing: NDArray[np.bool_] | None
    """Where these reach inside the region, over the field box (D, H, W) in target px; None where none failed."""
    seams: NDArray[np.float32]
    """Score of the joins of each tile whose cell is in the block, (D, rows, columns); 0 where there is none."""
    thoughts: tuple[str, ...]
    """Keys of the thoughts it was drawn from."""
    tokens: int = 0
    """Tokens of these thoughts, counted for each tile."""
    micro_batch: int | None = None
    """Tiles per call of the engine; the smallest, where it was halved meanwhile."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time per stage: read, think, generate, quality, finish."""
    peak_memory: int = 0
    """Largest resident size of the process so far, in bytes."""


class BlockWork:
    """A block whose tiles are coming in.

    Parameters
    ----------
    plan : Plan
    block : Block
    area : RegionMask, optional
        Where the plan draws.
    """

    def __init__(self, plan: Plan, block: Block, area: RegionMask | None = None) -> None:
        self.block = block
        self._plan = plan
        self._area = area or RegionMask(plan.grid.factor, None)
        grid = plan.grid
        self._left = len(grid.tile_rows(block.field_y)) * len(grid.tile_cols(block.field_x))
        self._planes = block.field_z[1] - block.field_z[0]
        self._tiles = self._left
        self._left *= self._planes
        self._fields: NDArray[np.float32] | None = None
        self._join: Join | None = None
        self._skipped: list[Tile] = []
        self._in_plane = 0
        self._counts = {"drawn": 0, "empty": 0, "failed": 0, "outside": 0}
        self._holes: list[str] = []
        self._failed: list[tuple[int, Tile]] = []
        self._missing: set[tuple[int, int]] = set()
        self._seams = np.zeros(cells_shape(plan, block), np.float32)
        self._keys: dict[str, None] = {}
        self._tokens = 0
        self._micro_batch: int | None = None
        self.seconds = {"read": 0.0, "think": 0.0, "generate": 0.0, "quality": 0.0}
        """Time per stage so far."""

    @property
    def complete(self) -> bool:
        """Whether all its tiles are there."""
        return self._left == 0

    def add(self, drawn: GeneratedTile) -> None:
        """Add the next tile, in lattice order, plane by plane."""
        window = drawn.window
        self._counts[drawn.state] += 1
        if drawn.state == "failed":
            self._holes.append(f"{window.z}/{window.tile.index[0]}/{window.tile.index[1]}: {drawn.error}")
            self._failed.append((window.z, window.tile))
        if drawn.state in ("failed", "outside"):
            self._missing.add(window.tile.index)
        if drawn.state == "drawn":
            self._keys[drawn.thought] = None
        if drawn.micro_batch is not None:
            self._tokens += drawn.tokens
            self._micro_batch = min(self._micro_batch or drawn.micro_batch, drawn.micro_batch)
            self.seconds["think"] += drawn.seconds[0]
            self.seconds["generate"] += drawn.seconds[1]
        if drawn.image is None:
            self._skipped.append(window.tile)
        else:
            join = self._open()
            self._fill(join)
            operation, encoding = self._plan.job.operation, self._plan.engine.encoding
            fields = operation.decode(drawn.image, window.image, encoding)
            join.add(window.tile, fields if window.unknown is None else np.where(window.unknown, 0, fields))
        self._left -= 1
        self._in_plane += 1
        if self._in_plane == self._tiles:
            self._end_plane(window.z)

    def result(self) -> BlockResult:
        """Finish the block: from joined fields to px."""
        start = time.perf_counter()
        finished = None
        inside = self._area.field(self.block) if self._drawn_at_all else None
        missing = self._missing_px(inside)
        fields, self._fields = self._fields, None
        if fields is None and (self._plan.target.kind != "labels" or self._holes) and self._drawn_at_all:
            fields = self._nothing()
        if fields is not None:
            plan = self._plan
            finished = plan.job.operation.finish(
                fields,
                plan.normalization,
                plan.groups[self.block.group],
                plan.target,
                self._edges(),
                plan.engine.division,
            )
            if inside is not None:
                finished.pixels[:, ~inside] = 0
            if finished.confidence is not None:
                for undrawn in (None if inside is None else ~inside, missing):
                    if undrawn is not None:
                        finished.confidence[undrawn] = 0
        return BlockResult(
            block=self.block,
            finished=finished,
            drawn=self._counts["drawn"],
            empty=self._counts["empty"],
            outside=self._counts["outside"],
            holes=tuple(self._holes),
            missing=missing,
            seams=self._seams,
            thoughts=tuple(self._keys),
            tokens=self._tokens,
            micro_batch=self._micro_batch,
            seconds={**self.seconds, "finish": time.perf_counter() - start},
            peak_memory=own_peak(),
        )

    def _open(self) -> Join:
        if self._fields is None:
            self._fields = self._nothing()
        if self._join is None:
            self._join = Join(self._plan.grid, self.block, 3)
        return self._join

    def _fill(self, join: Join) -> None:
        """Add what was skipped: tiles without anything."""
        if self._skipped:
            fy, fx = self._plan.grid.factor
            edge = self._plan.grid.tile_size
            nothing = np.zeros((3, edge * fy, edge * fx), np.float32)
            for tile in self._skipped:
                join.add(tile, nothing)
            self._skipped = []

    def _end_plane(self, z: int) -> None:
        if self._join is not None and self._fields is not None:
            self._fill(self._join)
            plane = self._join.result()
            self._fields[:, z - self.block.field_z[0]] = plane
            if self.block.z[0] <= z < self.block.z[1]:
                self._score(z, plane)
        self._join = None
        self._skipped = []
        self._missing = set()
        self._in_plane = 0

    def _score(self, z: int, plane: NDArray[np.float32]) -> None:
        """Score the joins of the tiles whose cells are in the block, but for those with something missing."""
        start = time.perf_counter()
        channels = 1 if self._plan.target.kind == "labels" else len(self._plan.groups[self.block.group])
        step = self._plan.grid.step
        top, left = self.block.y[0] // step, self.block.x[0] // step
        cells = self._seams[z - self.block.z[0]]
        for (row, col), score in tile_scores(plane[:channels], self._plan.grid, self.block).items():
            i, j = row - top, col - left
            near = {(row, col), (row - 1, col), (row, col - 1)}
            if 0 <= i < cells.shape[0] and 0 <= j < cells.shape[1] and not near & self._missing:
                # A join that crosses nothing scores 0, which stands for no score at all here.
                cells[i, j] = max(score, _LEAST)
        self.seconds["quality"] += time.perf_counter() - start

    @property
    def _drawn_at_all(self) -> bool:
        """Whether any of its tiles has px in the region."""
        return self._counts["outside"] < self._tiles * self._planes

    def _missing_px(self, inside: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """Mark where tiles that failed reach, inside the region."""
        if not self._failed:
            return None
        missing = np.zeros(field_shape(self._plan, self.block), bool)
        fy, fx = self._plan.grid.factor
        z0, y0, x0 = self.block.field_z[0], self.block.field_y[0], self.block.field_x[0]
        for z, tile in self._failed:
            rows = slice(max(0, tile.y[0] - y0) * fy, max(0, tile.y[1] - y0) * fy)
            cols = slice(max(0, tile.x[0] - x0) * fx, max(0, tile.x[1] - x0) * fx)
            missing[z - z0, rows, cols] = True
        return missing if inside is None else missing & inside

    def _nothing(self) -> NDArray[np.float32]:
        return np.zeros((3, *field_shape(self._plan, self.block)), np.float32)

    def _edges(self) -> Edges:
        rows, cols = self._plan.grid.extent
        y, x = self.block.field_y, self.block.field_x
        return y[0] == 0, y[1] == rows, x[0] == 0, x[1] == cols
