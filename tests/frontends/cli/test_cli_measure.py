"""``s1omni measure`` and ``s1omni export``."""

import csv

import numpy as np
import pytest

from napari_s1omni.results.result import Result

SMALL = ("--tile-size", 48, "--overlap", 16, "--block-size", 64, "--prompt", "segment the discs, about 16 px")


@pytest.fixture
def mask(s1omni, image):
    assert s1omni("segment", image, "mask.zarr", *SMALL).code == 0
    return image.parent / "mask.zarr"


def test_measure_writes_the_rows_of_the_table(s1omni, mask, tmp_path):
    ended = s1omni("measure", mask, "objects.csv")
    assert ended.code == 0, ended.err
    assert "12 objects" in ended.out
    with (tmp_path / "objects.csv").open() as file:
        rows = sorted(csv.DictReader(file), key=lambda row: int(row["label"]))
    expected = Result.open(mask).table()
    assert list(rows[0]) == list(expected)
    assert {"uncertain", "touches_border", "area", "intensity_mean"} <= set(expected)
    for name, values in expected.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose([float(row[name]) for row in rows], values)


def test_measure_writes_parquet_and_refuses_other_files(s1omni, mask, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert s1omni("measure", mask, "objects.parquet", "--channels", "0").code == 0
    assert parquet.read_table(tmp_path / "objects.parquet").num_rows == 12
    assert s1omni("measure", mask, "objects.parquet").code == 73
    assert s1omni("measure", mask, "objects.xls").code == 2
    assert "0 to 0" in s1omni("measure", mask, "b.csv", "--channels", "3").sentence


def test_export_writes_outlines(s1omni, mask, tmp_path):
    for name in ("a.geojson", "a.zip"):
        ended = s1omni("export", mask, name)
        assert ended.code == 0, ended.err
        assert "12 outlines" in ended.out
        assert (tmp_path / name).stat().st_size > 500
    assert s1omni("export", mask, "b.geojson", "--level", "1").code == 2
