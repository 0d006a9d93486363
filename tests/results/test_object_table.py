"""The table of objects: as long as there are objects, with units, as text, as HTML, and as a data frame."""

import pandas
import pytest
from skimage import data

import napari_s1omni
from napari_s1omni.results.object_table import ObjectTable
from napari_s1omni.results.result import Result
from napari_s1omni.storage.source import open_source


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    options = {"prompt": "segment the coins, about 25 mm", "engine": "reference", "scale": 0.5, "units": "mm"}
    return napari_s1omni.segment(data.coins(), tmp_path_factory.mktemp("out") / "coins.zarr", **options)


def test_is_as_long_as_there_are_objects_and_names_its_units(result):
    table = result.table()
    assert len(table) == len(table["label"]) == result.summary["objects"] > 20
    assert table.units["area"] == "mm²"
    assert table.units["equivalent_diameter_area"] == "mm"
    assert table.units["num_pixels"] == table.units["bbox_min_y"] == "px"
    assert set(table.units) <= set(table)
    assert "eccentricity" not in table.units


def test_is_a_data_frame(result):
    table = result.table()
    frame = table.to_pandas()
    assert frame.shape == (len(table), len(list(table)))
    assert frame.attrs["units"] == table.units
    pandas.testing.assert_frame_equal(frame, pandas.DataFrame(table))


def test_shows_both_ends_of_a_long_table(result):
    table = result.table()
    assert repr(table).splitlines()[0] == f"{len(table)} objects, {len(list(table))} columns"
    assert "area (mm²)" in repr(table)
    page = table._repr_html_()
    assert page.count("<tr>") == 12
    assert f"<td>{table['label'][-1]}</td>" in page
    assert "<th>perimeter (mm)</th>" in page


def test_an_array_that_is_no_file_is_measured_too(result):
    """A result that is opened again has no pixels to measure, unless they are given."""
    assert result.plan.source.source is None
    assert "intensity_mean" in result.table()
    assert "intensity_mean" not in Result.open(result.path).table()
    again = Result.open(result.path).table(open_source(data.coins()))
    assert list(again) == list(result.table())


def test_a_table_without_objects_is_empty_and_shown(tmp_path):
    noise = napari_s1omni.segment(
        data.coins()[:64, :64] * 0 + 7, tmp_path / "flat.zarr", prompt="segment the coins", engine="reference"
    )
    table = noise.table()
    assert len(table) == 0
    assert not table
    assert table.units == {}
    assert repr(table).startswith("0 objects")
    assert "<td>" not in table._repr_html_()


def test_one_object_is_no_plural():
    assert repr(ObjectTable({"label": napari_s1omni.open_source(data.coins()[:1, :1]).read()[0]})).startswith(
        "1 object,"
    )
