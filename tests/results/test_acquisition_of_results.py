"""What a file says about its acquisition reaches the result, its OME metadata and the report."""

import json

import numpy as np
import pytest

import napari_s1omni
from napari_s1omni.core.acquisition import Acquisition, Channel
from napari_s1omni.results.report import report

CHANNELS = [{"name": "DAPI", "color": "0000FF", "excitation": 405.0}, {"name": "GFP", "emission": 510.0}]
ACQUIRED = {"date": "2026-03-01T09:30:00", "instrument": "LSM 900", "magnification": 20.0, "stage": [None, 5.0, 7.5]}


@pytest.fixture
def scan(scans, tmp_path):
    image = {"name": "x", "axes": "cyx", "shape": [2, 80, 80], "channels": CHANNELS, "acquired": ACQUIRED}
    return scans(tmp_path / "a.scan", image)


def own(result):
    return json.loads((result.path / "zarr.json").read_text("utf-8"))["attributes"]


def test_a_result_keeps_it(scan, tmp_path):
    result = napari_s1omni.super_resolve(scan, tmp_path / "fine.zarr", engine="reference")
    channels = own(result)["ome"]["omero"]["channels"]
    assert [(c["label"], c["color"]) for c in channels] == [("DAPI", "0000FF"), ("GFP", "FF00FF")]
    assert own(result)["s1omni"]["acquisition"] == {"channels": CHANNELS, **ACQUIRED}
    assert "acquisition" not in own(result)["s1omni"]["plan"]
    opened = napari_s1omni.Result.open(tmp_path / "fine.zarr")
    assert opened.acquisition.stage == (None, 5.0, 7.5)
    assert opened.acquisition.channels[1] == Channel("GFP", emission=510.0)
    page = report(opened)
    for text in ("LSM 900", "2026-03-01T09:30:00", "DAPI (#0000FF, excitation 405 nm)", "20x", "y 5, x 7.5 micrometer"):
        assert text in page
    assert "the gamma of the camera is left out" in page


def test_labels_keep_it_and_arrays_have_none(scan, tmp_path):
    result = napari_s1omni.segment(scan, tmp_path / "cells.zarr", engine="reference", channels=["DAPI"])
    assert own(result)["s1omni"]["acquisition"]["instrument"] == "LSM 900"
    plain = napari_s1omni.segment(np.zeros((64, 64), np.uint8), tmp_path / "plain.zarr", engine="reference")
    assert "acquisition" not in own(plain)["s1omni"]
    assert plain.acquisition == Acquisition()


def test_channels_that_do_not_fit_are_said(scans, tmp_path):
    scan = scans(tmp_path / "a.scan", {"name": "x", "axes": "cyx", "shape": [3, 80, 80], "channels": CHANNELS})
    source = napari_s1omni.open_source(scan)
    assert source.acquisition.channels == ()
    assert "colours and wavelengths of 2 channels are left out" in " ".join(source.notes)
