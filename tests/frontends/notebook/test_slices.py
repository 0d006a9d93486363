"""Pictures of a view: right position, right pixels, small, and read quickly."""

import io
import time

import numpy as np
import pytest
from PIL import Image
from stored_layers import store_layer

import napari_s1omni
from napari_s1omni.frontends.notebook.form_fields import form_fields, read_value
from napari_s1omni.frontends.notebook.slices import ResultSlices, SourceSlices
from napari_s1omni.frontends.notebook.view import HEIGHT, WIDTH, View
from napari_s1omni.operations import Segmentation
from napari_s1omni.storage.source import open_source

HUGE = "synthetic://nuclei?shape=800,8192,8192&axes=zyx&seed=7&diameter=24"


def pixels(seen) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(seen.png)))


def test_first_pixels_of_a_huge_image():
    open_source(HUGE)
    seconds = []
    for _ in range(3):
        started = time.process_time()
        slices = SourceSlices(open_source(HUGE))
        seen = slices.render(slices.initial_view())
        seconds.append(time.process_time() - started)
    assert slices.spec.nbytes > 100e9
    assert pixels(seen).shape == (HEIGHT, WIDTH)
    # CPU time of this process, so that other work on the machine does not fail the test.
    assert min(seconds) < 1.0


def test_the_largest_view_is_small():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    slices = SourceSlices(open_source(noise, axes="yxs"))
    seen = slices.render(slices.initial_view())
    # Source and result, both with incompressible colours.
    assert 2 * len(seen.png) < 2_000_000
    np.testing.assert_array_equal(pixels(seen), noise)


def test_shows_the_pixels_of_the_view():
    ramp = np.arange(3 * 40 * 60, dtype=np.uint16).reshape(3, 40, 60)
    slices = SourceSlices(open_source(ramp, axes="zyx"))
    seen = slices.render(slices.clamp(View(20, 30, 32, width=320, height=160, z=2, low=0, high=255 * 64)))
    assert (seen.y, seen.x) == ((17, 23), (25, 35))
    np.testing.assert_array_equal(pixels(seen), (ramp[2, 17:23, 25:35] / 64).astype(np.uint8))


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"y": -1e9, "x": 1e9, "z": 99, "zoom": 1e-30},
        {"zoom": float("nan")},
        {"zoom": 1e9, "width": 1, "height": 9e9},
    ],
    ids=["empty", "outside", "nan", "beyond"],
)
def test_an_invalid_view_shows_something(message):
    slices = SourceSlices(open_source(np.ones((4, 30, 30), np.float32), axes="zyx"))
    view = slices.clamp(View.read(message))
    assert 0 <= view.z < 4
    assert pixels(slices.render(view)).size


def test_coarse_levels_are_used(tmp_path):
    path = store_layer(open_source("synthetic://nuclei?shape=2048,2048&seed=1"), tmp_path / "image.zarr")
    source = open_source(path)
    slices = SourceSlices(source)
    view = slices.initial_view()
    assert (view.zoom, view.y, view.x) == (HEIGHT / 2048, 1024, 1024)
    seen = slices.render(view)
    if source.levels():
        assert seen.y == (0, 2048)
        assert slices._level(view.zoom) > 0
    assert max(pixels(seen).shape) <= WIDTH


def test_objects_lie_over_their_pixels(tmp_path):
    result = napari_s1omni.segment(
        "synthetic://nuclei?shape=256,256&seed=3&diameter=24", tmp_path / "out.zarr", engine="reference", tile_size=64,
        overlap=16, region={"y": [96, 192], "x": [96, 240]},
    )  # fmt: skip
    made = ResultSlices(result.plan, [result.array[...]])
    seen = made.render(View(128, 128, 1, width=256, height=256))
    grid = result.plan.grid
    assert (seen.y, seen.x) == (grid.y, grid.x)
    picture = pixels(seen)
    labels = result.array[...].squeeze()
    np.testing.assert_array_equal(picture[..., 3] > 0, labels > 0)
    assert made.render(View(10, 10, 8, width=64, height=64)) is None
    assert made.render(View(128, 128, 1, z=1)) is None


def test_the_form_has_the_fields_of_the_models():
    form = {field["path"]: field for field in form_fields({"operation": {"type": "segmentation", "prompt": "cells"}})}
    own = {f"operation.{name}" for name in Segmentation.model_fields}
    assert own <= set(form)
    assert form["operation.prompt"]["value"] == "cells"
    assert form["sampling.seed"]["kind"] == "integer"
    assert form["sampling.temperature"]["max"] == 2
    assert [c["value"] for c in form["sampling.think"]["choices"]] == ["per_tile", "per_region", "once", "off"]
    assert form["tiling.tile_size"]["optional"]
    assert all(field["help"] for field in form.values())
    assert {field["kind"] for field in form.values()} <= {"text", "number", "integer", "boolean", "choice", "list"}
    factor = {f["path"]: f for f in form_fields({"operation": {"type": "super_resolution"}})}["operation.factor"]
    assert read_value(factor, "4") == 4
    assert read_value(factor, "2") is None
    assert read_value({**factor, "kind": "list"}, "0, DAPI") == [0, "DAPI"]
