"""Arrays, .npy and pictures: axes, types, boxes, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from types import MappingProxyType

import dask.array as da
import numpy as np
import pytest
from PIL import Image

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.source import open_source


def test_reads_any_stored_order_as_tczyx():
    stored = np.arange(2 * 3 * 4 * 5 * 6, dtype=np.uint16).reshape(5, 2, 6, 3, 4)
    source = open_source(stored, axes="ztxcy")
    assert source.spec.axes == tuple("tczyx")
    assert source.spec.shape == (2, 3, 5, 4, 6)
    np.testing.assert_array_equal(source.read(), stored.transpose(1, 3, 0, 4, 2))
    box = (slice(1, 2), slice(0, 2), slice(2, 4), slice(1, 4), slice(3, 6))
    np.testing.assert_array_equal(source.read(box), source.read()[box])
    assert any("'ztxcy'" in note for note in source.notes)


@pytest.mark.parametrize(
    ("shape", "axes"), [((7, 9), "yx"), ((5, 7, 9), "zyx"), ((2, 3, 5, 7, 9), "tczyx")], ids=["2d", "3d", "5d"]
)
def test_guesses_axes_only_where_one_answer_is_likely(shape, axes):
    source = open_source(np.zeros(shape, np.uint16))
    assert "".join(source.spec.axes) == axes
    assert bool(source.notes) == (len(shape) > 2)


def test_four_dimensions_need_axes():
    with pytest.raises(SourceError, match=r"4 dimensions.*Give axes"):
        open_source(np.zeros((2, 3, 4, 5)))


@pytest.mark.parametrize(
    ("dtype", "read"),
    [(">u2", "uint16"), ("<i8", "int64"), (">f8", "float64"), ("bool", "uint8"), ("f2", "float16"), ("u8", "uint64")],
)
def test_types_become_native_and_keep_their_values(dtype, read):
    values = (np.arange(63).reshape(7, 9) % 2).astype(dtype)
    source = open_source(values)
    got = source.read()
    assert source.spec.dtype == read
    assert got.dtype.name == read
    assert got.dtype.isnative
    np.testing.assert_array_equal(got, values.astype(read))


def test_labels_of_64_bits_keep_their_last_digit():
    values = np.array([[2**63 + 1, 2**53 + 1]], np.uint64)
    np.testing.assert_array_equal(open_source(values).read(), values)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((4, 4), complex), "complex128.*magnitude"),
        (np.zeros((4, 4), "U3"), "pixel type"),
        (np.zeros((4, 4), "M8[s]"), "pixel type"),
        (np.zeros((0, 4)), "empty"),
        (np.zeros(4), "1 dimensions"),
        (3.5, "a float"),
        ([np.zeros((4, 4)), np.zeros((4, 4))], "is smaller"),
        ([1, 2], "a list of 2"),
    ],
    ids=["complex", "text", "dates", "empty", "1d", "number", "no pyramid", "list"],
)
def test_refuses_other_objects(array, words):
    with pytest.raises(SourceError, match=words):
        open_source(array)


@pytest.mark.parametrize(
    ("axes", "words"),
    [("yx", "3 dimensions"), ("zzx", "no letter twice"), ("tcz", "y and x"), ("ayx", "axis 'a'")],
)
def test_refuses_axes_that_do_not_fit(axes, words):
    with pytest.raises(SourceError, match=words):
        open_source(np.zeros((3, 4, 5)), axes=axes)


def test_singletons_that_are_no_axis_are_left_out_and_those_that_are_stay():
    source = open_source(np.arange(20).reshape(1, 1, 4, 5), axes="azyx")
    assert source.spec.axes == ("z", "y", "x")
    assert source.spec.shape == (1, 4, 5)
    assert any("'a'" in note for note in source.notes)


@pytest.mark.parametrize("bad", [0.0, -0.5, float("nan"), float("inf")])
def test_refuses_an_invalid_pixel_size(bad):
    with pytest.raises(SourceError, match=r"along y.*above 0"):
        open_source(np.zeros((4, 5)), scale=(bad, 1.0))


@pytest.mark.parametrize("scale", ["0.5", "0.5 um", (0.5, "0.5"), (None, 0.5), True, {"y": "0.5"}])
def test_a_pixel_size_is_a_number(scale):
    with pytest.raises(SourceError, match="size is a number"):
        open_source(np.zeros((8, 8)), scale=scale)


@pytest.mark.parametrize("units", ["s", "minutes", ("um", "ms"), {"x": "h"}])
def test_pixels_in_space_have_no_unit_of_time(units):
    with pytest.raises(SourceError, match="unit of length"):
        open_source(np.zeros((8, 8)), units=units)
    assert open_source(np.zeros((3, 8, 8)), axes="tyx", units=("s", "um", "um")).spec.unit_of("t") == "second"


def test_scale_and_units_in_stored_order_by_letter_or_for_all_of_space():
    array = np.zeros((6, 2, 4, 5))
    by_order = open_source(array, axes="zcyx", scale=(2.0, 1.0, 0.5, 0.5), units="um").spec
    by_space = open_source(array, axes="zcyx", scale=(2.0, 0.5, 0.5), units=("um", "um", "um")).spec
    by_letter = open_source(
        array, axes="zcyx", scale={"z": 2, "y": 0.5, "x": 0.5}, units={"z": "µm", "y": "micron", "x": "um"}
    )
    assert by_order == by_space == by_letter.spec
    assert by_order.scale == (1.0, 2.0, 0.5, 0.5)
    assert by_order.units == (None, "micrometer", "micrometer", "micrometer")
    with pytest.raises(SourceError, match="scale"):
        open_source(array, axes="zcyx", scale=(1.0, 2.0))


def test_lengths_are_brought_to_the_unit_of_x():
    source = open_source(np.zeros((3, 4, 5)), scale=(0.002, 0.5, 0.5), units=("mm", "um", "um"))
    assert source.spec.scale == pytest.approx((2.0, 0.5, 0.5))
    assert set(source.spec.units) == {"micrometer"}
    assert any("millimeter" in note for note in source.notes)


def test_missing_units_are_noted():
    source = open_source(np.zeros((3, 4, 5)), axes="zyx", units={"y": "um", "x": "um"})
    assert source.spec.units == (None, "micrometer", "micrometer")
    assert any("no unit is given along z" in note for note in source.notes)


@pytest.mark.parametrize(
    "box", [(slice(0, 4),), (slice(0, 5), slice(0, 5)), (slice(2, 2), slice(0, 5)), (slice(0, 4, 2), slice(0, 5))]
)
def test_refuses_boxes_outside(box):
    with pytest.raises(SourceError, match="box"):
        open_source(np.zeros((4, 5))).read(box)


def test_a_read_is_a_copy():
    array = np.zeros((4, 5))
    open_source(array).read()[:] = 1
    assert not array.any()


def test_levels_of_a_pyramid_in_memory():
    fine = np.arange(64, dtype=np.uint16).reshape(8, 8)
    source = open_source([fine, fine[::2, ::2], fine[::4, ::4]])
    np.testing.assert_array_equal(source.read(), fine)
    assert [level.spec.shape for level in source.levels()] == [(4, 4), (2, 2)]
    np.testing.assert_array_equal(open_source([fine, fine[::2, ::2]], level=1).read(), fine[::2, ::2])
    with pytest.raises(SourceError, match="0 to 1"):
        open_source([fine, fine[::2, ::2]], level=2)


def test_npy_is_mapped(tmp_path):
    array = np.random.default_rng(0).random((30, 40)).astype(">f4")
    np.save(tmp_path / "a.npy", array)
    source = open_source(tmp_path / "a.npy")
    assert isinstance(source._raw.pixels.mapped, np.memmap)
    np.testing.assert_array_equal(source.read((slice(3, 9), slice(5, 7))), array[3:9, 5:7])
    (tmp_path / "b.npy").write_bytes(b"no numbers")
    with pytest.raises(SourceError, match=r"b\.npy"):
        open_source(tmp_path / "b.npy")


def test_dask_is_computed_only_where_it_is_read():
    seen = []

    def load(block_info=None):
        seen.append(block_info[None]["array-location"])
        return np.full((10, 10), len(seen), np.uint8)

    lazy = da.map_blocks(load, chunks=((10,) * 20, (10,) * 20), dtype=np.uint8, meta=np.empty((0, 0), np.uint8))
    source = open_source(lazy)
    assert source.chunks == (10, 10)
    assert seen == []
    source.read((slice(15, 25), slice(0, 10)))
    assert len(seen) == 2


def test_dask_that_fails_is_a_source_error():
    def fail():
        raise OSError("disk gone")

    lazy = da.map_blocks(fail, chunks=((10,), (10,)), dtype=np.uint8, meta=np.empty((0, 0), np.uint8))
    with pytest.raises(SourceError, match="disk gone"):
        open_source(lazy).read()


def test_named_dimensions_and_coordinates_are_honoured():
    class Named:
        """Looks like an xarray.DataArray to a reader that has none."""

        dims = ("channel", "y", "x")
        shape = (2, 4, 5)
        dtype = np.dtype("u1")
        values = np.arange(40, dtype="u1").reshape(2, 4, 5)
        coords = MappingProxyType({"y": np.array([10.0, 12, 14, 16]), "x": np.arange(5) * 0.5})

        def __getitem__(self, index):
            return self.values[index]

    source = open_source(Named())
    assert source.spec.axes == ("c", "y", "x")
    assert source.spec.scale == (1.0, 2.0, 0.5)
    assert source.spec.translate == (0.0, 10.0, 0.0)
    np.testing.assert_array_equal(source.read(), Named.values)


def test_picture_in_colour_becomes_three_channels_without_alpha(tmp_path):
    rgba = np.random.default_rng(0).integers(0, 255, (20, 30, 4), np.uint8)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    for source in (open_source(tmp_path / "a.png"), open_source(rgba)):
        assert source.spec.rgb
        assert source.spec.axes == ("c", "y", "x")
        np.testing.assert_array_equal(source.read(), np.moveaxis(rgba[..., :3], -1, 0))
        assert any("alpha" in note for note in source.notes)


def test_picture_of_equal_channels_becomes_grey(tmp_path):
    grey = np.random.default_rng(0).integers(0, 255, (20, 30), np.uint8)
    Image.fromarray(np.dstack([grey] * 3)).save(tmp_path / "a.png")
    source = open_source(tmp_path / "a.png")
    assert not source.spec.rgb
    assert source.spec.axes == ("y", "x")
    np.testing.assert_array_equal(source.read(), grey)


def test_jpeg_and_palette_and_16_bit(tmp_path):
    rgb = np.zeros((16, 16, 3), np.uint8)
    rgb[:, 8:] = (200, 30, 30)
    Image.fromarray(rgb).save(tmp_path / "a.jpg", quality=95)
    assert open_source(tmp_path / "a.jpg").read().shape == (3, 16, 16)
    Image.fromarray(rgb).convert("P").save(tmp_path / "p.png")
    palette = open_source(tmp_path / "p.png")
    assert palette.spec.rgb
    assert any("RGB" in note for note in palette.notes)
    deep = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    Image.fromarray(deep).save(tmp_path / "d.png")
    np.testing.assert_array_equal(open_source(tmp_path / "d.png").read(), deep)


def test_png_of_16_bit_colours_is_refused_rather_than_halved(tmp_path):
    header = (
        b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + b"IHDR" + (4).to_bytes(4, "big") * 2 + bytes([16, 2, 0, 0, 0])
    )
    import zlib

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    rows = b"".join(b"\0" + bytes(24) for _ in range(4))
    body = header[:8] + chunk(b"IHDR", header[16:]) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "deep.png").write_bytes(body)
    with pytest.raises(SourceError, match=r"16 bits per colour.*TIFF"):
        open_source(tmp_path / "deep.png")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gone.tif", None, "there is nothing"),
        ("a.xyz", b"1", "ending"),
        ("cut.png", b"\x89PNG\r\n\x1a\n1234", "cannot be decoded"),
        ("cut.jpg", b"\xff\xd8\xff", "cannot be decoded"),
        ("empty.tif", b"", "is empty"),
    ],
)
def test_missing_and_unreadable_files_are_named(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=words) as caught:
        open_source(tmp_path / name)
    assert name in str(caught.value)


def test_level_of_what_has_no_pyramid():
    with pytest.raises(SourceError, match="no pyramid"):
        open_source(np.zeros((4, 5)), level=1)


def test_fingerprint_follows_pixels_and_metadata_but_not_the_place(tmp_path):
    array = np.random.default_rng(0).random((200, 300))
    np.save(tmp_path / "a.npy", array)
    np.save(tmp_path / "b.npy", array)
    one = open_source(tmp_path / "a.npy").fingerprint()
    assert one == open_source(tmp_path / "b.npy").fingerprint() == open_source(array).fingerprint()
    assert one != open_source(array, scale=2).fingerprint()
    array[150, 20] += 1e-9
    assert one != open_source(array).fingerprint()


def test_fingerprint_of_a_large_layer_reads_little():
    read = []

    class Huge:
        shape = (4, 200_000, 200_000)
        dtype = np.dtype("u2")
        chunks = (1, 1000, 1000)

        def __getitem__(self, index):
            read.append(tuple(part.stop - part.start for part in index))
            return np.full(read[-1], index[1].start % 65521, np.uint16)

    assert open_source(Huge()).fingerprint() == open_source(Huge()).fingerprint()
    assert sum(np.prod(r) for r in read) * 2 < 2 * 64 * 2**20


def test_opening_an_array_loads_no_reader_of_files():
    code = (
        "import sys, numpy; from napari_s1omni.storage.source import open_source; "
        "from napari_s1omni.storage.normalization_estimate import estimate_normalization; "
        "estimate_normalization(open_source(numpy.zeros((9, 9)))); "
        "print([name for name in ('zarr', 'dask', 'tifffile', 'PIL', 'nibabel', 'torch') if name in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
