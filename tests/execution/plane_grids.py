"""Grids of one plane, without halos, for tests of what goes through their blocks."""

from napari_s1omni.core.tiling import TileGrid


def plane(extent, overlap, block_size):
    height, width = extent
    return TileGrid(
        extent=extent,
        tile_size=64,
        overlap=overlap,
        block_size=block_size,
        depth=1,
        halo=0,
        halo_z=0,
        factor=(1, 1),
        planes=1,
        t=(0, 1),
        groups=1,
        z=(0, 1),
        y=(0, height),
        x=(0, width),
    )
