"""Coordinates that xarray stores beside an array are not read, and a note says so."""

import numpy as np
import pytest

from napari_s1omni.storage.source import open_source


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_coordinates_that_xarray_stores_beside_an_array_are_noted(tmp_path, zarr_format):
    xarray = pytest.importorskip("xarray")
    stack = xarray.DataArray(np.zeros((3, 20, 30)), dims=("z", "y", "x"), coords={"y": np.arange(20) * 0.5})
    stack.to_dataset(name="cells").to_zarr(tmp_path / "a.zarr", zarr_format=zarr_format, consolidated=False)
    notes = open_source(tmp_path / "a.zarr" / "cells").notes
    assert any("coordinates along y beside the array are not read" in note for note in notes)
