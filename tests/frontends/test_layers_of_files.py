"""Layers and arrays that other programs read from files of several images: the run reads the file, not a copy."""

from functools import partial

import dask
import dask.array as da
import numpy as np
import pytest
from surface import Image

from napari_s1omni.frontends.napari_layers.layer_source import locate_source
from napari_s1omni.frontends.napari_layers.layer_view import read_layer
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.jobs.run import run
from napari_s1omni.planning.job import Job, SourceRef
from napari_s1omni.storage.arrays.array_file import array_file
from napari_s1omni.storage.arrays.array_origin import locate_pixels
from napari_s1omni.storage.source import open_source


@pytest.fixture
def scan(scans, tmp_path):
    one = {
        "axes": "zcyx",
        "shape": [3, 2, 80, 80],
        "scale": [2.0, None, 0.5, 0.5],
        "channels": [{"name": "a"}, {"name": "b"}],
    }
    one["units"] = ["micrometer", None, "micrometer", "micrometer"]
    return scans(tmp_path / "my scan.scan", *({"name": name, **one} for name in ("B/1", "B/2")), {"name": "flat"})


def pixels(scan, image):
    return open_source(scan, image=image).read()


def located(scan, array, **options):
    return locate_source(read_layer(Image(array, path=str(scan), **options)))


def test_the_image_of_a_layer_is_found_by_its_pixels(scan):
    found = located(scan, pixels(scan, "B/2"), name="my scan [1]")
    assert found.ref == SourceRef(uri=f"{scan}::B/2")
    assert found.array is None
    assert found.axes == "czyx"
    assert found.spec.unit_of("z") == "micrometer"


def test_axes_of_one_pixel_and_single_channels_are_known_too(scan):
    whole = pixels(scan, "B/1")
    assert located(scan, whole[np.newaxis]).ref.uri == f"{scan}::B/1"
    found = located(scan, whole[1], name="second")
    assert (found.ref.uri, found.channel, found.axes) == (f"{scan}::B/1", 1, "zyx")


def test_pixels_that_were_changed_are_not_those_of_the_file(scan):
    found = located(scan, pixels(scan, "B/2") + 1)
    assert found.array is not None
    assert "its own pixels are read" in " ".join(found.notes)


def test_an_array_of_dask_is_read_from_its_file(scan, tmp_path):
    def load(path, image):
        return pixels(path, image)

    whole = pixels(scan, "B/2")
    delayed = da.from_delayed(dask.delayed(partial(load, str(scan)))("B/2"), whole.shape, whole.dtype)
    assert array_file(delayed) == str(scan)
    ref, array, source = locate_pixels(SourceRef(uri="memory:array", axes="czyx"), delayed)
    assert (ref.uri, array) == (f"{scan}::B/2", None)
    assert source.spec.scale == (1.0, 2.0, 0.5, 0.5)
    ref, array, source = locate_pixels(SourceRef(uri="memory:array", axes="czyx", scale=3.0, units="um"), delayed)
    assert array is None
    assert source.spec.scale == (1.0, 3.0, 3.0, 3.0)
    job = Job(source={"uri": "memory:a", "axes": "czyx"}, operation={"type": "segmentation"}, engine="reference")
    result = run(job.replace(output=str(tmp_path / "o.zarr")), delayed)
    assert result.plan.source.source == f"{scan}::B/2"
    assert any("is read from" in note for note in result.plan.notes)
    assert result.plan.digest == prepare(job.replace(source=f"{scan}::B/2")).plan.digest
    assert locate_pixels(SourceRef(uri="memory:a", axes="czyx"), delayed + 1)[1] is not None
