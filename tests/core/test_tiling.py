import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.core.tiling import TileGrid, lattice_size
from napari_s1omni.joining.blending import Join, ramp

sys.path.insert(0, str(Path(__file__).parent))
from grids import grids, run_grid


def nearest(grid):
    return lambda tile: np.repeat(np.repeat(tile, grid.factor[0], 1), grid.factor[1], 2)


@given(grids())
@settings(max_examples=150, deadline=None)
def test_every_voxel_is_written_exactly_once(grid):
    image = np.random.default_rng(0).random((1, *grid.extent), np.float32)
    out = run_grid(grid, image, nearest(grid))
    assert not np.isnan(out).any()


@given(grids())
@settings(max_examples=150, deadline=None)
def test_tiles_have_one_size_and_lie_on_the_lattice_of_the_whole_source(grid):
    for block in grid:
        for tile in grid.tiles(block):
            assert tile.y[0] == tile.index[0] * grid.step
            assert tile.x[0] == tile.index[1] * grid.step
            assert tile.y[1] - tile.y[0] + tile.pad[0] == grid.tile_size
            assert tile.x[1] - tile.x[0] + tile.pad[1] == grid.tile_size
            assert tile.y[1] <= grid.extent[0]
            assert tile.pad[0] == 0 or tile.y[1] == grid.extent[0], "reflection only at the source's own edge"
            assert tile.pad[1] == 0 or tile.x[1] == grid.extent[1]


@given(grids(halo=st.just(0)))
@settings(max_examples=100, deadline=None)
def test_every_interior_px_has_full_context_in_some_tile(grid):
    """Each px lies at least half the overlap inside of one tile, unless the source ends there."""
    half = grid.overlap // 2
    for axis, size in enumerate(grid.extent):
        tiles = [(k * grid.step, k * grid.step + grid.tile_size) for k in range(grid.lattice[axis])]
        for px in range(size):
            assert any(
                (start + half <= px or start == 0) and (px < stop - half or stop >= size) for start, stop in tiles
            )


@given(grids())
@settings(max_examples=100, deadline=None)
def test_identity_engine_is_exact_across_seams(grid):
    rng = np.random.default_rng(1)
    image = rng.normal(0, 1e4, (2, *grid.extent)).astype(np.float32)
    out = run_grid(grid, image, nearest(grid))
    whole = nearest(grid)(image)
    fy, fx = grid.factor
    np.testing.assert_array_equal(out, whole[:, grid.y[0] * fy : grid.y[1] * fy, grid.x[0] * fx : grid.x[1] * fx])


@given(grids())
@settings(max_examples=60, deadline=None)
def test_shuffled_blocks_give_the_same_bytes_even_where_tiles_disagree(grid):
    image = np.random.default_rng(2).random((1, *grid.extent), np.float32)

    def model(tile):  # its answer depends on the whole tile, so neighbours disagree in the overlap
        return nearest(grid)(tile - tile.mean() + tile.std())

    order = np.random.default_rng(3).permutation(len(grid)).tolist()
    assert run_grid(grid, image, model).tobytes() == run_grid(grid, image, model, order).tobytes()


@given(grids())
@settings(max_examples=25, deadline=None)
def test_a_crops_run_is_the_crop_of_the_whole_run(grid):
    image = np.random.default_rng(4).random((1, *grid.extent), np.float32)

    def model(tile):
        return nearest(grid)(tile - tile.mean() + tile.std())

    whole = dataclasses.replace(grid, y=(0, grid.extent[0]), x=(0, grid.extent[1]))
    fy, fx = grid.factor
    crop = run_grid(whole, image, model)[:, grid.y[0] * fy : grid.y[1] * fy, grid.x[0] * fx : grid.x[1] * fx]
    assert run_grid(grid, image, model).tobytes() == np.ascontiguousarray(crop).tobytes()


@pytest.mark.parametrize("overlap", [16, 32])
def test_convolution_with_a_receptive_field_inside_the_overlap_equals_the_whole_image(overlap):
    from scipy.ndimage import uniform_filter

    grid = TileGrid(
        (217, 301), 64, overlap, 2 * (64 - overlap), 1, 0, 0, (1, 1), 1, (0, 1), 1, (0, 1), (0, 217), (0, 301)
    )
    image = np.random.default_rng(5).random((1, 217, 301)).astype(np.float32)
    size = overlap // 2 + 1  # radius: a quarter of the overlap

    def model(tile):
        return uniform_filter(tile.astype(np.float64), (0, size, size), mode="mirror").astype(np.float32)

    assert len(grid) >= 12
    np.testing.assert_allclose(run_grid(grid, image, model), model(image), rtol=0, atol=1e-6)


@pytest.mark.parametrize("length", [1, 2, 7, 64])
def test_ramps_of_neighbours_sum_to_one(length):
    w = ramp(length)
    np.testing.assert_allclose(w + w[::-1], 1, atol=1e-6)
    assert (np.diff(w) >= 0).all()
    assert (w[: length // 4] == 0).all()


def test_lattice_covers_and_does_not_waste():
    for size in range(1, 80):
        n = lattice_size(size, 16, 6)
        assert (n - 1) * 10 + 16 >= size
        end = (n - 2) * 10 + 16  # of the last but one
        assert n == 1 or end < size or 0 < end - size < 6 // 4


def test_join_refuses_a_wrong_order():
    grid = TileGrid((40, 40), 16, 4, 24, 1, 0, 0, (1, 1), 1, (0, 1), 1, (0, 1), (0, 40), (0, 40))
    join = Join(grid, grid.block((0, 0, 0, 1, 1)), 1)
    with pytest.raises(ValueError, match="lattice order"):
        join.add(grid.tile(2, 2), np.zeros((1, 16, 16), np.float32))


def test_grid_survives_json():
    grid = TileGrid((40, 40), 16, 4, 24, 1, 3, 0, (2, 2), 1, (0, 1), 1, (0, 1), (0, 40), (0, 40))
    assert TileGrid.from_json(grid.to_json()) == grid
