"""Reading: planes of the source in model range, each block's read once and cut in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Block, Span
from napari_s1omni.execution.pipeline.region_mask import RegionMask
from napari_s1omni.execution.pipeline.retry import Retry
from napari_s1omni.execution.pipeline.thought_provider import Window
from napari_s1omni.joining.blending import cut_tile
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.source import Source

_NOTHING = np.zeros((3, 1, 1), np.float32)


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of a block's read box."""

    block: Block
    z: int
    """In source px."""
    origin: tuple[int, int]
    """First row and column, in source px."""
    image: NDArray[np.float32]
    """float32 (3, h, w), model range; one px where nothing of it is in the region."""
    seconds: float
    """Time that reading took."""
    inside: NDArray[np.bool_] | None = None
    """Which px are in the region, (h, w); None where all are."""
    unknown: NDArray[np.bool_] | None = None
    """Px that are NaN or infinite in all channels, (h, w); None where there are none, or no labels are drawn."""


@dataclass(frozen=True, slots=True)
class PlaneReader:
    """Reads what a plan's blocks are drawn from."""

    plan: Plan
    source: Source
    patience: Retry
    """For a source that does not answer at once."""
    on_step: Callable[[str], None]
    """Told ``read`` before each plane of a block."""
    area: RegionMask = field(default_factory=lambda: RegionMask((1, 1), None))
    """Where the plan draws."""

    def planes(self, blocks: Iterable[Block | None]) -> Iterator[tuple[int, Callable[[], Plane | None]]]:
        """Yield the size in bytes of each plane of the blocks, and what reads it; None passes as it is."""
        for block in blocks:
            if block is None:
                yield 0, _wait
                continue
            y, x = self.plan.grid.read_box(block)
            missed = self.area.misses(block)
            size = 0 if missed else 3 * 4 * (y[1] - y[0]) * (x[1] - x[0])
            for z in range(*block.field_z):
                yield size, lambda block=block, z=z, y=y, x=x, n=missed: self._plane(block, z, y, x, n)  # type: ignore[misc]

    def windows(self, plane: Plane) -> Iterator[Window]:
        """Cut the tiles of a plane, in lattice order."""
        top, left = plane.origin
        for tile in self.plan.grid.tiles(plane.block):
            seen = plane.inside
            if seen is None or seen[tile.y[0] - top : tile.y[1] - top, tile.x[0] - left : tile.x[1] - left].any():
                unknown = None if plane.unknown is None else cut_tile(plane.unknown[None], plane.origin, tile)[0]
                yield Window(tile, plane.block, plane.z, cut_tile(plane.image, plane.origin, tile), unknown=unknown)
            else:
                yield Window(tile, plane.block, plane.z, _NOTHING, outside=True)

    def read(self, t: int, z: int, group: int, y: Span, x: Span) -> NDArray[np.float32]:
        """Read a box of a plane of a channel group: float32 (3, h, w) in model range.

        Raises
        ------
        SourceError
            If the source cannot be read, also after waiting.
        """
        return self._to_model(self._pixels(t, z, group, y, x), group)

    def _to_model(self, pixels: NDArray[Any], group: int) -> NDArray[np.float32]:
        return self.plan.job.operation.to_model(pixels, self.plan.normalization, self.plan.groups[group])

    def _pixels(self, t: int, z: int, group: int, y: Span, x: Span) -> NDArray[Any]:
        channels = self.plan.groups[group]
        spec = self.plan.source
        # Neighbouring channels come in one read; a scattered choice in several.
        spans = [(c, c + 1) for c in channels]
        if channels == tuple(range(channels[0], channels[0] + len(channels))):
            spans = [(channels[0], channels[-1] + 1)]
        parts = []
        for span in spans:
            whole = {"t": (t, t + 1), "c": span, "z": (z, z + 1), "y": y, "x": x}
            box = tuple(slice(*whole[a]) for a in spec.axes)
            pixels = self.patience(lambda box=box: self.source.read(box))  # type: ignore[misc]
            parts.append(pixels.reshape(-1, y[1] - y[0], x[1] - x[0]))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _plane(self, block: Block, z: int, y: Span, x: Span, missed: bool) -> Plane:
        start = time.perf_counter()
        inside = np.zeros((1, 1), bool) if missed else self.area.plane(block, z, y, x)
        if inside is not None and not inside.any():
            return Plane(block, z, (y[0], x[0]), _NOTHING, time.perf_counter() - start, inside)
        self.on_step("read")
        pixels = self._pixels(block.t, z, block.group, y, x)
        unknown = None
        if self.plan.target.kind == "labels" and self.plan.normalization.ground is not None:
            lost = ~np.isfinite(pixels).any(axis=0)
            unknown = lost if lost.any() else None
        image = self._to_model(pixels, block.group)
        return Plane(block, z, (y[0], x[0]), image, time.perf_counter() - start, inside, unknown)


def _wait() -> None:
    """Read nothing."""
