"""What a file says about its acquisition reaches the result, its OME metadata and the report."""

import json

import numpy as np
import pytest
import tifffile

import napari_s1omni
from napari_s1omni.core.acquisition import Acquisition, Channel
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.results.export import export_result
from napari_s1omni.results.report import report
from napari_s1omni.storage.writers.tiff import write_tiff

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


def test_an_exported_tiff_keeps_it_and_is_named(scan, tmp_path):
    result = napari_s1omni.super_resolve(scan, tmp_path / "fine.zarr", engine="reference")
    export_result(result, tmp_path / "fine.ome.tif")
    with tifffile.TiffFile(tmp_path / "fine.ome.tif") as file:
        assert 'Name="fine"' in file.ome_metadata
        assert "Instrument: LSM 900; Objective: 20x; Stage: y 5, x 7.5 micrometer" in file.ome_metadata
    read = napari_s1omni.open_source(tmp_path / "fine.ome.tif").acquisition
    assert read.date == "2026-03-01T09:30:00"
    # An attribute that one channel lacks is left out.
    assert read.channels == (Channel("DAPI"), Channel("GFP"))
    coloured = [
        {**CHANNELS[0], "emission": 461.0},
        {"name": "GFP", "color": "00FF00", "excitation": 488, "emission": 510},
    ]
    write_tiff(
        tmp_path / "c.tif",
        np.zeros((2, 8, 8), np.uint16),
        LayerSpec((2, 8, 8), ("c", "y", "x"), "uint16"),
        acquisition=Acquisition.from_json({"channels": coloured, "bit_depth": 12}),
    )
    read = napari_s1omni.open_source(tmp_path / "c.tif").acquisition
    assert read.channels == tuple(Channel(**channel) for channel in coloured)
    assert read.bit_depth == 12


OME = """<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
<Instrument ID="Instrument:0"><Microscope Manufacturer="Acme" Model="One"/><Objective ID="Objective:1" Model="Plan 40x"
NominalMagnification="40" LensNA="1.3"/><Objective ID="Objective:0" Model="Plan 10x"/></Instrument>
<Image ID="Image:0"><AcquisitionDate>2026-02-03T04:05:06</AcquisitionDate><InstrumentRef ID="Instrument:0"/>
<ObjectiveSettings ID="Objective:1"/><StageLabel Name="p" X="1.5" XUnit="mm" Y="20" YUnit="µm"/>
<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="8" SizeY="8" SizeZ="1" SizeC="1" SizeT="1" SignificantBits="14">
<Channel ID="Channel:0:0" Name="GFP" Color="16711935" EmissionWavelength="0.51" EmissionWavelengthUnit="µm"/><TiffData/></Pixels></Image></OME>"""


def test_an_ome_tiff_of_a_microscope_is_read_with_it(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((8, 8), np.uint16), description=OME.encode(), metadata=None)
    found = napari_s1omni.open_source(tmp_path / "a.ome.tif").acquisition
    assert found == Acquisition(
        channels=(Channel("GFP", "00FF00", 510.0),),
        date="2026-02-03T04:05:06",
        instrument="Acme One",
        objective="Plan 40x",
        magnification=40.0,
        numerical_aperture=1.3,
        bit_depth=14,
        stage=(None, 20.0, 1500.0),
    )
