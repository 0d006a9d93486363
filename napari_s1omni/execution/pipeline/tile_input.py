"""One tile as the engine sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Block, Tile, TilePlace


@dataclass(frozen=True, slots=True)
class TileInput:
    """A tile that is to be generated: its place and its pixels."""

    tile: Tile
    block: Block
    """The block for which it is generated."""
    z: int
    """Plane, in source px."""
    image: NDArray[np.float32]
    """float32 (3, h, w), model range: what the engine sees, which is tile_size px each way unless the plan fits the
    layer to another size; a single pixel if the tile is not generated."""
    outside: bool = False
    """Whether it lies beside the job's region; then it is neither read nor generated."""
    unknown: NDArray[np.bool_] | None = None
    """Source pixels that have no result whatever is generated, background in labels and NaN in images: (1 or
    channels, tile_size, tile_size); None if there are none."""

    @property
    def t(self) -> int:
        """Time point, in source px."""
        return self.block.t

    @property
    def group(self) -> int:
        """Channel group."""
        return self.block.group

    @property
    def place(self) -> TilePlace:
        """Which tile of the run it is, independent of the block."""
        return TilePlace(self.block.t, self.z, self.block.group, *self.tile.index)
