"""Outlines of labels give the labels back when filled, whatever the block size."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from napari_s1omni.core.pixel_frame import PixelFrame
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import SourceError, StoreExists
from napari_s1omni.planning.job import Shape
from napari_s1omni.storage.regions.polygon_fill import fill_polygon
from napari_s1omni.storage.regions.region import open_region
from napari_s1omni.storage.writers.contours import TracedObject, trace_labels, trace_mask
from napari_s1omni.storage.writers.outlines import write_outlines

FRAME = PixelFrame.whole({})


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)))
def test_filled_outlines_are_the_mask(mask):
    parts = trace_mask(mask, 3, 7)
    again = np.zeros(mask.shape, bool)
    for rings in parts:
        again |= fill_polygon(tuple(r.astype(float) for r in rings), (7, 7 + mask.shape[0]), (3, 3 + mask.shape[1]))
    np.testing.assert_array_equal(again, mask)
    assert len(parts) == ndimage.label(mask)[1]


def test_a_ring_has_a_hole_and_no_corner_too_many():
    mask = np.ones((5, 6), bool)
    mask[2, 2:4] = False
    (rings,) = trace_mask(mask)
    assert [len(ring) for ring in rings] == [4, 4]
    assert set(map(tuple, rings[1].tolist())) == {(2, 2), (4, 2), (4, 3), (2, 3)}


def blobs(shape):
    field = ndimage.gaussian_filter(np.random.default_rng(0).random(shape), [0] * (len(shape) - 2) + [3, 3])
    return ndimage.label(field > np.quantile(field, 0.6))[0].astype(np.uint32)


@pytest.mark.parametrize("block", [(1, 16, 20), (3, 200, 200), (2, 7, 50)])
def test_blocks_do_not_matter(block):
    labels = blobs((3, 60, 70))
    spec = LayerSpec(labels.shape, tuple("zyx"), "uint32", kind="labels")
    found = list(trace_labels(labels, spec, block))
    places = [(item.z, item.label) for item in found]
    assert len(places) == len(set(places)) == sum(len(np.unique(plane[plane > 0])) for plane in labels)
    again = np.zeros_like(labels)
    for item in found:
        for rings in item.parts:
            inside = fill_polygon(tuple(r.astype(float) for r in rings), (0, 60), (0, 70))
            again[item.z][inside] = item.label
    np.testing.assert_array_equal(again, labels)


@pytest.mark.parametrize("name", ["a.geojson", "a.zip"])
def test_what_is_written_is_read_as_a_region(tmp_path, name):
    labels = blobs((2, 40, 50))
    labels[0, 20:30, 20:30] = labels.max() + 1
    labels[0, 24:26, 24:26] = 0
    spec = LayerSpec(labels.shape, tuple("zyx"), "uint32", kind="labels")
    count = write_outlines(
        tmp_path / name, trace_labels(labels, spec, (1, 16, 16)), FRAME.part({"y": 5, "x": 8, "z": 1}), "a"
    )
    assert count == sum(len(np.unique(plane[plane > 0])) for plane in labels)
    region = open_region(Shape(type="polygon", uri=str(tmp_path / name)), LayerSpec((4, 60, 70), tuple("zyx"), "uint8"))
    np.testing.assert_array_equal(region.mask(0, (1, 3), (5, 45), (8, 58)), labels > 0)
    with pytest.raises(StoreExists):
        write_outlines(tmp_path / name, [], FRAME, "a")


def test_geojson_says_which_object_and_plane(tmp_path):
    ring = np.array([[0, 0], [2, 0], [2, 2], [0, 2]])
    write_outlines(tmp_path / "a.geojson", [TracedObject(7, 1, 2, ((ring,), (ring + 5,)))], FRAME, "a")
    (feature,) = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert feature["geometry"]["type"] == "MultiPolygon"
    assert feature["geometry"]["plane"] == {"c": -1, "z": 2, "t": 1}
    assert feature["geometry"]["coordinates"][0][0][0] == feature["geometry"]["coordinates"][0][0][-1] == [0, 0]
    assert feature["properties"]["label"] == 7


def test_imagej_coordinates_are_limited(tmp_path):
    ring = np.array([[40000, 0], [40002, 0], [40002, 2], [40000, 2]])
    with pytest.raises(SourceError, match="GeoJSON"):
        write_outlines(tmp_path / "a.zip", [TracedObject(1, 0, 0, ((ring,),))], FRAME, "a")
    assert not list(tmp_path.iterdir())
