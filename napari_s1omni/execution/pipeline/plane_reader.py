"""Reads planes of the source in model range, once per block, and cuts them into tiles in memory."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Block, Span, Tile
from napari_s1omni.core.unknown_pixels import fill_unknown
from napari_s1omni.execution.pipeline.region_mask import RegionMask
from napari_s1omni.execution.pipeline.retry import Retry
from napari_s1omni.execution.pipeline.tile_input import TileInput
from napari_s1omni.joining.blending import cut_tile
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.source import Source

_NO_IMAGE = np.zeros((3, 1, 1), np.float32)


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of a block's read box."""

    block: Block
    z: int
    """Plane, in source px."""
    origin: tuple[int, int]
    """First row and column, in source px."""
    image: NDArray[np.float32]
    """float32 (3, h, w), model range; a single pixel if none of it is in the region."""
    seconds: float
    """Time spent reading."""
    drawn: NDArray[np.bool_] | None = None
    """Which tiles are generated, (rows, columns) of the block; None if all are."""
    unknown: NDArray[np.bool_] | None = None
    """Pixels that are NaN or infinite, per channel of the group, (1 to 3, h, w); None if there are none."""
    transparent: NDArray[np.bool_] | None = None
    """Pixels of a picture that are transparent, (h, w); None if there are none, or if the target is an image."""


@dataclass(frozen=True, slots=True)
class PlaneReader:
    """Reads the source pixels of a plan's blocks."""

    plan: Plan
    source: Source
    retry: Retry
    """For transient errors of the source."""
    on_step: Callable[[str], None]
    """Called with ``read`` before each plane of a block is read."""
    region: RegionMask = field(default_factory=lambda: RegionMask((1, 1), None))
    """The region of the plan."""

    def planes(self, blocks: Iterable[Block | None]) -> Iterator[tuple[int, Callable[[], Plane | None]]]:
        """Yield the size in bytes of each plane of the blocks and a function that reads it; None is passed on."""
        for block in blocks:
            if block is None:
                yield 0, _read_nothing
                continue
            excluded = self.region.excludes(block)
            y, x = self.plan.grid.read_box(block)
            size = 0 if excluded else 3 * 4 * (y[1] - y[0]) * (x[1] - x[0])
            for z in range(*block.field_z):
                yield size, functools.partial(self._plane, block, z, excluded)

    def tiles(self, plane: Plane) -> Iterator[TileInput]:
        """Cut a plane into its tiles, in lattice order."""
        for number, tile in enumerate(self.plan.grid.tiles(plane.block)):
            if plane.drawn is None or plane.drawn.flat[number]:
                image, unknown = self._see(plane, tile)
                yield TileInput(tile, plane.block, plane.z, image, unknown=unknown)
            else:
                yield TileInput(tile, plane.block, plane.z, _NO_IMAGE, outside=True)

    def read(self, t: int, z: int, group: int, y: Span, x: Span) -> NDArray[np.float32]:
        """Read a box of a plane of a channel group.

        Returns
        -------
        float32 (3, h, w)
            In model range; NaN where a channel is NaN or infinite.

        Raises
        ------
        SourceError
            If the source cannot be read, even after retries.
        """
        pixels, image = self._view(t, z, group, y, x)
        unknown = self._unknown(pixels)
        if unknown is not None:
            shown = image if len(unknown) == 1 else image[: len(unknown)]
            shown[np.broadcast_to(unknown, shown.shape)] = np.nan
        return image

    def _view(self, t: int, z: int, group: int, y: Span, x: Span) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Read source pixels (channels, h, w), and return them with what the engine sees, float32 (3, h, w)."""
        even = self.plan.even_ground
        if even is None:
            pixels = self._pixels(t, z, group, y, x)
            return pixels, self.plan.to_model(pixels, group)
        # The ground of a pixel depends on a margin, so that it is the same in every block and tile.
        rows, columns = (even.widen(span, n) for span, n in zip((y, x), self.plan.grid.extent, strict=True))
        wide = self._pixels(t, z, group, rows, columns)
        inside = (..., slice(y[0] - rows[0], y[1] - rows[0]), slice(x[0] - columns[0], x[1] - columns[0]))
        return wide[inside], np.ascontiguousarray(even.flatten(self.plan.to_model(wide, group))[inside])

    def _unknown(self, pixels: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Return which pixels (channels, h, w) are NaN or infinite; None if none are."""
        if pixels.dtype.kind != "f" or self.plan.normalization.ground is None:
            return None
        unknown = ~np.isfinite(pixels)
        return unknown if unknown.any() else None

    def _pixels(self, t: int, z: int, group: int, y: Span, x: Span) -> NDArray[Any]:
        """Read source pixels (channels, h, w)."""
        channels = self.plan.groups[group]
        # Neighbouring channels are read at once, others one by one.
        spans = [(c, c + 1) for c in channels]
        if channels == tuple(range(channels[0], channels[0] + len(channels))):
            spans = [(channels[0], channels[-1] + 1)]
        parts = []
        for span in spans:
            box_of_axis = {"t": (t, t + 1), "c": span, "z": (z, z + 1), "y": y, "x": x}
            box = tuple(slice(*box_of_axis[axis]) for axis in self.plan.source.axes)
            pixels = self.retry(functools.partial(self.source.read, box))
            parts.append(pixels.reshape(-1, y[1] - y[0], x[1] - x[0]))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _transparent(self, t: int, z: int, y: Span, x: Span) -> NDArray[np.bool_] | None:
        """Return which pixels of a plane are transparent, (h, w), for labels; None if none are."""
        if self.plan.target.kind != "labels":
            return None
        box_of_axis = {"t": (t, t + 1), "c": (0, 1), "z": (z, z + 1), "y": y, "x": x}
        box = tuple(slice(*box_of_axis[axis]) for axis in self.plan.source.axes)
        found = self.retry(functools.partial(self.source.transparent, box))
        return None if found is None else found.reshape(y[1] - y[0], x[1] - x[0])

    def _see(self, plane: Plane, tile: Tile) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
        """Return what the engine sees of a tile, and which of its source pixels have no result.

        The latter are (1 or channels, tile_size, tile_size), in source px.
        """
        image = cut_tile(plane.image, plane.origin, tile)
        unknown = None
        if plane.unknown is not None and (mask := cut_tile(plane.unknown, plane.origin, tile)).any():
            # Filled tile by tile, so that it does not depend on the block.
            image = fill_unknown(image, mask)
            unknown = self.plan.job.operation.unknown_result(mask)
        if plane.transparent is not None:
            background = cut_tile(plane.transparent[None], plane.origin, tile)
            unknown = background if unknown is None else unknown | background
        return image if self.plan.fit is None else self.plan.fit.see(image), unknown

    def _plane(self, block: Block, z: int, excluded: bool) -> Plane:
        start = time.perf_counter()
        y, x = self.plan.grid.read_box(block)
        origin = y[0], x[0]
        grid = self.plan.grid
        tiles = len(grid.tile_rows(block.field_y)), len(grid.tile_cols(block.field_x))
        drawn = np.zeros(tiles, bool) if excluded else self.region.tiles(grid, block, z)
        if drawn is not None and not drawn.any():
            return Plane(block, z, origin, _NO_IMAGE, time.perf_counter() - start, drawn)
        self.on_step("read")
        pixels, image = self._view(block.t, z, block.group, y, x)
        transparent = self._transparent(block.t, z, y, x)
        seconds = time.perf_counter() - start
        return Plane(block, z, origin, image, seconds, drawn, self._unknown(pixels), transparent)


def _read_nothing() -> None:
    """Stand in for a plane where the next block may be long in coming."""
