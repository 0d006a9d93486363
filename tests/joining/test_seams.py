import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_s1omni.core.tiling import TileGrid
from napari_s1omni.joining.seams import seam_score, tile_scores


@pytest.fixture
def texture():
    return gaussian_filter(np.random.default_rng(0).random((1, 400, 400)), (0, 2, 2)).astype(np.float32)


def test_an_image_without_seams_scores_one(texture):
    assert seam_score(texture, list(range(50, 400, 50)), list(range(50, 400, 50))) == pytest.approx(1, abs=0.05)


def test_a_step_along_the_lattice_is_seen_and_grows(texture):
    scores = []
    for height in (0.0, 0.01, 0.05):
        stepped = texture + height * (np.arange(400) // 100 % 2).astype(np.float32)
        scores.append(seam_score(stepped, [], [100, 200, 300]))
    assert scores[0] == pytest.approx(1, abs=0.1)
    assert scores[0] < scores[1] < scores[2]
    assert scores[2] > 2


def test_nothing_to_score():
    assert seam_score(np.zeros((1, 9, 9), np.float32), [3], [3]) is None
    assert seam_score(np.ones((1, 9, 9), np.float32), [], []) is None


def test_the_tile_beside_a_seam_is_named(texture):
    grid = TileGrid((400, 400), 120, 20, 200, 1, 0, 0, (1, 1), 1, (0, 1), 1, (0, 1), (0, 400), (0, 400))
    stepped = texture.copy()
    stepped[:, :, 210:] += 0.3  # the join of column 2, whose shared px are 200 to 220
    block = grid.block((0, 0, 0, 0, 1))
    found = tile_scores(stepped[:, 0:200, 200:400], grid, block)
    assert min(found[0, 2], found[1, 2]) > 3
    assert found[1, 3] < 1.5
