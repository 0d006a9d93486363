"""TIFF whose tiles are compressed as slide scanners and microscopes do; `imagecodecs` decodes them."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.source import open_source

pytest.importorskip("imagecodecs", reason="needs imagecodecs (the extra 'slides')")

RNG = np.random.default_rng(0)
SMOOTH = np.add.outer(np.arange(256), np.arange(320)).astype(np.float32)[..., None] * (0.3, 0.2, 0.4)
PICTURE = np.clip(SMOOTH + RNG.normal(0, 2, SMOOTH.shape), 0, 255).astype(np.uint8)
DEEP = RNG.integers(0, 4096, (256, 320), np.uint16)
LOSSY = 12
"""Most that one value may differ after JPEG at a quality of 95."""


def write(path, pixels, compression, **options):
    with tifffile.TiffWriter(path) as tiff:
        for number, level in enumerate((pixels, pixels[::2, ::2])):
            tiff.write(level, tile=(64, 64), compression=compression, metadata=None, **options, subfiletype=number)
    return path


@pytest.mark.parametrize("codec", ["lzw", "zstd", "lzma", "packbits", "jpeg2000", "jpegxl", "lerc"])
def test_lossless_tiles(tmp_path, codec):
    options = {"compressionargs": {"reversible": True}} if codec == "jpeg2000" else {}
    path = write(tmp_path / "a.tif", DEEP, codec, photometric="minisblack", **options)
    source = open_source(path)
    np.testing.assert_array_equal(source.read(), DEEP)
    np.testing.assert_array_equal(source.levels()[0].read(), DEEP[::2, ::2])


@pytest.mark.parametrize("name", ["a.svs", "a.tif"])
@pytest.mark.parametrize("stored", ["ycbcr", "rgb"])
def test_colours_in_jpeg_tiles(tmp_path, name, stored):
    about = "Aperio Image Library v12\r\n320x256 (64x64) JPEG/RGB Q=95|AppMag = 20|MPP = 0.5"
    options = {"photometric": "rgb", "compressionargs": {"level": 95, "outcolorspace": stored}, "description": about}
    source = open_source(write(tmp_path / name, PICTURE, "jpeg", **options))
    found = np.moveaxis(source.read().astype(int), 0, -1)
    assert source.spec.rgb
    assert abs(found - PICTURE).max() <= LOSSY
    assert source.spec.scale[1:] == (0.5, 0.5)


def test_a_damaged_tile_is_named_and_the_others_are_read(tmp_path):
    path = write(tmp_path / "a.tif", PICTURE, "jpeg", photometric="rgb")
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        where, size = page.dataoffsets[7], page.databytecounts[7]
    with path.open("r+b") as file:
        file.seek(where)
        file.write(bytes(size))
    source = open_source(path)
    row, column = divmod(7, 5)
    with pytest.raises(SourceError, match=rf"a\.tif.*{64 * row}:{64 * row + 64}, {64 * column}:"):
        source.read((slice(0, 3), slice(64 * row, 64 * row + 64), slice(64 * column, 64 * column + 64)))
    assert source.read((slice(0, 3), slice(0, 64), slice(0, 64))).shape == (3, 64, 64)
