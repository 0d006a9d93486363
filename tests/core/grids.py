"""Hypothesis strategies for grids, and a walk that joins any function of pixels."""

import numpy as np
from hypothesis import strategies as st

from napari_s1omni.core.tiling import TileGrid
from napari_s1omni.joining.blending import Join, cut_tile


@st.composite
def grids(draw, largest=90, halo=st.integers(0, 12)):
    tile = draw(st.integers(4, 24))
    overlap = draw(st.integers(0, tile // 2))
    step = tile - overlap
    extent = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    spans = []
    for size in extent:
        start = draw(st.integers(0, size - 1))
        stop = draw(st.integers(start + 1, size))
        spans.append((start, stop))
    return TileGrid(
        extent=extent,
        tile_size=tile,
        overlap=overlap,
        block_size=step * draw(st.integers(1, 4)),
        depth=1,
        halo=draw(halo),
        halo_z=0,
        factor=(draw(st.sampled_from([1, 2])), draw(st.sampled_from([1, 2]))),
        planes=1,
        t=(0, 1),
        groups=1,
        z=(0, 1),
        y=spans[0],
        x=spans[1],
    )


def run_grid(grid, image, model, order=None):
    """Join ``model(tile)`` over every block and write each block's core."""
    fy, fx = grid.factor
    height, width = (grid.y[1] - grid.y[0]) * fy, (grid.x[1] - grid.x[0]) * fx
    out = np.full((len(image), height, width), np.nan, np.float32)
    blocks = list(grid)
    for i in order or range(len(blocks)):
        block = blocks[i]
        y, x = grid.read_box(block)
        pixels = image[:, slice(*y), slice(*x)]
        join = Join(grid, block, len(image))
        for tile in grid.tiles(block):
            join.add(tile, model(cut_tile(pixels, (y[0], x[0]), tile)))
        fields = join.result()
        top, left = (block.y[0] - block.field_y[0]) * fy, (block.x[0] - block.field_x[0]) * fx
        h, w = (block.y[1] - block.y[0]) * fy, (block.x[1] - block.x[0]) * fx
        at = (block.y[0] - grid.y[0]) * fy, (block.x[0] - grid.x[0]) * fx
        target = out[:, at[0] : at[0] + h, at[1] : at[1] + w]
        assert np.isnan(target).all(), "a voxel was written twice"
        target[:] = fields[:, top : top + h, left : left + w]
    return out
