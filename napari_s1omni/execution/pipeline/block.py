"""Builds one block from its generated tiles: joins them into fields, scores the seams, finishes the pixels."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Block, Span, Tile, TileGrid, TileIndex
from napari_s1omni.execution.pipeline.block_geometry import BlockGeometry
from napari_s1omni.execution.pipeline.region_mask import RegionMask
from napari_s1omni.execution.pipeline.tile_attempt import GeneratedTile
from napari_s1omni.execution.pipeline.tile_input import TileInput
from napari_s1omni.joining.blending import Join
from napari_s1omni.joining.seams import tile_scores
from napari_s1omni.operations.operation import Edges, FinishContext, FinishedBlock
from napari_s1omni.planning.plan import Plan
from napari_s1omni.planning.tile_sharing import TileSharing
from napari_s1omni.storage.logs.tile_failure import TileFailure
from napari_s1omni.system.memory import own_peak

_MIN_SCORE = 1e-6
"""Smallest seam score that is stored; 0 stands for no score."""


@dataclass(frozen=True, slots=True)
class BlockResult:
    """A finished block before anything is written."""

    block: Block
    finished: FinishedBlock | None
    """Over the block's field box (with halo); None if no tile was generated, so that all pixels are 0."""
    drawn: int
    """Number of tiles that were generated for this block."""
    kept: int
    """Number of tiles that were generated for other blocks, and kept."""
    empty: int
    """Number of tiles that were skipped because their pixels are all equal, or none is known."""
    outside: int
    """Number of tiles that were skipped because they have no pixel in the job's region."""
    shared: int
    """Number of its tiles that count for another block, see :class:`~napari_s1omni.planning.tile_sharing.TileSharing`;
    without those outside the region."""
    failures: tuple[TileFailure, ...]
    """Tiles that could not be generated."""
    missing: NDArray[np.bool_] | None
    """Pixels of failed tiles inside the region, over the field box (D, H, W) in target px; None if none failed."""
    seams: NDArray[np.float32]
    """Seam score of each tile whose cell is in the block, (D, rows, columns); 0 where there is none."""
    error: NDArray[np.float32] | None
    """Error to expect of each pixel over the field box, (D, H, W), in model range; None if the engine does not say."""
    thoughts: tuple[str, ...]
    """Keys of the thoughts from which it was generated."""
    tokens: int = 0
    """Tokens of these thoughts, counted for each tile that was generated."""
    micro_batch: int | None = None
    """Tiles per call of the engine; the smallest one if it was halved meanwhile."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Seconds per stage: read, think, generate, quality, finish."""
    peak_memory: int = 0
    """Peak resident memory of the process so far, in bytes."""


class BlockBuilder:
    """Collects the tiles of a block.

    Parameters
    ----------
    plan : Plan
    block : Block
    region : RegionMask, optional
        The region of the plan.
    sharing : TileSharing, optional
        The tiles that count for other blocks; left out, all count for this one.
    """

    def __init__(
        self, plan: Plan, block: Block, region: RegionMask | None = None, sharing: TileSharing | None = None
    ) -> None:
        self.block = block
        self._plan = plan
        self._region = region or RegionMask(plan.grid.factor, None)
        self._sharing = sharing
        self._shared = 0
        self._geometry = BlockGeometry(plan, block)
        grid = plan.grid
        self._tiles_per_plane = len(grid.tile_rows(block.field_y)) * len(grid.tile_cols(block.field_x))
        self._tiles = self._tiles_per_plane * (block.field_z[1] - block.field_z[0])
        self._counts: Counter[str] = Counter()
        self._fields: NDArray[np.float32] | None = None
        self._failed: list[tuple[Tile, TileFailure]] = []
        self._seams = np.zeros(self._geometry.lattice_shape, np.float32)
        self._planes = 3 + plan.engine.expects_error
        self._thought_keys: dict[str, None] = {}
        self._tokens = 0
        self._micro_batch: int | None = None
        # Of the plane whose tiles are coming in:
        self._join: Join | None = None
        self._tiles_in_plane = 0
        self._skipped: list[Tile] = []
        self._missing: set[TileIndex] = set()
        self.seconds = {"read": 0.0, "think": 0.0, "generate": 0.0, "quality": 0.0}
        """Seconds per stage so far."""

    @property
    def complete(self) -> bool:
        """Whether all tiles were added."""
        return self._counts.total() == self._tiles

    def add(self, generated: GeneratedTile) -> None:
        """Add the next tile, in lattice order, plane by plane."""
        source = generated.source
        self._counts[generated.state] += 1
        if generated.state == "failed":
            self._failed.append((source.tile, TileFailure(source.z, source.tile.index, generated.error)))
        if generated.state in ("failed", "outside"):
            self._missing.add(source.tile.index)
        if generated.state != "outside" and self._sharing is not None:
            self._shared += self._sharing.owner(source.place) != self.block.index
        if generated.state in ("drawn", "kept"):
            self._thought_keys[generated.thought] = None
        if generated.micro_batch is not None:
            self._tokens += generated.tokens
            self._micro_batch = min(self._micro_batch or generated.micro_batch, generated.micro_batch)
            self.seconds["think"] += generated.seconds[0]
            self.seconds["generate"] += generated.seconds[1]
        if generated.image is None:
            self._skipped.append(source.tile)
        else:
            join = self._open_join()
            self._join_skipped(join)
            join.add(source.tile, self._fields_of(source, generated.image))
        self._tiles_in_plane += 1
        if self._tiles_in_plane == self._tiles_per_plane:
            self._end_plane(source.z)

    def result(self) -> BlockResult:
        """Finish the block: turn the joined fields into pixels."""
        start = time.perf_counter()
        # A block outside the region has no pixels at all.
        reached = self._counts["outside"] < self._tiles
        inside = self._region.field(self.block) if reached else None
        missing = self._missing_pixels(inside)
        fields, self._fields = self._fields, None
        if fields is None and (self._plan.target.kind != "labels" or self._failed) and reached:
            fields = self._zero_fields()
        return BlockResult(
            block=self.block,
            finished=None if fields is None else self._finish(fields[:3], inside, missing),
            drawn=self._counts["drawn"],
            kept=self._counts["kept"],
            empty=self._counts["empty"],
            outside=self._counts["outside"],
            shared=self._shared,
            failures=tuple(failure for _, failure in self._failed),
            missing=missing,
            seams=self._seams,
            error=None if fields is None or self._planes == 3 else self._where_drawn(fields[3], inside, missing),
            thoughts=tuple(self._thought_keys),
            tokens=self._tokens,
            micro_batch=self._micro_batch,
            seconds={**self.seconds, "finish": time.perf_counter() - start},
            peak_memory=own_peak(),
        )

    def _finish(
        self, fields: NDArray[np.float32], inside: NDArray[np.bool_] | None, missing: NDArray[np.bool_] | None
    ) -> FinishedBlock:
        plan = self._plan
        group = plan.groups[self.block.group]
        context = FinishContext(
            plan.normalization, group, plan.target, self._edges(), plan.engine.division, plan.instruction.mark
        )
        finished = plan.job.operation.finish(fields, context)
        if inside is not None:
            finished.pixels[:, ~inside] = 0
        if finished.confidence is not None:
            self._where_drawn(finished.confidence, inside, missing)
        return finished

    def _where_drawn(
        self, values: NDArray[np.float32], inside: NDArray[np.bool_] | None, missing: NDArray[np.bool_] | None
    ) -> NDArray[np.float32]:
        """Set values (D, H, W) to 0, in place, where nothing was drawn; return them."""
        for undrawn in (None if inside is None else ~inside, missing):
            if undrawn is not None:
                values[undrawn] = 0
        return values

    def _fields_of(self, source: TileInput, drawn: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the fields of a drawn tile, (3 or 4, tile_size * fy, tile_size * fx)."""
        plan = self._plan
        fields = plan.job.operation.decode(drawn[:3], source.image, plan.engine.encoding, plan.instruction.mark)
        # The error to expect is blended like what is drawn.
        if self._planes > 3:
            fields = np.concatenate([fields, drawn[3:]])
        if plan.fit is not None:
            fields = plan.fit.bring_back(fields, plan.grid.tile_size, bounded=plan.target.kind == "labels")
        if source.unknown is not None:
            fields = np.concatenate([self._without(fields[:3], source.unknown), fields[3:]])
        return fields

    def _without(self, fields: NDArray[np.float32], unknown: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Set the fields of pixels without a result: to background in labels, to NaN in an image."""
        fy, fx = self._plan.grid.factor
        value = np.float32(0 if self._plan.target.kind == "labels" else np.nan)
        return np.where(unknown.repeat(fy, axis=1).repeat(fx, axis=2), value, fields)

    def _open_join(self) -> Join:
        if self._fields is None:
            self._fields = self._zero_fields()
        if self._join is None:
            self._join = Join(self._plan.grid, self.block, self._planes)
        return self._join

    def _join_skipped(self, join: Join) -> None:
        """Add the tiles that were skipped so far, as zeros."""
        if self._skipped:
            fy, fx = self._plan.grid.factor
            edge = self._plan.grid.tile_size
            zeros = np.zeros((self._planes, edge * fy, edge * fx), np.float32)
            for tile in self._skipped:
                join.add(tile, zeros)
            self._skipped = []

    def _end_plane(self, z: int) -> None:
        if self._join is not None and self._fields is not None:
            self._join_skipped(self._join)
            plane = self._join.result()
            self._fields[:, z - self.block.field_z[0]] = plane
            if self.block.z[0] <= z < self.block.z[1]:
                self._score_seams(z, plane)
        self._join = None
        self._skipped = []
        self._missing = set()
        self._tiles_in_plane = 0

    def _score_seams(self, z: int, plane: NDArray[np.float32]) -> None:
        """Score the seams of the tiles whose cells are in the block, except beside missing tiles."""
        start = time.perf_counter()
        channels = 1 if self._plan.target.kind == "labels" else len(self._plan.groups[self.block.group])
        grid, block = self._plan.grid, self.block
        cells = self._seams[z - block.z[0]]
        for (row, col), score in tile_scores(plane[:channels], grid, block).items():
            i, j = _place_in_map(row, block.y, grid.y, grid), _place_in_map(col, block.x, grid.x, grid)
            neighbours = {(row, col), (row - 1, col), (row, col - 1)}
            if 0 <= i < cells.shape[0] and 0 <= j < cells.shape[1] and not neighbours & self._missing:
                # A seam that crosses no structure scores 0, which means "no score" in the stored map.
                cells[i, j] = max(cells[i, j], score, _MIN_SCORE)
        self.seconds["quality"] += time.perf_counter() - start

    def _missing_pixels(self, inside: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """Mark the pixels of failed tiles, inside the region."""
        if not self._failed:
            return None
        missing = np.zeros(self._geometry.field_shape, bool)
        fy, fx = self._plan.grid.factor
        z0, y0, x0 = self.block.field_z[0], self.block.field_y[0], self.block.field_x[0]
        for tile, failure in self._failed:
            rows = slice(max(0, tile.y[0] - y0) * fy, max(0, tile.y[1] - y0) * fy)
            cols = slice(max(0, tile.x[0] - x0) * fx, max(0, tile.x[1] - x0) * fx)
            missing[failure.z - z0, rows, cols] = True
        return missing if inside is None else missing & inside

    def _zero_fields(self) -> NDArray[np.float32]:
        return np.zeros((self._planes, *self._geometry.field_shape), np.float32)

    def _edges(self) -> Edges:
        """Return which sides of the field box are edges of the whole source."""
        rows, cols = self._plan.grid.extent
        y, x = self.block.field_y, self.block.field_x
        return y[0] == 0, y[1] == rows, x[0] == 0, x[1] == cols


def _place_in_map(k: int, span: Span, region: Span, grid: TileGrid) -> int:
    """Return where a row or column of the lattice stands in the seam map of a block; negative beyond its start."""
    at = k - grid.starting_in(span).start
    # The tile that the region's first edge cuts has no value of its own.
    return max(0, at) if span[0] == region[0] and k >= span[0] // grid.step else at
