"""Headers that lie: an error of this package or a note, whatever the library of the format raises."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import struct
import zlib

import numcodecs
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_s1omni.benchmarks.fuzzing.damaged_bytes import ANY
from napari_s1omni.benchmarks.fuzzing.damaged_headers import nifti_field
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.source import open_source

VALUES = np.random.default_rng(0).integers(1, 999, (40, 64), np.uint16)
XYZT_UNITS, VOX_OFFSET, SROW, DATATYPE, DIM = 123, 108, 280, 70, 40


@pytest.fixture(scope="module")
def volume(tmp_path_factory):
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(np.arange(120, dtype=np.int16).reshape(4, 5, 6), np.diag([0.5, 0.5, 2, 1]))
    image.header.set_xyzt_units("mm", "sec")
    path = tmp_path_factory.mktemp("volume") / "a.nii"
    nibabel.save(image, path)
    return path.read_bytes()


def put(data, at, form, value):
    changed = bytearray(data)
    struct.pack_into(form, changed, at, value)
    return bytes(changed)


def noted(source, word):
    return any(word in note for note in source.notes)


@pytest.mark.parametrize(
    ("at", "form", "value"),
    [
        *((VOX_OFFSET, "<f", np.inf), (VOX_OFFSET, "<f", 1e30), (DATATYPE, "<h", 5), (DIM + 2, "<h", 32767)),
        *((DIM + 2, "<h", 0), (DIM, "<h", 7)),
    ],
)
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_nifti_header_that_cannot_be_is_refused(tmp_path, volume, at, form, value, name):
    data = put(volume, at, form, value)
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    with pytest.raises(SourceError, match=r"a\.nii"):
        open_source(tmp_path / name).read()


def test_unknown_units_and_a_broken_affine_of_a_nifti_are_noted(tmp_path, volume):
    (tmp_path / "u.nii").write_bytes(put(volume, XYZT_UNITS, "b", 5))
    source = open_source(tmp_path / "u.nii")
    assert source.spec.units == (None,) * 3
    assert source.spec.scale == (2, 0.5, 0.5)
    assert noted(source, "units of the header")
    for value in (np.nan, np.inf):
        (tmp_path / "s.nii").write_bytes(put(volume, SROW, "<f", value))
        source = open_source(tmp_path / "s.nii")
        assert source.spec.scale == (2, 0.5, 0.5)
        assert not source.placed
        assert noted(source, "affine of the header is damaged")


@settings(max_examples=80, deadline=None)
@given(st.booleans(), st.integers(0, 2**32), st.sampled_from([nifti_field, *ANY]))
def test_a_damaged_nifti_is_read_or_refused(tmp_path_factory, volume, compressed, seed, change):
    path = tmp_path_factory.mktemp("nifti") / ("a.nii.gz" if compressed else "a.nii")
    data = bytearray(gzip.compress(volume, mtime=0) if compressed else volume)
    change(data, random.Random(seed))
    path.write_bytes(bytes(data))
    with contextlib.suppress(SourceError):
        open_source(path).read()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(ANY))
def test_a_damaged_npy_is_read_or_refused(tmp_path_factory, seed, change):
    path = tmp_path_factory.mktemp("npy") / "a.npy"
    np.save(path, VALUES[:4, :4])
    data = bytearray(path.read_bytes())
    change(data, random.Random(seed))
    path.write_bytes(bytes(data))
    with contextlib.suppress(SourceError):
        open_source(path).read()


def test_the_header_of_an_npy_may_be_cut(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    data = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(data[:8] + struct.pack("<H", 30) + data[10:40])
    with pytest.raises(SourceError, match=r"a\.npy is not a \.npy file"):
        open_source(tmp_path / "a.npy")


@pytest.mark.parametrize(("tag", "value"), [("StripByteCounts", 2**31 - 1), ("StripOffsets", 4)])
def test_strips_are_in_the_file(tmp_path, tag, value):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, VALUES, compression="zlib", rowsperstrip=40)
    with tifffile.TiffFile(path) as tiff:
        at = tiff.pages[0].tags[tag].valueoffset
    path.write_bytes(put(path.read_bytes(), at, "<I", value))
    with pytest.raises(SourceError, match=r"a\.tif is damaged or ends before its pixels do"):
        open_source(path)


def test_a_tile_is_not_far_larger_than_its_bytes(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, VALUES, compression="zlib", tile=(48, 64))
    with tifffile.TiffFile(path) as tiff:
        places = [tiff.pages[0].tags[name].valueoffset for name in ("TileWidth", "TileLength")]
    data = path.read_bytes()
    for at in places:
        data = put(data, at, "<H", 65520)
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"a\.tif is damaged"):
        open_source(path)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 3), st.sampled_from([None, "zlib"]), st.booleans())
def test_a_pyramid_of_subifds_with_described_axes_is_whole(tmp_path_factory, count, compression, described):
    path = tmp_path_factory.mktemp("pyramid") / "a.tif"
    fine = np.repeat(np.repeat(VALUES, 2, 0), 2, 1)
    options = {"tile": (16, 16), "photometric": "minisblack", "compression": compression}
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(fine, subifds=count, metadata={"axes": "YX"} if described else None, **options)
        for i in range(count):
            step = 2 ** (i + 1)
            tiff.write(fine[::step, ::step].copy(), subfiletype=1, metadata=None, **options)
    source = open_source(path)
    np.testing.assert_array_equal(source.read(), fine)
    assert [level.spec.shape for level in source.levels()] == [(80 >> i, 128 >> i) for i in range(1, count + 1)]
    assert not noted(source, "corrupted")


def png(*parts):
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_a_png_has_its_palette_and_no_part_larger_than_itself(tmp_path):
    header = struct.pack(">IIBBBBB", 4, 4, 8, 3, 0, 0, 0)
    pixels, colours = zlib.compress(b"\0\1\2\3\4" * 4), bytes(range(15))
    path = tmp_path / "a.png"
    path.write_bytes(png((b"IHDR", header), (b"PLTE", colours), (b"IDAT", pixels), (b"IEND", b"")))
    assert open_source(path, labels=True).read().max() == 4
    path.write_bytes(png((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")))
    with pytest.raises(SourceError, match="palette, which is missing"):
        open_source(path)
    Image.fromarray(VALUES.astype(np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-12] + struct.pack(">I", 2**31) + b"tEXt")
    with pytest.raises(SourceError, match=r"claims 2,147,483,648 bytes"):
        open_source(path)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("inside", ["", "0"])
@pytest.mark.parametrize("attributes", [[], [1], "text", 3])
def test_attributes_that_are_no_object_are_refused(tmp_path, zarr_format, inside, attributes):
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path, zarr_format=zarr_format)
    group.create_array("0", data=VALUES, chunks=(16, 16))
    if zarr_format == 2:
        (path / inside / ".zattrs").write_text(json.dumps(attributes))
    else:
        document = json.loads((path / inside / "zarr.json").read_text())
        (path / inside / "zarr.json").write_text(json.dumps({**document, "attributes": attributes}))
    with pytest.raises(SourceError, match="cannot be understood"):
        open_source(path / inside, axes="yx")


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("length", [2**53 + 2, 10**19, 10**30])
def test_no_array_is_that_long(tmp_path, zarr_format, length):
    zarr.create_array(tmp_path / "a.zarr", data=VALUES, chunks=(16, 16), zarr_format=zarr_format)
    document = tmp_path / "a.zarr" / ("zarr.json" if zarr_format == 3 else ".zarray")
    document.write_text(json.dumps({**json.loads(document.read_text()), "shape": [40, length]}))
    (tmp_path / "a.zarr" / "notes.txt").write_text("mine")
    with pytest.raises(SourceError, match="px along each dimension"):
        open_source(tmp_path / "a.zarr", axes="yx")


def test_a_group_with_the_document_of_an_array_is_the_image_that_it_describes(tmp_path):
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path, zarr_format=2)
    group.create_array("0", data=VALUES, chunks=(16, 16))
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "yx"]
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [0.5, 0.5]}]}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    (path / ".zarray").write_bytes((path / "0" / ".zarray").read_bytes())
    source = open_source(path)
    np.testing.assert_array_equal(source.read(), VALUES)
    assert (source.spec.scale, source.spec.units) == ((0.5, 0.5), ("micrometer",) * 2)
    assert noted(source, "the group is read")
    (path / ".zgroup").unlink()
    assert noted(open_source(path, axes="yx"), "multiscales is not read")


@pytest.mark.parametrize("names", [("DAPI",), ("DAPI", "GFP")])
def test_the_name_of_the_only_channel_is_not_lost_in_silence(tmp_path, names):
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    group.create_array("0", data=VALUES, chunks=(16, 16))
    axes = [{"name": a, "type": "space"} for a in "yx"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [{"path": "0"}]}]
    group.attrs["omero"] = {"channels": [{"label": name} for name in names]}
    source = open_source(tmp_path / "a.zarr")
    assert source.spec.channel_names == ()
    assert noted(source, "DAPI")
    tifffile.imwrite(tmp_path / "a.ome.tif", VALUES, metadata={"axes": "YX", "Channel": {"Name": "DAPI"}})
    assert noted(open_source(tmp_path / "a.ome.tif"), "the channel name 'DAPI' is left out")


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([2, 3]), st.floats(0, 0.999), st.sampled_from(["lz4", "zstd", "blosclz"]), st.booleans())
def test_a_blosc_chunk_that_is_cut_off_is_an_error_and_never_other_pixels(tmp_path_factory, version, part, name, noise):
    path = tmp_path_factory.mktemp("blosc") / "a.zarr"
    pixels = VALUES if noise else np.full_like(VALUES, 7)
    codec = numcodecs.Blosc(cname=name) if version == 2 else zarr.codecs.BloscCodec(cname=name)
    zarr.create_array(path, data=pixels, chunks=(16, 16), compressors=codec, zarr_format=version)
    np.testing.assert_array_equal(open_source(path, axes="yx").read(), pixels)
    chunk = path / ("1.2" if version == 2 else "c/1/2")
    data = chunk.read_bytes()
    chunk.write_bytes(data[: int(part * len(data))])
    with pytest.raises(SourceError, match="cut off"):
        open_source(path, axes="yx").read()


def test_a_unit_that_is_no_text_is_noted(tmp_path):
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    group.create_array("0", data=VALUES, chunks=(16, 16))
    axes = [{"name": a, "type": "space", "unit": unit} for a, unit in (("y", 0), ("x", None))]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [{"path": "0"}]}]
    source = open_source(tmp_path / "a.zarr")
    assert source.spec.units == (None, None)
    assert [note for note in source.notes if "unit of axis" in note] == [
        "the unit of axis y is 0, which is no text; it is not read"
    ]


def test_a_tiff_whose_first_image_lost_its_size_says_which_is_read(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tiff:
        for pixels in (VALUES, VALUES[::2, ::2].copy()):
            tiff.write(pixels, tile=(16, 16), compression="zlib", metadata=None)
    with tifffile.TiffFile(path) as tiff:
        at = tiff.pages[0].tags["ImageLength"].offset
    path.write_bytes(put(path.read_bytes(), at, "<H", 1))
    source = open_source(path)
    assert source.spec.shape == (20, 32)
    assert noted(source, "image 1 of the 2 in the file is read; 1 without pixels")
