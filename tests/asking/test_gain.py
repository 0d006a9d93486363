"""What counts as new in a picture: eight built cases, for which neither energy nor share would do alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from napari_s1omni.asking.gain import visual_gain
from napari_s1omni.asking.view import PixelBox
from napari_s1omni.asking.viewer import Viewer
from napari_s1omni.storage.source import open_source

EMPTY, OBJECTS = PixelBox(1200, 1200, 1712, 1712), PixelBox(200, 200, 712, 712)


def layer():
    """Small bright objects at the upper left, faint stripes at the upper right, nothing but noise below."""
    rng = np.random.default_rng(3)
    image = np.zeros((2048, 2048), np.float32)
    places = rng.integers(40, 1000, (6000, 2))
    image[tuple(places.T)] = 1
    image = ndi.gaussian_filter(image, 1.2) * 90_000
    image[:1000, 1100:2000] += 6 * np.sin(np.arange(900) * 0.6)
    return (1000 + image + rng.normal(0, 2, image.shape)).clip(0, 60_000).astype(np.uint16)


@pytest.fixture(scope="module")
def viewer():
    return Viewer(open_source(layer()))


@pytest.fixture(scope="module")
def overview(viewer):
    return viewer.view(size=512)


def test_the_first_picture_is_all_new(overview):
    assert visual_gain(overview, []).counts


def test_the_same_again_is_not(viewer, overview):
    gain = visual_gain(viewer.view(size=512), [overview])
    assert (gain.energy, gain.share) == (0, 0)


def test_a_crop_with_all_its_pixels_is(viewer, overview):
    assert visual_gain(viewer.view(OBJECTS), [overview]).counts


def test_the_crop_enlarged_is_not(viewer, overview):
    crop = viewer.view(OBJECTS)
    part = viewer.view((300, 300, 556, 556))
    assert not visual_gain(part, [overview, crop]).counts


def test_the_crop_in_another_contrast_is_not(viewer, overview):
    crop = viewer.view(OBJECTS, contrast=(900, 2500))
    assert not visual_gain(viewer.view(OBJECTS, contrast=(850, 2800)), [overview, crop]).counts


@pytest.mark.parametrize("contrast", [None, (990, 1010)], ids=["as shown", "stretched"])
def test_noise_is_not(viewer, overview, contrast):
    gain = visual_gain(viewer.view(EMPTY, contrast=contrast), [overview])
    assert not gain.counts


def test_stripes_too_faint_to_be_seen_are_not(viewer, overview):
    assert not visual_gain(viewer.view((100, 1200, 612, 1712), contrast=(0, 6000)), [overview]).counts


def test_the_same_stripes_stretched_are(viewer, overview):
    assert visual_gain(viewer.view((100, 1200, 612, 1712), contrast=(980, 1020)), [overview]).counts


def test_another_plane_is_not_predicted_by_this_one():
    stack = np.stack([layer()[:512, :512], np.rot90(layer()[:512, :512])])
    viewer = Viewer(open_source(stack, axes="zyx"))
    first = viewer.view(z=0)
    assert visual_gain(viewer.view(z=1), [first]).counts
