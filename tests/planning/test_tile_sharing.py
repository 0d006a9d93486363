"""Which blocks need a tile, and for which of them it counts."""

from collections import Counter, defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.core.tiling import TileGrid, TilePlace
from napari_s1omni.planning.tile_sharing import TileSharing


@st.composite
def grids(draw):
    tile = draw(st.integers(8, 40))
    overlap = draw(st.integers(0, tile // 2))
    size = draw(st.tuples(st.integers(5, 90), st.integers(5, 90)))
    planes = draw(st.integers(1, 5))

    def span(n):
        start = draw(st.integers(0, n - 1))
        return start, draw(st.integers(start + 1, n))

    return TileGrid(
        extent=size,
        tile_size=tile,
        overlap=overlap,
        block_size=draw(st.integers(1, 4)) * (tile - overlap),
        depth=draw(st.integers(1, 4)),
        halo=draw(st.integers(0, 20)),
        halo_z=draw(st.integers(0, 2)),
        factor=(1, 1),
        planes=planes,
        t=(0, draw(st.integers(1, 2))),
        groups=draw(st.integers(1, 2)),
        z=span(planes),
        y=span(size[0]),
        x=span(size[1]),
    )


@settings(max_examples=40, deadline=None)
@given(grids(), st.integers(0, 2**30))
def test_every_tile_counts_for_one_of_the_blocks_that_need_it(grid, excluded):
    def excludes(block):
        return len(grid) > 1 and bool(excluded >> grid.ravel(block.index) % 30 & 1)

    sharing = TileSharing(grid, excludes)
    needed = defaultdict(list)
    counted, elsewhere = Counter(), Counter()
    for block in grid:
        for z in range(*block.field_z):
            for tile in grid.tiles(block):
                needed[TilePlace(block.t, z, block.group, *tile.index)].append(block)
    for place, blocks in needed.items():
        assert list(sharing.blocks(place)) == [block.index for block in blocks]
        assert sharing.is_shared(place) == (len(blocks) > 1)
        owner = sharing.owner(place)
        counted[owner] += 1
        drawing = [block for block in blocks if not excludes(block)]
        assert owner == (drawing or blocks)[0].index
        for block in blocks:
            elsewhere[block.index] += block.index != owner
    for block in grid:
        shared = set(sharing.of_block(block))
        assert shared == {place for place, blocks in needed.items() if len(blocks) > 1 and block in blocks}
        assert sharing.counted_elsewhere(block) == elsewhere[block.index]
    assert sum(counted.values()) == len(needed)


@given(grids())
@settings(max_examples=20, deadline=None)
def test_a_tile_outside_of_the_run_has_no_blocks(grid):
    sharing = TileSharing(grid)
    for place in (
        TilePlace(0, 0, 0, 999, 999),
        TilePlace(9, 0, 0, 0, 0),
        TilePlace(0, 0, 9, 0, 0),
        TilePlace(0, 99, 0, 0, 0),
    ):
        assert list(sharing.blocks(place)) == []
