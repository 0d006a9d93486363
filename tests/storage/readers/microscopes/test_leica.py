"""LIF, LOF, XLIF and XLEF: pixels, wavelengths, sizes and names, as liffile sees them."""

import hashlib
import struct
import time

import numpy as np
import pytest
import tifffile

pytest.importorskip("liffile", reason="needs the extra lif")
import liffile
from real_files import DATA, needs_files

import napari_s1omni
from napari_s1omni.benchmarks.reading.instrument_files.leica import write_lif, write_lof, write_xlef, write_xlif
from napari_s1omni.core.paths import join_reference
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.listing.image_headers import list_images
from napari_s1omni.storage.readers.registry import read_raw
from napari_s1omni.storage.source import open_source

LENGTHS = {
    "x": (0, 69 * 0.5e-6),
    "y": (0, 59 * 0.5e-6),
    "z": (0, 4 * 2e-6),
    "t": (0, 30.0),
    "l": (500e-9, 20e-9),
    "e": (450e-9, 30e-9),
}
ALL = slice(None)


def _random(*shape, dtype=np.uint16):
    return np.random.default_rng(sum(shape)).integers(0, 250, shape).astype(dtype)


def _one(path, pixels, axes, **options):
    return write_lif(path, [("image", pixels, axes, {"lengths": LENGTHS, **options})])


@needs_files
def test_wavelengths_of_a_real_file_are_channels_with_their_numbers():
    path = DATA / "leica_wavelength_sweep.lif"
    sums = ("5e7bbbb9cb78", "895117f22711", "ce30c4e87201")
    headers = list_images(path)
    assert [(h.name, h.axes, h.shape) for h in headers] == [
        ("x_y_lambdaEmi", "lyx", (20, 64, 64)),
        ("x_y_lambdaExc", "eyx", (15, 64, 64)),
        ("x_y_z_t_lambdaEmi", "tlzyx", (2, 10, 11, 64, 64)),
    ]
    assert [channel.emission for channel in headers[0].channels] == list(range(550, 741, 10))
    assert [channel.excitation for channel in headers[1].channels] == list(range(490, 561, 5))
    with liffile.LifFile(path) as file:
        for number, (header, expected) in enumerate(zip(headers, sums, strict=True)):
            raw = read_raw(join_reference(str(path), header.name), level=0)
            pixels = np.ascontiguousarray(raw.pixels[(ALL,) * len(header.shape)])
            assert hashlib.sha1(pixels.tobytes()).hexdigest().startswith(expected)
            assert np.array_equal(pixels, file.images[number].asarray())
            assert "".join(file.images[number].dims).translate(str.maketrans("λΛ", "le")).lower() == header.axes
            assert raw.axes == header.axes.replace("l", "c").replace("e", "c")
            assert raw.scale["x"] == pytest.approx(0.10481, abs=1e-5)
            assert any("wavelengths are read as channels" in note for note in raw.notes)
    source = open_source(join_reference(str(path), "2"))
    assert source.spec.scale == pytest.approx((80.91, 1, 0.5002027, 0.1048144, 0.1048144))
    assert source.spec.channel_names[:2] == ("550 nm", "555 nm")


@pytest.mark.parametrize(
    ("axes", "shape", "dtype"),
    [("tczyx", (3, 2, 5, 60, 70), np.uint16), ("yxs", (60, 70, 3), np.uint8), ("yx", (60, 70), np.float32)],
)
def test_pixels_and_sizes_are_those_of_the_library(tmp_path, axes, shape, dtype):
    pixels = _random(*shape, dtype=dtype)
    path = _one(tmp_path / "a.lif", pixels, axes, tables=("Green", "Red"))
    [header] = list_images(path)
    assert (header.axes, header.shape, header.dtype) == (axes, shape, np.dtype(dtype).name)
    known = {"t": 15.0, "z": 2.0, "y": 0.5, "x": 0.5}
    assert header.scale == tuple(None if a not in known else pytest.approx(known[a]) for a in axes)
    raw = read_raw(path, level=0)
    assert np.array_equal(raw.pixels[(ALL,) * len(shape)], pixels)
    with liffile.LifFile(path) as file:
        assert np.array_equal(file.images[0].asarray(), pixels)
        assert "".join(file.images[0].dims).lower() == axes
    if "c" in axes:
        assert raw.channel_names == ("Green", "Red")


def test_blue_first_is_read_as_red_first(tmp_path):
    pixels = _random(60, 70, 3, dtype=np.uint8)
    path = _one(tmp_path / "bgr.lif", pixels, "yxs", tags=(3, 2, 1))
    assert np.array_equal(read_raw(path, level=0).pixels[ALL, ALL, ALL], pixels[..., ::-1])
    assert np.array_equal(read_raw(path, level=0).pixels[ALL, ALL, slice(0, 1)], pixels[..., 2:])


def test_channels_and_wavelengths_become_one_axis(tmp_path):
    for axes in ("clyx", "elyx"):
        pixels = _random(2, 3, 60, 70)
        path = _one(tmp_path / f"{axes}.lif", pixels, axes, tables=("Green", "Red"))
        source = open_source(path)
        assert np.array_equal(source.read(), pixels.reshape(6, 60, 70))
        assert np.array_equal(source.read([slice(2, 5), ALL, ALL]), pixels.reshape(6, 60, 70)[2:5])
        first = "Green" if axes[0] == "c" else "450 nm"
        assert source.spec.channel_names[1] == f"{first} / 510 nm"
        assert any("one axis of channels" in note for note in source.notes)
        assert list_images(path)[0].axes == axes


def test_scans_without_rows(tmp_path):
    depth, lines, blocks = _random(5, 70), _random(9, 70), _random(6, 5, 70)
    source = open_source(_one(tmp_path / "xz.lif", depth, "zx"))
    assert np.array_equal(source.read(), depth)
    assert (source.spec.axes, source.spec.scale) == (("y", "x"), (2.0, 0.5))
    assert "this is an x-z scan: its rows are z" in source.notes
    assert list_images(tmp_path / "xz.lif")[0].axes == "zx"
    source = open_source(_one(tmp_path / "xt.lif", lines, "tx"))
    assert any("x-t scan" in note and "3.75 s" in note for note in source.notes)
    source = open_source(_one(tmp_path / "xzy.lif", blocks, "yzx"))
    assert np.array_equal(source.read(), blocks.transpose(1, 0, 2))


def test_names_come_from_folders_and_tiles(tmp_path):
    tiles = _random(4, 60, 70)
    path = write_lif(
        tmp_path / "project.lif",
        [
            ("day 1/well A/image", _random(60, 70), "yx", {}),
            ("day 1/well B/image", _random(60, 71), "yx", {}),
            ("twice", _random(60, 72), "yx", {}),
            ("twice", _random(60, 73), "yx", {}),
            ("mosaic", tiles, "myx", {}),
        ],
    )
    names = [header.name for header in list_images(path)]
    assert names[:2] == ["day 1/well A/image", "day 1/well B/image"]
    # The library keeps only the last of two images of one name.
    assert len(set(names)) == 8
    assert names[4:] == [f"mosaic/tile {i}" for i in range(4)]
    assert np.array_equal(open_source(join_reference(str(path), "mosaic/tile 2")).read(), tiles[2])
    assert open_source(join_reference(str(path), "3")).spec.shape == (60, 73)


def test_channels_of_different_types_are_images(tmp_path):
    path = _one(tmp_path / "a.lif", _random(2, 60, 70), "cyx")
    text = 'Resolution="16"'.encode("utf-16-le")
    data = path.read_bytes()
    at = data.index(text)
    path.write_bytes(data[:at] + 'Resolution="08"'.encode("utf-16-le") + data[at + len(text) :])
    assert [(h.name, h.dtype) for h in list_images(path)] == [
        ("image/channel 0", "uint8"),
        ("image/channel 1", "uint16"),
    ]


def test_pixels_in_other_files(tmp_path):
    pixels = _random(3, 60, 70)
    write_lof(tmp_path / "one.lof", "one", pixels, "zyx", lengths=LENGTHS)
    frames = []
    for z, plane in enumerate(pixels):
        tifffile.imwrite(tmp_path / f"plane {z}.tif", plane)
        frames.append((f"plane%20{z}.tif", z * plane.nbytes, plane.nbytes))
    write_xlif(tmp_path / "Lof.xlif", "by lof", pixels, "zyx", [("one.lof", 0, pixels.nbytes)], lengths=LENGTHS)
    write_xlif(tmp_path / "planes.xlif", "by planes", pixels, "zyx", frames, lengths=LENGTHS)
    for name in ("one.lof", "Lof.xlif", "planes.xlif"):
        source = open_source(tmp_path / name)
        assert np.array_equal(source.read(), pixels)
        assert np.array_equal(source.read([slice(1, 3), slice(9, 20), slice(30, 70)]), pixels[1:3, 9:20, 30:])
        assert source.spec.scale == (4.0, 0.5, 0.5)
    whole = write_xlef(tmp_path / "whole.xlef", ["lof.xlif", "planes.xlif", "gone.xlif"])
    assert [header.name for header in list_images(whole)] == ["by lof", "by planes"]
    source = open_source(join_reference(str(whole), "1"))
    assert np.array_equal(source.read(), pixels)
    assert any("gone.xlif" in note for note in source.notes)
    with pytest.raises(SourceError, match="copy the whole folder".capitalize()):
        list_images(write_xlef(tmp_path / "lost.xlef", ["gone.xlif"]))
    write_xlef(tmp_path / "circle.xlef", ["circle.xlef", "one.lof"])
    assert len(list_images(tmp_path / "circle.xlef")) == 1


def test_damage_is_named(tmp_path):
    images = [(f"image {i}", _random(60, 70 + i), "yx", {}) for i in range(3)]
    path = write_lif(tmp_path / "whole.lif", images)
    data = path.read_bytes()
    (tmp_path / "cut.lif").write_bytes(data[:-6000])
    # The images before the end are whole.
    assert np.array_equal(open_source(join_reference(str(tmp_path / "cut.lif"), "image 0")).read(), images[0][1])
    with pytest.raises(SourceError, match=r"'image 2' of .*cut\.lif cannot be read: the file ends"):
        open_source(join_reference(str(tmp_path / "cut.lif"), "image 2"))
    write_lif(tmp_path / "none.lif", [])
    (tmp_path / "empty.lif").write_bytes(b"")
    (tmp_path / "other.lif").write_bytes(b"II*\0" + bytes(300))
    for name, said in (("none", "holds no image"), ("empty", "empty"), ("other", "cannot be read|is a TIFF")):
        with pytest.raises(SourceError, match=said):
            open_source(tmp_path / f"{name}.lif")
    raw = read_raw(join_reference(str(path), "image 2"), level=0)
    with open(path, "r+b") as file:
        file.truncate(4000)
    with pytest.raises(SourceError, match="became shorter"):
        raw.pixels[ALL, ALL]


def test_many_images_are_listed_quickly(tmp_path):
    pixel = np.zeros((1, 1), np.uint8)
    path = write_lif(tmp_path / "many.lif", [(f"p/{i}", pixel, "yx", {}) for i in range(3_000)])
    begin = time.process_time()
    assert len(list_images(path)) == 3_000
    # A search through all images for each of them would take minutes.
    assert time.process_time() - begin < 20


def test_fifty_gigabytes_are_listed_at_once(tmp_path):
    small = _one(tmp_path / "a.lif", np.zeros((2, 100), np.uint8), "yx")
    edge = 220_000
    text = small.read_bytes().decode("latin-1")

    def wide(words):
        return "\0".join(words) + "\0"

    for old, new in (
        ('NumberOfElements="2"', f'NumberOfElements="{edge}"'),
        ('NumberOfElements="100"', f'NumberOfElements="{edge}"'),
        ('BytesInc="100"', f'BytesInc="{edge}"'),
    ):
        text = text.replace(wide(old), wide(new))
    data = text.encode("latin-1")
    xml = data[13 : data.index(struct.pack("<I", 0x70), 13)]
    head = struct.pack("<IIBI", 0x70, len(xml) + 5, 0x2A, len(xml) // 2)
    name = "MemBlock_0".encode("utf-16-le")
    block = struct.pack("<IIBQBI", 0x70, len(name) + 14, 0x2A, edge * edge, 0x2A, len(name) // 2) + name
    path = tmp_path / "huge.lif"
    with open(path, "wb") as file:
        file.write(head + xml + block)
        file.truncate(file.tell() + edge * edge)
    begin = time.process_time()
    assert list_images(path)[0].shape == (edge, edge)
    source = open_source(path)
    assert not source.read([slice(edge - 512, edge), slice(0, 512)]).any()
    assert time.process_time() - begin < 20


def test_labels_lie_in_the_world_of_their_source(tmp_path):
    yy, xx = np.mgrid[:120, :140]
    pixels = (200 * ((yy - 40) ** 2 + (xx - 70) ** 2 < 300)).astype(np.uint8)
    lengths = {"x": (0, 139 * 0.5e-6), "y": (0, 119 * 0.5e-6)}
    path = write_lif(tmp_path / "cells.lif", [("a", pixels, "yx", {"lengths": lengths}), ("b", pixels, "yx", {})])
    result = napari_s1omni.segment(
        join_reference(str(path), "a"), tmp_path / "out.zarr", prompt="nuclei, 10 um", engine="reference"
    )
    labels = open_source(tmp_path / "out.zarr")
    assert (labels.spec.scale, labels.spec.units) == ((0.5, 0.5), ("micrometer", "micrometer"))
    assert labels.spec.translate == (0, 0)
    found = np.argwhere(result.array[...] > 0)
    assert found.mean(0) * 0.5 == pytest.approx((20, 35), abs=0.5)
