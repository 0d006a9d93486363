"""TIFF, OME-TIFF and ImageJ TIFF: laziness, axes, pixel sizes, channel names."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.source import open_source

RNG = np.random.default_rng(0)


def test_plain_tiff_is_mapped_and_big_endian_becomes_native(tmp_path):
    array = RNG.integers(0, 2**16, (40, 50), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", array, byteorder=">")
    source = open_source(tmp_path / "a.tif")
    assert isinstance(source._raw.pixels.mapped, np.memmap)
    assert source.spec.dtype == "uint16"
    np.testing.assert_array_equal(source.read(), array)


def test_compressed_tiles_are_decoded_box_by_box(tmp_path):
    array = RNG.integers(0, 9, (3, 200, 300), np.uint16)
    options = {"photometric": "minisblack", "tile": (64, 64), "metadata": {"axes": "ZYX"}}
    tifffile.imwrite(tmp_path / "a.tif", array, compression="zlib", **options)
    source = open_source(tmp_path / "a.tif")
    assert source.spec.axes == ("z", "y", "x")
    assert source.chunks == (1, 64, 64)
    box = (slice(1, 3), slice(60, 70), slice(250, 300))
    np.testing.assert_array_equal(source.read(box), array[box])


def test_many_threads_read_one_file(tmp_path):
    array = RNG.integers(0, 2**16, (512, 512), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", array, compression="zlib", tile=(32, 32))
    source = open_source(tmp_path / "a.tif")
    boxes = [(slice(y, y + 50), slice(x, x + 50)) for y in range(0, 450, 45) for x in range(0, 450, 45)]
    with ThreadPoolExecutor(8) as pool:
        for box, found in zip(boxes, pool.map(source.read, boxes), strict=True):
            np.testing.assert_array_equal(found, array[box])


def test_ome_tiff(tmp_path):
    array = RNG.integers(0, 99, (2, 3, 4, 30, 20), np.uint16)
    metadata = {
        "axes": "TZCYX",
        "PhysicalSizeX": 0.1,
        "PhysicalSizeY": 0.2,
        "PhysicalSizeZ": 1.5,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeYUnit": "µm",
        "PhysicalSizeZUnit": "µm",
        "TimeIncrement": 30,
        "TimeIncrementUnit": "s",
        "Channel": {"Name": ["a", "b", "c", "d"]},
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", array, metadata=metadata)
    source = open_source(tmp_path / "a.ome.tif")
    assert "".join(source.spec.axes) == "tczyx"
    assert source.spec.scale == (30.0, 1.0, 1.5, 0.2, 0.1)
    assert source.spec.units == ("second", None, "micrometer", "micrometer", "micrometer")
    assert source.spec.channel_names == ("a", "b", "c", "d")
    np.testing.assert_array_equal(source.read(), array.transpose(0, 2, 1, 3, 4))


def test_channels_without_a_name_among_named_ones(tmp_path):
    metadata = {"axes": "CYX", "Channel": {"Name": ["DAPI, 405", "", "Zähler"]}}
    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((3, 8, 8), np.uint8), metadata=metadata)
    assert open_source(tmp_path / "a.ome.tif").spec.channel_names == ("DAPI, 405", "", "Zähler")


def test_imagej(tmp_path):
    array = RNG.integers(0, 99, (3, 2, 30, 20), np.uint16)
    metadata = {"axes": "ZCYX", "spacing": 2.5, "unit": "um", "Labels": ["dapi", "gfp"] * 3}
    tifffile.imwrite(tmp_path / "a.tif", array, imagej=True, resolution=(4.0, 4.0), metadata=metadata)
    source = open_source(tmp_path / "a.tif")
    assert source.spec.axes == ("c", "z", "y", "x")
    assert source.spec.scale == (1.0, 2.5, 0.25, 0.25)
    assert source.spec.units == (None, "micrometer", "micrometer", "micrometer")
    np.testing.assert_array_equal(source.read(), array.transpose(1, 0, 2, 3))


def test_resolution_tags_count_unless_they_are_a_default(tmp_path):
    array = np.zeros((8, 9), np.uint8)
    tifffile.imwrite(tmp_path / "cm.tif", array, resolution=(20_000, 10_000), resolutionunit="CENTIMETER")
    measured = open_source(tmp_path / "cm.tif").spec
    assert measured.units == ("centimeter", "centimeter")
    assert measured.scale == pytest.approx((1e-4, 5e-5))
    tifffile.imwrite(tmp_path / "inch.tif", array, resolution=(72, 72), resolutionunit="INCH")
    assert open_source(tmp_path / "inch.tif").spec.scale == (1.0, 1.0)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_colour_with_alpha_and_equal_channels(tmp_path, compression):
    rgba = RNG.integers(0, 255, (20, 30, 4), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", rgba, photometric="rgb", extrasamples=["unassalpha"], compression=compression)
    source = open_source(tmp_path / "a.tif")
    assert source.spec.rgb
    np.testing.assert_array_equal(source.read(), np.moveaxis(rgba[..., :3], -1, 0))
    tifffile.imwrite(tmp_path / "g.tif", np.dstack([rgba[..., 0]] * 3), photometric="rgb", compression=compression)
    np.testing.assert_array_equal(open_source(tmp_path / "g.tif").read(), rgba[..., 0])


def test_pyramid_levels_are_found(tmp_path):
    array = RNG.integers(0, 99, (256, 256), np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(array, tile=(64, 64), subifds=1)
        tiff.write(array[::2, ::2], tile=(64, 64), subfiletype=1)
    (half,) = open_source(tmp_path / "a.tif").levels()
    np.testing.assert_array_equal(half.read(), array[::2, ::2])
    assert half.spec.scale == (2.0, 2.0)
    chosen = open_source(tmp_path / "a.tif", level=1)
    np.testing.assert_array_equal(chosen.read(), array[::2, ::2])
    assert chosen.spec.scale == (2.0, 2.0)
    with pytest.raises(SourceError, match="levels 0 to 1"):
        open_source(tmp_path / "a.tif", level=2)


def test_a_stack_that_does_not_say_its_axes(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 8, 9), np.uint8), metadata=None)
    guessed = open_source(tmp_path / "a.tif")
    assert guessed.spec.axes == ("z", "y", "x")
    assert any("no axes in the metadata" in note for note in guessed.notes)
    assert open_source(tmp_path / "a.tif", axes="cyx").spec.axes == ("c", "y", "x")


def test_three_planes_of_16_bits_are_channels_whatever_the_tag_says(tmp_path):
    array = RNG.integers(0, 2**16, (3, 20, 30), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", planarconfig="separate")
    source = open_source(tmp_path / "a.tif")
    assert source.spec.axes == ("c", "y", "x")
    assert not source.spec.rgb
    np.testing.assert_array_equal(source.read(), array)


def test_damaged_tile_is_named(tmp_path):
    array = RNG.integers(0, 2**16, (128, 128), np.uint16)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, array, compression="zlib", tile=(64, 64))
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[0].dataoffsets[3]
    raw = bytearray(path.read_bytes())
    raw[place : place + 8] = b"\0" * 8
    path.write_bytes(raw)
    source = open_source(path)
    np.testing.assert_array_equal(source.read((slice(0, 64), slice(0, 64))), array[:64, :64])
    with pytest.raises(SourceError, match=r"a\.tif.*64:128"):
        source.read((slice(64, 128), slice(64, 128)))


def test_truncated_file(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((128, 128), np.uint16))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(SourceError, match=r"a\.tif"):
        open_source(path).read()


def test_missing_data_of_gdal_and_a_broken_description_are_noted(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.full((20, 30), -9999, np.float32), extratags=[(42113, 2, 0, "-9999", True)])
    assert any("-9999 hold no data" in note for note in open_source(path).notes)
    tifffile.imwrite(path, np.zeros((2, 20, 30), np.uint16), ome=True, metadata={"axes": "CYX", "PhysicalSizeX": 0.5})
    xml = tifffile.tiffcomment(path)
    assert not any("broken" in note for note in open_source(path).notes)
    tifffile.tiffcomment(path, xml[: len(xml) // 2].encode())
    assert any("OME-XML is broken or cut off" in note for note in open_source(path).notes)
