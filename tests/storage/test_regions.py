"""Regions: which pixels lie in polygons, ROIs and masks, the same for any box."""

from __future__ import annotations

import json

import numpy as np
import pytest
import roifile
from hypothesis import given
from hypothesis import strategies as st

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import JobError, PlanError, SourceError
from napari_s1omni.planning.job import Shape
from napari_s1omni.storage.regions.polygon_fill import fill_polygon
from napari_s1omni.storage.regions.region import open_region

SPEC = LayerSpec(shape=(2, 5, 60, 80), axes=tuple("tzyx"), dtype="uint8")
WHOLE = {"t": 0, "z": (0, 5), "y": (0, 60), "x": (0, 80)}


def geojson(path, *geometries):
    path.write_text(
        json.dumps({"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": g} for g in geometries]})
    )
    return str(path)


def square(x0, y0, x1, y1):
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]


def polygon(*rings, **more):
    return {"type": "Polygon", "coordinates": list(rings), **more}


def opened(path, kind="polygon", spec=SPEC):
    return open_region(Shape(type=kind, uri=str(path)), spec)


def test_polygon_with_a_hole_and_a_second_part(tmp_path):
    path = geojson(
        tmp_path / "a.geojson",
        polygon(square(10, 20, 30, 40), square(15, 25, 20, 30)),
        {"type": "MultiPolygon", "coordinates": [[square(50, 0, 60, 10)], [square(55, 5, 70, 15)]]},
    )
    region = opened(path)
    expected = np.zeros((60, 80), bool)
    expected[20:40, 10:30] = True
    expected[25:30, 15:20] = False
    expected[0:10, 50:60] = expected[5:15, 55:70] = True
    mask = region.mask(**WHOLE)
    assert mask.shape == (5, 60, 80)
    np.testing.assert_array_equal(mask, np.broadcast_to(expected, mask.shape))
    assert region.bounds == {"x": (10, 70), "y": (0, 40)}


def test_where(tmp_path):
    region = opened(geojson(tmp_path / "a.json", polygon(square(10, 20, 30, 40))))
    assert region.where(0, (0, 5), (22, 30), (12, 20)) == "inside"
    assert region.where(0, (0, 5), (22, 30), (25, 40)) == "partly"
    assert region.where(0, (0, 5), (42, 50), (12, 20)) == "outside"


@given(
    points=st.lists(st.tuples(st.floats(-10, 70, width=32), st.floats(-10, 50, width=32)), min_size=3, max_size=9),
    cut=st.tuples(st.integers(0, 20), st.integers(21, 40), st.integers(0, 30), st.integers(31, 60)),
)
def test_any_box_agrees_with_the_whole(points, cut):
    rings = (np.array(points, float),)
    whole = fill_polygon(rings, (0, 40), (0, 60))
    y0, y1, x0, x1 = cut
    np.testing.assert_array_equal(fill_polygon(rings, (y0, y1), (x0, x1)), whole[y0:y1, x0:x1])


@given(st.lists(st.tuples(st.floats(1, 59), st.floats(1, 39)), min_size=3, max_size=3))
def test_a_triangle_is_the_pixels_on_the_inner_side_of_its_edges(points):
    a, b, c = np.array(points)
    y, x = np.mgrid[:40, :60] + 0.5

    def side(p, q):
        return (q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0])

    sides = np.stack([side(a, b), side(b, c), side(c, a)])
    clear = np.abs(sides).min(axis=0) > 1e-6
    inner = (sides > 0).all(axis=0) | (sides < 0).all(axis=0)
    found = fill_polygon((np.array(points),), (0, 40), (0, 60))
    np.testing.assert_array_equal(found[clear], inner[clear])


def test_planes_and_frames(tmp_path):
    region = opened(geojson(tmp_path / "a.json", polygon(square(0, 0, 9, 9), plane={"z": 3, "t": 1, "c": -1})))
    assert region.bounds["z"] == (3, 4)
    assert region.bounds["t"] == (1, 2)
    assert not region.mask(**WHOLE).any()
    mask = region.mask(**{**WHOLE, "t": 1})
    assert mask[3, :9, :9].all()
    assert mask.sum() == 81


def test_imagej_rois(tmp_path):
    box = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.RECT, left=5, top=10, right=15, bottom=30)
    oval = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.OVAL, left=40, top=10, right=60, bottom=30)
    free = roifile.ImagejRoi.frompoints([[30.5, 40.5], [70.5, 40.5], [70.5, 55.5]], z=2, t=0)
    line = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.LINE, x2=9, y2=9, name="a line")
    for roi in (box, oval, free, line):
        roi.tofile(tmp_path / "set.zip", name=f"{roi.roitype.name}.roi")
    region = opened(tmp_path / "set.zip")
    mask = region.mask(**WHOLE)
    assert mask[0, 10:30, 5:15].all()
    assert mask[0, :, 40:60].sum() == pytest.approx(np.pi * 100, rel=0.05)
    assert mask[2].sum() - mask[0].sum() == pytest.approx(300, abs=30)
    assert any("LINE" in note for note in region.notes)
    box.tofile(tmp_path / "one.roi")
    assert opened(tmp_path / "one.roi").bounds == {"x": (5, 15), "y": (10, 30)}


def test_mask_layer(tmp_path):
    mask = np.zeros((60, 80), np.uint8)
    mask[12:20, 30:44] = 7
    np.save(tmp_path / "m.npy", mask)
    region = opened(tmp_path / "m.npy", "mask")
    assert region.bounds == {"y": (12, 20), "x": (30, 44)}
    np.testing.assert_array_equal(region.mask(1, (2, 4), (10, 30), (25, 50)), [mask[10:30, 25:50] > 0] * 2)
    assert region.where(1, (2, 4), (12, 20), (30, 44)) == "inside"
    deep = np.full((5, 60, 80), np.nan)
    deep[3, 5, 6] = 1
    np.save(tmp_path / "d.npy", deep)
    assert opened(tmp_path / "d.npy", "mask").bounds == {"z": (3, 4), "y": (5, 6), "x": (6, 7)}


def test_bounds_of_a_mask_of_many_pieces(tmp_path):
    mask = np.zeros((5000, 4500), bool)
    mask[100, 4400] = mask[4900, 50] = True
    np.save(tmp_path / "m.npy", mask)
    spec = LayerSpec(shape=(5000, 4500), axes=("y", "x"), dtype="uint8")
    assert opened(tmp_path / "m.npy", "mask", spec).bounds == {"y": (100, 4901), "x": (50, 4401)}


def test_content_decides_the_fingerprint(tmp_path):
    one = opened(geojson(tmp_path / "a.json", polygon(square(0, 0, 9, 9)))).fingerprint()
    assert one == opened(geojson(tmp_path / "b.json", polygon(square(0, 0, 9, 9)))).fingerprint()
    assert one != opened(geojson(tmp_path / "c.json", polygon(square(0, 0, 9, 8)))).fingerprint()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("gone.json", None, "cannot be read"),
        ("a.json", "{", "cannot be understood"),
        ("a.json", '{"kind": "x"}', "cannot be understood"),
        ("a.json", '{"type": "Point", "coordinates": [1, 2]}', "no area: a Point"),
        ("a.json", '{"type": "Polygon", "coordinates": [[[1, 2], [3, 4]]]}', "at least 3"),
        ("a.json", '{"type": "FeatureCollection", "features": []}', "no area"),
        ("a.roi", "not a roi", "cannot be understood"),
        ("a.zip", "not a zip", "cannot be understood"),
    ],
)
def test_files_that_hold_no_region(tmp_path, name, text, words):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(SourceError, match=words):
        opened(tmp_path / name)


def test_regions_that_do_not_fit(tmp_path):
    with pytest.raises(PlanError, match="x 100 to 200"):
        opened(geojson(tmp_path / "a.json", polygon(square(100, 10, 200, 20))))
    partly = opened(geojson(tmp_path / "b.json", polygon(square(70, 10, 200, 20)), polygon(square(100, 10, 200, 20))))
    assert partly.bounds["x"] == (70, 80)
    assert any("1 of 2 outlines" in note for note in partly.notes)
    np.save(tmp_path / "m.npy", np.zeros((30, 40)))
    with pytest.raises(PlanError, match="image's own size"):
        opened(tmp_path / "m.npy", "mask")
    np.save(tmp_path / "m.npy", np.zeros((60, 80)))
    with pytest.raises(PlanError, match="0 everywhere"):
        opened(tmp_path / "m.npy", "mask")


def test_a_path_alone_is_enough(tmp_path):
    path = geojson(tmp_path / "a.geojson", polygon(square(10, 20, 30, 40)))
    np.save(tmp_path / "m.npy", np.ones((60, 80), np.uint8))
    for file in (path, tmp_path / "a.geojson"):
        assert open_region(file, SPEC).fingerprint() == opened(path).fingerprint()
    assert open_region(tmp_path / "m.npy", SPEC).bounds == {"y": (0, 60), "x": (0, 80)}
    with pytest.raises(JobError, match="is a box"):
        open_region("0:10,0:10", SPEC)
    with pytest.raises(JobError, match="exists"):
        open_region(tmp_path / "gone.json", SPEC)
