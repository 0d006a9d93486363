"""Views of a layer: where they lie, what they read, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from napari_s1omni.asking.view import PixelBox
from napari_s1omni.asking.viewer import ViewBudget, Viewer
from napari_s1omni.errors import ViewError
from napari_s1omni.storage.source import open_source


class Needle:
    """A level of a huge image that is computed where it is read; counts its pixels."""

    dtype = np.dtype("uint16")

    def __init__(self, size, factor):
        self.shape, self.factor, self.read = (size // factor,) * 2, factor, 0

    def __getitem__(self, box):
        rows, cols = (np.arange(*s.indices(n)) * self.factor for s, n in zip(box, self.shape, strict=True))
        self.read += len(rows) * len(cols)
        inside = (abs(rows[:, None] - 13_000) < 6) & (abs(cols - 7_000) < 6)
        return np.where(inside, 4000, 100 + (rows[:, None] + cols) // 400).astype(np.uint16)


@pytest.fixture
def pyramid():
    return [Needle(20_000, factor) for factor in (1, 2, 4, 8, 16, 32)]


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 1000, (300, 400), np.uint16)


def test_a_view_reads_the_level_that_is_just_sharp_enough(pyramid):
    viewer = Viewer(open_source(pyramid, axes="yx"))
    assert viewer.view(size=1024).record.level == 5
    near = viewer.view((12_800, 6_800, 13_200, 7_200), size=512)
    assert (near.record.level, near.pixels.shape) == (0, (400, 400, 3))
    row, col = np.argwhere(near.pixels[..., 0] == 255).mean(0)
    assert near.to_layer(row, col) == (13_000, 7_000)
    assert sum(level.read for level in pyramid) < 0.01 * 20_000**2


def test_places_of_coarse_views_lie_where_they_belong(pyramid):
    viewer = Viewer(open_source(pyramid, axes="yx"))
    picture = viewer.view((8_000, 4_000, 16_000, 12_000), size=500)
    assert picture.record.step == (16, 16)
    y, x = picture.to_layer(0, 0)
    assert (y, x) == (8_007.5, 4_007.5)


def test_without_a_pyramid_pixels_are_averaged(image):
    picture = Viewer(open_source(image)).view(size=100, contrast=(0, 1000))
    mean = image.reshape(75, 4, 100, 4).mean((1, 3))
    assert picture.record.step == (4, 4)
    assert np.abs(picture.pixels[..., 0] / 255 * 1000 - mean).max() < 1000 / 255


def test_a_part_that_ends_within_a_square_is_averaged_over_what_there_is():
    image = np.full((33, 50), 700, np.uint16)
    picture = Viewer(open_source(image)).view(size=16, contrast=(0, 1400))
    assert len(np.unique(picture.pixels)) == 1


def test_contrast_is_that_of_the_plane_and_stated(image):
    viewer = Viewer(open_source(image))
    whole, part = viewer.view(), viewer.view((0, 0, 20, 20))
    assert whole.record.windows == part.record.windows
    assert "channel 0 from 4 to 995" in part.record.caption()


def test_colours_of_a_picture_are_kept():
    colours = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)
    picture = Viewer(open_source(colours)).view()
    np.testing.assert_array_equal(picture.pixels, colours)


def test_channels_are_chosen_and_coloured():
    stack = np.zeros((3, 16, 16), np.uint8)
    stack[2] = 200
    viewer = Viewer(open_source(stack, axes="cyx"))
    picture = viewer.view(channels=(2,), contrast=(0, 255))
    assert set(np.unique(picture.pixels)) == {200}
    assert picture.record.channels == (2,)


def test_a_region_is_the_stored_pixels(image):
    viewer = Viewer(open_source(image))
    np.testing.assert_array_equal(viewer.region(10, 20, 64, 64), image[10:74, 20:84])
    assert viewer.pixels_read == 64 * 64


def test_only_the_allowed_part_is_seen(image):
    viewer = Viewer(open_source(image), box=PixelBox(100, 100, 200, 200))
    assert viewer.view().record.box == (100, 100, 200, 200)
    with pytest.raises(ViewError, match="Whole numbers from 100 to 199"):
        viewer.view((50, 100, 150, 150))
    with pytest.raises(ViewError, match="Whole numbers from 100 to 199"):
        viewer.region(0, 100, 5, 5)


@pytest.mark.parametrize(
    "asked",
    [
        {"box": (-1, 0, 10, 10)},
        {"box": (0, 0, 10, 10**9)},
        {"box": (0.0, 0, 10, 10)},
        {"box": (True, 0, 10, 10)},
        {"box": (10, 10, 10, 20)},
        {"box": (0, 0, 10)},
        {"level": 1},
        {"z": 3},
        {"channels": (0, 0)},
        {"channels": (5,)},
        {"contrast": (5, 5)},
        {"contrast": (0, float("nan"))},
        {"contrast": "bright"},
        {"size": 10**6},
    ],
    ids=str,
)
def test_what_is_not_allowed_is_refused_with_what_is(image, asked):
    viewer = Viewer(open_source(image))
    with pytest.raises(ViewError) as refused:
        viewer.view(**asked)
    assert refused.value.allowed
    assert viewer.pixels_read == 0


def test_reading_ends_with_the_budget(image):
    viewer = Viewer(open_source(image), ViewBudget(views=2, pixels=300 * 400 * 2 + 100))
    viewer.view()
    with pytest.raises(ViewError, match=r"0\.0001 million are left"):
        viewer.region(0, 0, 20, 20)
    viewer.region(0, 0, 5, 5)
    viewer.view((0, 0, 5, 5))
    with pytest.raises(ViewError, match="2 in all were allowed"):
        viewer.view((0, 0, 5, 5))


def test_the_same_view_has_the_same_digest(image):
    records = [Viewer(open_source(image)).view((3, 4, 90, 95)).record for _ in range(2)]
    assert records[0] == records[1]
    assert records[0].to_json()["box"] == [3, 4, 90, 95]


def test_a_part_of_a_picture_is_named_in_thousandths(image):
    viewer = Viewer(open_source(image))
    viewer.view((100, 200, 200, 400))
    assert viewer.part_of(None, (500, 0, 1000, 500)) == (100, 300, 150, 400)
    for name, rel in (("view 7", (0, 0, 10, 10)), (None, (0, 0, 1001, 10)), (None, (5, 5, 5, 9)), (None, "x")):
        with pytest.raises(ViewError):
            viewer.part_of(name, rel)
