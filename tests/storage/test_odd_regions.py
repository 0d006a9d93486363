"""Region files as other programs leave them: empty geometries, marks of encoding, archives packed on a Mac."""

import json
import zipfile

import numpy as np
import pytest
import roifile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import PlanError, SourceError
from napari_s1omni.planning.job import Shape
from napari_s1omni.storage.readers.outlines import read_outlines
from napari_s1omni.storage.regions.region import open_region

SQUARE = [[2, 3], [22, 3], [22, 13], [2, 13], [2, 3]]
HOLE = [[4, 5], [8, 5], [8, 9], [4, 9], [4, 5]]
AREA = {"type": "Polygon", "coordinates": [SQUARE, HOLE]}
EMPTY = (
    None,
    {},
    {"type": "Polygon", "coordinates": []},
    {"type": "Polygon"},
    {"type": "Polygon", "coordinates": [[]]},
    {"type": "Polygon", "coordinates": [[[1, 1], [2, 2], [1, 1]]]},
    {"type": "MultiPolygon", "coordinates": []},
    {"type": "MultiPolygon", "coordinates": [[], [[]]]},
    {"type": "GeometryCollection", "geometries": []},
    {"type": "GeometryCollection"},
    {"type": "Point", "coordinates": [1, 2]},
    {"type": "LineString", "coordinates": [[1, 2], [3, 4]]},
)
"""Geometries without an area."""


def size(outlines):
    """Return how many areas and rings there are."""
    return len(outlines), sum(len(outline.rings) for outline in outlines)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(EMPTY), max_size=6), st.integers(0, 6), st.sampled_from(["features", "geometries", "list"])
)
def test_what_has_no_area_spares_the_areas(tmp_path_factory, others, place, kind):
    path = tmp_path_factory.getbasetemp() / "region.geojson"
    parts = [*others[:place], AREA, *others[place:]]
    features = [{"type": "Feature", "geometry": part, "properties": None} for part in parts] + [{"type": "Feature"}]
    documents = {
        "features": {"type": "FeatureCollection", "features": features},
        "geometries": {"type": "GeometryCollection", "geometries": parts},
        "list": parts,
    }
    path.write_text(json.dumps(documents[kind]))
    outlines, notes = read_outlines(str(path))
    assert size(outlines) == (1, 2)
    np.testing.assert_array_equal(outlines[0].rings[0], SQUARE)
    said = sum(
        1
        for other in others
        if other is None or ("geometries" not in other and other != {"type": "GeometryCollection"})
    )
    assert bool(notes) == bool(said or kind == "features")


def test_polygons_of_many_parts_keep_their_holes(tmp_path):
    path = tmp_path / "many.geojson"
    far = (np.array(SQUARE) + 100).tolist()
    path.write_text(json.dumps({"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE, []], [far], [[[1, 1]]]]}))
    outlines, notes = read_outlines(str(path))
    assert size(outlines) == (2, 3)
    assert any("a hole" in note for note in notes)
    assert any("a polygon" in note for note in notes)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_encodings(tmp_path, encoding):
    path = tmp_path / "region.json"
    path.write_bytes(json.dumps({**AREA, "name": "größer"}, ensure_ascii=False).encode(encoding))
    assert size(read_outlines(str(path))[0]) == (1, 2)


def test_an_archive_packed_on_a_mac(tmp_path):
    roi = roifile.ImagejRoi.frompoints([[5.0, 5.0], [15.0, 5.0], [15.0, 15.0]]).tobytes()
    point = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.POLYGON, name="nothing").tobytes()
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("set/a.roi", roi)
        archive.writestr("set/nothing.roi", point)
        archive.writestr("__MACOSX/set/._a.roi", b"\0\5\x16\7")
        archive.writestr("set/.DS_Store", b"x")
        archive.writestr("set/", b"")
    outlines, notes = read_outlines(str(tmp_path / "set.zip"))
    assert size(outlines) == (1, 1)
    assert "a file of the archive that is no ROI is left out (2 times)" in notes
    assert any("fewer than 3 points" in note for note in notes)


def test_a_file_of_empty_geometries_says_so(tmp_path):
    path = tmp_path / "empty.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": None}] * 3}))
    with pytest.raises(SourceError, match=r"an empty geometry is left out \(3 times\)"):
        read_outlines(str(path))
    path.write_text(json.dumps({"type": "FeatureCollection", "features": None}))
    with pytest.raises(SourceError, match="no area"):
        read_outlines(str(path))


def test_minus_one_and_nan_are_outside_of_a_mask(tmp_path):
    spec = LayerSpec(shape=(40, 50), axes=("y", "x"), dtype="uint8")
    mask = np.full((40, 50), -1, np.int16)
    mask[10:20, 5:9] = 3
    np.save(tmp_path / "m.npy", mask)
    region = open_region(Shape(type="mask", uri=str(tmp_path / "m.npy")), spec)
    assert region.bounds == {"y": (10, 20), "x": (5, 9)}
    assert any("below 0" in note for note in region.notes)


def test_outlines_in_another_plane_are_outside(tmp_path):
    path = tmp_path / "plane.geojson"
    path.write_text(json.dumps({**AREA, "plane": {"c": -1, "z": 5, "t": 0}}))
    with pytest.raises(PlanError, match=r"z 5 to 5.*z 0 to 2"):
        open_region(path, LayerSpec((3, 32, 32), ("z", "y", "x"), "uint8"))
