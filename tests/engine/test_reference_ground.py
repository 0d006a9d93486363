"""The background: one level if it is even, else found around each pixel."""

import time

import numpy as np
import pytest
from scipy import ndimage as ndi

from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.reference import segmentation
from napari_s1omni.engine.reference.ground import find_ground
from napari_s1omni.engine.reference.measurement import measure_tile
from napari_s1omni.engine.reference.steps import Steps
from napari_s1omni.errors import ThoughtError

Y, X = np.mgrid[:128, :128]


def field(shading):
    plane = 0.1 + shading * X / 128
    for y, x in ((30, 30), (30, 90), (90, 40), (95, 100)):
        plane = plane + 0.4 * (np.hypot(Y - y, X - x) < 10)
    return np.repeat(plane[None].astype(np.float32), 3, axis=0)


def steps_of(image, **changed):
    steps = segmentation.choose_steps(
        image, measure_tile(image), Instruction.read("Task: segmentation\n\nsegment the nuclei")
    )
    read = Steps.read("\n".join(f"- {name}: {value}" for name, value in steps.items())).values
    return Steps({**read, **changed})


def test_an_even_background_is_one_level_so_a_crop_is_drawn_like_the_whole():
    image = field(shading=0.0)
    steps = steps_of(image)
    assert steps.number("ground", 0, 1) == pytest.approx(0.1, abs=0.02)
    whole = segmentation.draw(image, steps, (128, 128))
    part = segmentation.draw(np.ascontiguousarray(image[:, :64]), steps, (64, 128))
    np.testing.assert_allclose(part[0, :50], whole[0, :50], atol=1e-3)


def test_a_sloping_background_is_found_around_each_pixel():
    image = field(shading=0.5)
    steps = steps_of(image)
    assert steps.text("ground") == "local"
    foreground = segmentation.draw(image, steps, (128, 128))[0] >= 0.5
    assert foreground[95, 100]
    assert foreground.mean() == pytest.approx(4 * np.pi * 100 / 128**2, rel=0.3)


def test_the_stated_background_is_used():
    image = field(shading=0.0)
    assert not segmentation.draw(image, steps_of(image, ground="0.6"), (128, 128)).any()
    with pytest.raises(ThoughtError, match="ground"):
        segmentation.draw(image, steps_of(image, ground="flat"), (128, 128))


def test_a_size_beyond_the_image_costs_no_more_than_others():
    rng = np.random.default_rng(0)
    plane = ndi.gaussian_filter(rng.random((700, 650)), 20).astype(np.float32)
    plane = (plane - plane.min()) / np.ptp(plane)

    def ground(window):
        started = time.thread_time()
        found = find_ground(plane, Steps({"ground": "around", "ground window": f"{window} px"}))
        return found, time.thread_time() - started

    # At a sigma of 128 px, the smoothing begins to be done on fewer pixels.
    exact, seconds = ground(383)
    coarse, _ = ground(384)
    assert coarse.shape == exact.shape == plane.shape
    assert np.abs(coarse - exact).max() < 0.02
    assert ground(6000)[1] < 3 * seconds + 0.5
