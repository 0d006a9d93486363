"""The size of a pixel in a TIFF: resolution tags, print resolutions, ImageJ, OME-XML."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.core.units import METRES
from napari_s1omni.errors import SeveralImages
from napari_s1omni.storage.readers.tiff_metadata.headers import list_tiff
from napari_s1omni.storage.source import open_source

IMAGE = np.arange(30 * 40, dtype=np.uint16).reshape(30, 40)
STACK = np.stack([IMAGE] * 5)
PER_UNIT = {"INCH": 1.0, "CENTIMETER": 2.54}
PRINTED = (72, 96, 100, 150, 200, 240, 300, 600, 1200)


def micrometres(spec, axis="x"):
    i = spec.axes.index(axis)
    return None if spec.units[i] is None else spec.scale[i] * METRES[spec.units[i]] * 1e6


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(PRINTED), st.sampled_from(sorted(PER_UNIT)), st.sampled_from([None, 0, 2, 4]))
def test_a_resolution_for_printing_is_no_pixel_size(tmp_path_factory, dpi, unit, digits):
    path = tmp_path_factory.mktemp("dpi") / "a.tif"
    dots = dpi / PER_UNIT[unit]
    dots = dots if digits is None else round(dots, digits)
    tifffile.imwrite(path, IMAGE, resolution=(dots, dots), resolutionunit=unit)
    source = open_source(path)
    assert source.spec.units == (None, None)
    assert source.spec.scale == (1.0, 1.0)
    assert any("printing" in note for note in source.notes)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.01, 8.0), st.sampled_from(sorted(PER_UNIT)))
def test_a_calibration_of_a_microscope_stays(tmp_path_factory, size, unit):
    path = tmp_path_factory.mktemp("calibrated") / "a.tif"
    dots = 25400 / size / PER_UNIT[unit]
    tifffile.imwrite(path, IMAGE, resolution=(dots, dots), resolutionunit=unit)
    source = open_source(path)
    assert micrometres(source.spec) == pytest.approx(size, rel=1e-4)
    assert not source.notes


@pytest.mark.parametrize("per_centimetre", [100, 200, 500, 1000, 2000, 10_000])
def test_round_sizes_per_centimetre_stay_and_large_ones_are_noted(tmp_path, per_centimetre):
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, resolution=(per_centimetre,) * 2, resolutionunit="CENTIMETER")
    source = open_source(tmp_path / "a.tif")
    assert micrometres(source.spec) == pytest.approx(1e4 / per_centimetre)
    assert bool(source.notes) == (per_centimetre < 1000)


def test_units_that_a_program_mixed_up(tmp_path):
    for dots, unit in ((118.11, "INCH"), (28.3465, "INCH"), (72, "CENTIMETER"), (300, "CENTIMETER")):
        tifffile.imwrite(tmp_path / "a.tif", IMAGE, resolution=(dots, dots), resolutionunit=unit)
        assert open_source(tmp_path / "a.tif").spec.units == (None, None)


def test_without_a_unit_only_the_ratio_counts(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, resolution=(4, 4), resolutionunit="NONE")
    assert open_source(tmp_path / "a.tif").spec.scale == (1.0, 1.0)
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, resolution=(2, 4), resolutionunit="NONE")
    source = open_source(tmp_path / "a.tif")
    assert source.spec.scale[1] / source.spec.scale[0] == pytest.approx(2)
    assert any("not square" in note for note in source.notes)


def imagej(tmp_path, dots, **about):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, imagej=True, resolution=(dots, dots), metadata={"axes": "ZYX", **about})
    return open_source(path)


@pytest.mark.parametrize("unit", ["micron", "um", "\\u00B5m", "microns"])
def test_imagej_spells_micrometres(tmp_path, unit):
    assert imagej(tmp_path, 4, unit=unit, spacing=2).spec.units == ("micrometer",) * 3


def test_imagej_leaves_out_a_distance_of_1(tmp_path):
    source = imagej(tmp_path, 4, unit="um")
    assert source.spec.scale == (1.0, 0.25, 0.25)
    assert source.spec.units == ("micrometer",) * 3
    assert any("along z" in note for note in source.notes)


def test_imagej_takes_the_print_resolution_of_a_picture_for_inches(tmp_path):
    source = imagej(tmp_path, 72, unit="inch")
    assert source.spec.units == (None, None, None)
    assert any("printing" in note for note in source.notes)


@pytest.mark.parametrize("value", [0, -2, float("nan"), float("inf")])
def test_what_is_no_size_is_left_out_with_a_note(tmp_path, value):
    source = imagej(tmp_path, 4, unit="um", spacing=value)
    assert source.spec.scale == (1.0, 0.25, 0.25)
    assert any("no size" in note for note in source.notes)
    about = {"axes": "ZYX", "PhysicalSizeZ": value, "PhysicalSizeY": 0.2, "PhysicalSizeX": 0.2}
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK, metadata=about)
    source = open_source(tmp_path / "a.ome.tif")
    assert source.spec.scale == (1.0, 0.2, 0.2)
    assert any("PhysicalSizeZ" in note for note in source.notes)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["nm", "µm", "mm", "cm", "m", "Å", "in"]), st.floats(1e-3, 1e3))
def test_units_of_ome(tmp_path_factory, unit, size):
    metres = {"nm": 1e-9, "µm": 1e-6, "mm": 1e-3, "cm": 1e-2, "m": 1.0, "Å": 1e-10, "in": 0.0254}[unit]
    path = tmp_path_factory.mktemp("ome") / "a.ome.tif"
    about = {f"PhysicalSize{a}": size for a in "XY"} | {f"PhysicalSize{a}Unit": unit for a in "XY"}
    tifffile.imwrite(path, IMAGE, metadata={"axes": "YX", **about})
    spec = open_source(path).spec
    assert spec.scale[1] * METRES[spec.units[1]] == pytest.approx(size * metres)


def test_each_image_of_an_ome_tiff_has_its_own_sizes(tmp_path):
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path) as tiff:
        for name, n, size in (("first", 20, 0.1), ("second", 30, 0.5)):
            about = {"axes": "YX", "Name": name, "PhysicalSizeX": size, "PhysicalSizeY": size}
            tiff.write(IMAGE[:n, :n], metadata=about)
    with pytest.raises(SeveralImages, match=r"first.*second.*a\.ome\.tif::0"):
        open_source(path)
    assert open_source(f"{path}::first").spec.scale == (0.1, 0.1)
    assert [(h.name, h.shape, h.scale) for h in list_tiff(path)] == [
        ("first", (20, 20), (0.1, 0.1)),
        ("second", (30, 30), (0.5, 0.5)),
    ]
    for name in ("::1", "::second", "#1"):
        other = open_source(f"{path}{name}")
        assert other.spec.scale == (0.5, 0.5)
        np.testing.assert_array_equal(other.read(), IMAGE[:30, :30])
        assert open_source(other.spec.source).spec == other.spec


def test_ome_xml_that_is_broken_in_utf_16_or_in_another_file(tmp_path):
    about = {"axes": "ZYX", "PhysicalSizeX": 0.2, "PhysicalSizeY": 0.2}
    tifffile.imwrite(tmp_path / "good.ome.tif", STACK, metadata=about)
    with tifffile.TiffFile(tmp_path / "good.ome.tif") as tiff:
        xml = tiff.ome_metadata
    broken = xml.replace("<Pixels", "<Pixels <").encode("ascii", "ignore").decode()
    tifffile.imwrite(tmp_path / "broken.ome.tif", STACK, metadata=None, description=broken, photometric="minisblack")
    source = open_source(tmp_path / "broken.ome.tif")
    np.testing.assert_array_equal(source.read(), STACK)
    assert any("broken" in note for note in source.notes)

    wide = xml.encode("utf-16")
    options = {"metadata": None, "photometric": "minisblack", "description": "x" * (len(wide) - 1)}
    tifffile.imwrite(tmp_path / "wide.tif", STACK, **options)
    raw = (tmp_path / "wide.tif").read_bytes()
    (tmp_path / "wide.tif").write_bytes(raw.replace(b"x" * (len(wide) - 1) + b"\0", wide))
    assert micrometres(open_source(tmp_path / "wide.tif").spec) == pytest.approx(0.2)

    (tmp_path / "a.companion.ome").write_text(xml, encoding="utf-8")
    refers = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><BinaryOnly MetadataFile="%s"/></OME>'
    for name, words in (("a.companion.ome", None), ("gone.companion.ome", "another file")):
        options = {"metadata": None, "photometric": "minisblack", "description": refers % name}
        tifffile.imwrite(tmp_path / "part.ome.tif", STACK, **options)
        source = open_source(tmp_path / "part.ome.tif")
        assert micrometres(source.spec) == (None if words else pytest.approx(0.2))
        assert words is None or any(words in note for note in source.notes)


def test_one_pixel_per_micrometer_is_a_pixel_size(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((8, 9), np.uint8), resolution=(1, 1), resolutionunit="MICROMETER", metadata=None)
    source = open_source(path)
    assert (source.spec.scale, source.spec.units) == ((1, 1), ("micrometer",) * 2)
    tifffile.imwrite(path, np.zeros((8, 9), np.uint8), resolution=(1, 1), resolutionunit="CENTIMETER", metadata=None)
    assert open_source(path).spec.units == (None, None)
