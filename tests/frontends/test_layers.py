"""Every napari layer finds its source, and every result lies over its source."""

import dataclasses
import time

import numpy as np
import pytest
import tifffile
from stored_layers import store_layer
from surface import Image

from napari_s1omni.frontends.napari_layers.layer_source import locate_source
from napari_s1omni.frontends.napari_layers.layer_transforms import result_transform
from napari_s1omni.frontends.napari_layers.layer_view import read_layer
from napari_s1omni.frontends.napari_layers.reader import get_reader
from napari_s1omni.frontends.napari_layers.result_layers import appearance, display_axes, layer_name
from napari_s1omni.frontends.napari_layers.sample_data import volume
from napari_s1omni.frontends.napari_layers.source_layers import source_layer
from napari_s1omni.frontends.views.live_pyramid import LivePyramid
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.planning.job import Job, SourceRef
from napari_s1omni.storage.source import open_source


def planned(layer, operation, others=(), **job):
    located = locate_source(read_layer(layer, others))
    document = {"source": located.ref.model_dump(), "engine": "reference", "operation": operation, **job}
    if located.channel is not None:
        document["operation"] = {**operation, "channels": [located.channel]}
    return located, prepare(Job.read(document), located.array, memory=2**40).plan


def world(options, index):
    """World position of a px of a layer with these options, without its affine."""
    n = len(options["scale"])
    shear = np.eye(n)
    shear[np.triu_indices(n, 1)] = options["shear"]
    return np.array(options["rotate"]) @ shear @ (np.array(options["scale"]) * index) + np.array(options["translate"])


def test_a_file_is_named_and_pixels_in_memory_are_not(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    assert locate_source(read_layer(Image(pixels, path=str(tmp_path / "a.tif")))).array is None
    assert locate_source(read_layer(Image(pixels))).array is pixels
    # A layer that is not what the file holds works on its own px.
    assert locate_source(read_layer(Image(pixels[:20], path=str(tmp_path / "a.tif")))).array is not None
    assert locate_source(read_layer(Image(pixels, path=str(tmp_path / "gone.tif")))).array is not None


def test_channels_that_a_reader_split_are_channels_of_one_store(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (3, 40, 50), np.uint8)
    path = store_layer(open_source(pixels, axes="cyx"), tmp_path / "c.zarr")
    layers = [Image(pixels[c], name=f"part {c}", path=str(path)) for c in range(3)]
    for c, layer in enumerate(layers):
        located, plan = planned(layer, {"type": "segmentation"}, layers)
        assert located.channel == c
        assert plan.groups == ((c,),)
        assert display_axes(located, plan.target).axes == "yx"


def test_channels_of_one_name_are_told_apart_by_their_layers(tmp_path):
    pixels, names = np.random.default_rng(0).integers(0, 255, (3, 40, 50), np.uint8), ["DAPI", "CD3", "DAPI"]
    path = tmp_path / "c.ome.tif"
    tifffile.imwrite(path, pixels, metadata={"axes": "CYX", "Channel": {"Name": names}})
    layers = [Image(pixels[c], name=name, path=str(path)) for c, name in enumerate(names)]
    assert [locate_source(read_layer(layer, layers)).channel for layer in layers] == [0, 1, 2]
    # A name that only one channel has counts more than the position of the layer.
    assert locate_source(read_layer(layers[1], layers[1:])).channel == 1


@pytest.mark.parametrize(("kind", "factor"), [("segmentation", 1), ("super_resolution", 2)])
def test_results_lie_where_their_source_lies(kind, factor):
    angle = np.deg2rad(30)
    rotate = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    layer = Image(
        np.random.default_rng(0).random((600, 500)),
        scale=(0.5, 0.25),
        translate=(10, -3),
        rotate=rotate,
        shear=(0.2,),
        units=("micrometer", "micrometer"),
        axis_labels=("y", "x"),
    )
    region = {"type": "box", "y": [192, 400], "x": [192, 384]}
    located, plan = planned(layer, {"type": kind}, region=region)
    show = display_axes(located, plan.target)
    options = result_transform(located, plan, show)
    source = {"scale": layer.scale, "translate": layer.translate, "rotate": layer.rotate, "shear": layer.shear}
    grid = plan.grid
    corner = np.array([grid.y[0], grid.x[0]])
    # The centre of the source's first px of the region, in px of the result.
    centre = np.full(2, (factor - 1) / 2)
    assert np.allclose(world(options, centre), world(source, corner))
    assert np.allclose(world(options, centre + factor * 7), world(source, corner + 7))
    assert options["units"] == ("micrometer", "micrometer")
    assert options["axis_labels"] == ("y", "x")


def test_dimensions_stay_where_they_are():
    pixels = np.random.default_rng(0).integers(0, 255, (2, 3, 4, 40, 50), np.uint8)
    located, plan = planned(Image(pixels, axis_labels=tuple("tczyx")), {"type": "segmentation", "channels": [1]})
    show = display_axes(located, plan.target)
    assert show.axes == "tczyx"
    assert show.sizes == (0, 3, 0, 0, 0)
    levels = LivePyramid(plan, located.view.path or __file__, show)
    assert [np.shape(a) for a in levels.data] == [(2, 3, 4, 40, 50)]
    options = result_transform(located, plan, show)
    assert all(len(options[k]) == 5 for k in ("scale", "translate", "units", "axis_labels"))


def test_a_picture_keeps_its_colours():
    pixels = np.random.default_rng(0).integers(0, 255, (64, 80, 3), np.uint8)
    located, plan = planned(Image(pixels, rgb=True), {"type": "super_resolution"})
    show = display_axes(located, plan.target)
    assert show.axes == "yxc"
    assert np.shape(LivePyramid(plan, located.view.path or __file__, show).data[0]) == (128, 160, 3)
    assert appearance(plan)["rgb"]
    assert len(result_transform(located, plan, show)["scale"]) == 2


def test_names_of_generated_images_are_marked():
    _, plan = planned(Image(np.random.default_rng(0).random((64, 80))), {"type": "super_resolution"})
    assert "[generated]" not in layer_name(plan, "a")
    drawn = dataclasses.replace(plan, engine=dataclasses.replace(plan.engine, generates=True))
    assert "[generated]" in layer_name(drawn, "a")


def test_units_that_differ_between_axes_are_kept_for_the_viewer():
    layer = Image(np.zeros((4, 40, 50)), scale=(500, 0.5, 0.5), units=("nanometer", "micrometer", "micrometer"))
    layer.data[:, 5:9, 5:9] = 1
    located, plan = planned(layer, {"type": "segmentation"})
    options = result_transform(located, plan, display_axes(located, plan.target))
    assert options["units"] == ("nanometer", "micrometer", "micrometer")
    assert options["scale"] == (500, 0.5, 0.5)


def test_a_job_has_one_unit_of_length_whatever_the_layer_mixes():
    layer = Image(np.zeros((4, 40, 50)), scale=(500, 0.5, 0.25), units=("nanometer", "micrometer", "micrometer"))
    layer.data[:, 5:9, 5:9] = 1
    _, plan = planned(layer, {"type": "segmentation"})
    assert plan.source.scale == pytest.approx((0.5, 0.5, 0.25))
    assert set(plan.source.units) == {"micrometer"}


def test_a_file_keeps_its_pixel_size_where_the_layer_has_the_same_in_another_unit(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50), np.uint8)
    path = store_layer(open_source(pixels, scale=0.5, units="um"), tmp_path / "a.zarr")
    for scale, units, corrected in (
        ((0.5, 0.5), ("micrometer",) * 2, None),
        ((500, 500), ("nanometer",) * 2, None),
        ((0.7, 0.7), ("micrometer",) * 2, (0.7, 0.7)),
    ):
        layer = Image(pixels, scale=scale, units=units, path=str(path))
        assert locate_source(read_layer(layer)).ref.scale == corrected


def test_a_job_on_a_coarser_level_lies_over_its_layer(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (512, 512), np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as file:
        file.write(pixels, subifds=1, metadata={"axes": "YX"}, tile=(128, 128))
        file.write(pixels[::2, ::2], subfiletype=1, tile=(128, 128))
    path = str(tmp_path / "a.ome.tif")
    located = locate_source(read_layer(Image(pixels, path=path)))
    job = Job.read({"source": {"uri": path, "level": 1}, "engine": "reference", "operation": {"type": "segmentation"}})
    plan = prepare(job, memory=2**40).plan
    assert plan.source.shape == (256, 256)
    options = result_transform(located, plan, display_axes(located, plan.target))
    assert options["scale"] == pytest.approx((2.0, 2.0))
    # The centre of the first px lies between the first four of the layer.
    assert options["translate"] == pytest.approx((0.5, 0.5))


def test_requested_axes_win_over_guesses():
    pixels = np.random.default_rng(0).integers(0, 255, (3, 40, 50), np.uint8)
    assert locate_source(read_layer(Image(pixels))).axes == "zyx"
    located = locate_source(read_layer(Image(pixels)), "tyx")
    assert (located.axes, located.ref.axes, located.requested_axes) == ("tyx", "tyx", "tyx")


def test_the_image_of_a_job_opens_lazily(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (600, 700, 3), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    data, options, kind = source_layer(SourceRef(uri=str(tmp_path / "a.tif")))
    first = data[0] if options["multiscale"] else data
    assert kind == "image"
    assert options["rgb"]
    assert first.shape == (600, 700, 3)
    assert np.array_equal(first[100:200, 30], pixels[100:200, 30])
    assert first.store_path == str(tmp_path / "a.tif")


def test_results_and_image_files_are_read_and_no_stores_of_others(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8)))
    # napari asks for it only by the command "Open an image file", which reads every format.
    assert get_reader(str(tmp_path / "a.tif")) is not None
    assert get_reader(str(tmp_path)) is None
    path = store_layer(open_source(np.ones((8, 8))), tmp_path / "c.zarr")
    assert get_reader(str(path)) is None
    assert get_reader("synthetic://nuclei?shape=64,64") is not None


def test_the_sample_volume_is_opened_without_computing_it():
    """In seconds of this process's processor time, the fastest of three: other work makes them slow, never fast."""
    opening, showing = [], []
    for _ in range(3):
        start = time.process_time()
        ((levels, _, _),) = volume()
        opened = time.process_time()
        assert np.asarray(levels[-1][0, 16]).any()
        opening.append(opened - start)
        showing.append(time.process_time() - opened)
    assert min(opening) < 0.3
    assert min(showing) < 0.5, "a viewer reads it on the thread of its window"
