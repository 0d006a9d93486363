"""Tiling: the blocks and tiles of a run. Pure integer geometry.

::

    source px   0        step      2 step     3 step            S
    tile 0      |=================|                              T = tile_size
    tile 1               |=================|                     V = overlap = T - step
    tile 2                          |=================|
    tile 3                                     |============:::::|  ::: reflected beyond the source's edge
                         |<- V ->|  shared by tiles 0 and 1, joined by a ramp

    block       |<-------- n steps -------->|<------- n steps -> ...   counted from the region's own start
    field box   |<------------------------------>|                     block + halo, clipped to the source
    read box    |<----------------------------------->|                all tiles that touch the field box

The lattice is anchored at source voxel 0, whatever the region and the blocks:
tile k starts at ``k * step``. So a run of a crop computes the same tiles as a
run of the whole. Frames of reference: *source px* counts from the source's
first pixel; *field px* and *target px* are source px times the factor of the
operation; target px count from the region's start.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from napari_s1omni.core.document import Document
from napari_s1omni.core.units import read_size

Span = tuple[int, int]
"""First and one past last index."""

Fit = Literal["auto", "tiles", "resize", "stretch"]
"""How small layers are shown to a model that was trained at one size; see :attr:`Tiling.fit`."""

ShardIndex = tuple[int, ...]
"""Position of a block along the axes of the target, which may lack some of (t, c, z, y, x)."""

_WIDEST = 8192
"""Largest size of an overview along y and along x, in px."""


class Tiling(Document):
    """Sizes of tiles and blocks; the plan chooses those that are left out, and notes it."""

    tile_size: int | None = Field(None, ge=1)
    """Edge of a tile in source px."""
    overlap: int | None = Field(None, ge=0)
    """Source pixels shared by two neighbouring tiles; the step is ``tile_size - overlap``."""
    block_size: int | None = Field(None, ge=1)
    """Edge of a block in source px; a block is computed, written and resumed as a whole."""
    depth: int | None = Field(None, ge=1)
    """Number of z planes per block."""
    halo: int | str | None = None
    """Margin around a block in which objects are segmented too, in source px or as a length such as ``20 um``; left
    out, two object diameters, so that an object at a block face is seen whole."""
    fit: Fit = "auto"
    """How small layers are shown to a model that was trained at one size. ``tiles``: at their own scale, reflected at
    the edge up to a whole tile. ``resize``: a layer, or plane of a stack, that is smaller than a tile is resampled to
    the model's size, its aspect kept, drawn, and brought back. ``stretch``: every plane is resampled to that size,
    its aspect lost, as the released model's own program does. ``auto``: ``resize`` if training resized small images."""

    @model_serializer(mode="wrap")
    def _as_before(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the fit where it is chosen, as in jobs that were written before there was one."""
        data: dict[str, Any] = serialize(self)
        return {name: value for name, value in data.items() if (name, value) != ("fit", "auto")}

    @field_validator("halo")
    @classmethod
    def _length(cls, value: int | str | None) -> int | str | None:
        if value is not None:
            read_size(value)
        return value


class BlockIndex(NamedTuple):
    """Position of a block in the grid of blocks, counted from the region's start."""

    t: int
    group: int
    """Channel group."""
    z: int
    y: int
    x: int


class TileIndex(NamedTuple):
    """Position of a tile in the lattice of the whole source."""

    row: int
    col: int


class TilePlace(NamedTuple):
    """One tile of a run: its place in the whole source, and its channel group."""

    t: int
    """Time point, in source px."""
    z: int
    """Plane, in source px."""
    group: int
    """Channel group."""
    row: int
    """Row in the lattice."""
    col: int
    """Column in the lattice."""

    @property
    def tile(self) -> TileIndex:
        """Row and column in the lattice."""
        return TileIndex(self.row, self.col)


@dataclass(frozen=True, slots=True)
class Tile:
    """One window of the model."""

    index: TileIndex
    """Row and column in the lattice of the whole source."""
    y: Span
    """Rows to read, in source px, within the source."""
    x: Span
    """Columns to read, in source px, within the source."""
    pad: tuple[int, int]
    """Rows and columns to add at the end by reflection at the source's edge."""


@dataclass(frozen=True, slots=True)
class Block:
    """Unit of lease, write and journal: one shard of the output."""

    index: BlockIndex
    """Position in the grid of blocks."""
    t: int
    """Time point, in source px."""
    group: int
    """Index of the channel group."""
    z: Span
    """Planes it writes, in source px."""
    y: Span
    """Rows it writes, in source px."""
    x: Span
    """Columns it writes, in source px."""
    field_z: Span
    """Planes over which fields are computed: `z` and the halo, in source px."""
    field_y: Span
    """Rows over which fields are joined: `y` and the halo, in source px."""
    field_x: Span
    """Columns over which fields are joined, in source px."""


@dataclass(frozen=True, slots=True)
class TileGrid:
    """All blocks and tiles of a run, derived from a few integers."""

    extent: tuple[int, int]
    """Rows and columns of the whole source, in px."""
    tile_size: int
    """Edge of a tile, in source px."""
    overlap: int
    """Pixels shared by two neighbouring tiles; at most half a tile."""
    block_size: int
    """Edge of a block, in source px; a multiple of the step."""
    depth: int
    """Planes in a block."""
    halo: int
    """Margin of a block over which labels are computed, in source px; 0 for images."""
    halo_z: int
    """Planes beyond a block over which labels are computed."""
    factor: tuple[int, int]
    """Target pixels per source pixel, along y and x."""
    planes: int
    """Planes of the whole source."""
    t: Span
    """Time points of the region."""
    groups: int
    """Channel groups that are run one after the other."""
    z: Span
    """Planes of the region."""
    y: Span
    """Rows of the region, to the pixel: tiles lie on the lattice whatever it is."""
    x: Span
    """Columns of the region, to the pixel."""

    @property
    def overview(self) -> tuple[Span, Span]:
        """Rows and columns that a thought about the whole layer sees: its middle, at most 8192 px each way.

        On a larger view objects would become too small, and the first tile would have to wait for all of it.
        """
        starts = [max(0, (n - _WIDEST) // 2) for n in self.extent]
        (top, left), (height, width) = starts, self.extent
        return (top, min(height, top + _WIDEST)), (left, min(width, left + _WIDEST))

    @property
    def step(self) -> int:
        """Distance of two neighbouring tiles, in source px."""
        return self.tile_size - self.overlap

    @property
    def lattice(self) -> tuple[int, int]:
        """Rows and columns of tiles over the whole source."""
        rows, cols = (lattice_size(size, self.tile_size, self.overlap) for size in self.extent)
        return rows, cols

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Blocks along (t, group, z, y, x)."""
        return (
            self.t[1] - self.t[0],
            self.groups,
            -(-(self.z[1] - self.z[0]) // self.depth),
            -(-(self.y[1] - self.y[0]) // self.block_size),
            -(-(self.x[1] - self.x[0]) // self.block_size),
        )

    def __len__(self) -> int:
        """Count the blocks."""
        return math.prod(self.shape)

    def __iter__(self) -> Iterator[Block]:
        """Yield the blocks in lexicographic order of their index."""
        return (self.block(index) for index in self.indices())

    def indices(self) -> Iterator[BlockIndex]:
        """Yield the block indices in lexicographic order."""
        return (BlockIndex(*index) for index in product(*map(range, self.shape)))

    def ravel(self, index: BlockIndex) -> int:
        """Number of a block in lexicographic order."""
        return int(np.ravel_multi_index(index, self.shape))

    def unravel(self, number: int) -> BlockIndex:
        """Index of a block from its number; inverse of :meth:`ravel`."""
        return BlockIndex(*map(int, np.unravel_index(number, self.shape)))

    def block(self, index: tuple[int, int, int, int, int]) -> Block:
        """Return the block at a position in the grid of blocks."""
        t, group, k, i, j = index
        z = _span(self.z, k, self.depth)
        y = _span(self.y, i, self.block_size)
        x = _span(self.x, j, self.block_size)
        rows, cols = self.extent
        return Block(
            index=BlockIndex(*index),
            t=self.t[0] + t,
            group=group,
            z=z,
            y=y,
            x=x,
            field_z=(max(0, z[0] - self.halo_z), min(self.planes, z[1] + self.halo_z)),
            field_y=(max(0, y[0] - self.halo), min(rows, y[1] + self.halo)),
            field_x=(max(0, x[0] - self.halo), min(cols, x[1] + self.halo)),
        )

    def tile(self, row: int, col: int) -> Tile:
        """Return the tile at a position in the lattice."""
        y, pad_y = self._reach(row, self.extent[0])
        x, pad_x = self._reach(col, self.extent[1])
        return Tile(TileIndex(row, col), y, x, (pad_y, pad_x))

    def tile_rows(self, span: Span) -> range:
        """Rows of the lattice whose tiles touch the rows `span` of the source."""
        return self._touching(span, self.lattice[0])

    def tile_cols(self, span: Span) -> range:
        """Columns of the lattice whose tiles touch the columns `span` of the source."""
        return self._touching(span, self.lattice[1])

    def starting_in(self, span: Span) -> range:
        """Rows or columns of the lattice whose tiles start in a span of the source; a block of n steps has n.

        Each has one value in the quality maps of the block. A region that starts between two steps also shows a part
        of the tile before; that one counts to the first.
        """
        return range(-(-span[0] // self.step), -(-span[1] // self.step))

    def tiles(self, block: Block) -> Iterator[Tile]:
        """Yield the tiles of one plane of a block, in lattice order."""
        for row in self.tile_rows(block.field_y):
            for col in self.tile_cols(block.field_x):
                yield self.tile(row, col)

    def read_box(self, block: Block) -> tuple[Span, Span]:
        """Rows and columns to read once for all tiles of a block, in source px."""
        rows, cols = self.tile_rows(block.field_y), self.tile_cols(block.field_x)
        first, last = self.tile(rows[0], cols[0]), self.tile(rows[-1], cols[-1])
        return (first.y[0], last.y[1]), (first.x[0], last.x[1])

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        names = self.__slots__
        return {n: list(v) if isinstance(v := getattr(self, n), tuple) else v for n in names}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_json`."""
        fields: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in data.items()}
        return cls(**fields)

    def _reach(self, k: int, size: int) -> tuple[Span, int]:
        start = k * self.step
        stop = min(start + self.tile_size, size)
        return (start, stop), start + self.tile_size - stop

    def _touching(self, span: Span, count: int) -> range:
        first = span[0] // self.step
        if span[0] % self.step < self.overlap:
            first -= 1
        return range(max(0, min(first, count - 1)), min(count - 1, (span[1] - 1) // self.step) + 1)


def lattice_size(size: int, tile_size: int, overlap: int) -> int:
    """Tiles needed along an axis of `size` px.

    The last one ends at the edge, or at least a quarter of the overlap beyond
    it, so that the reflected strip beyond the edge is never thinner than that.
    """
    count = max(1, -(-(size - overlap) // (tile_size - overlap)))
    beyond = (count - 1) * (tile_size - overlap) + tile_size - size
    return count + (0 < beyond < overlap // 4)


def _span(region: Span, k: int, edge: int) -> Span:
    start = region[0] + k * edge
    return start, min(region[1], start + edge)
