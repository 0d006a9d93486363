"""What the numbers of a TIFF mean: 0 as white, palettes, inks, alpha, channels as samples, orientation."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.pixel_meaning.oriented_pixels import ORIENTATIONS, OrientedPixels
from napari_s1omni.storage.source import open_source

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (40, 50, 3), np.uint8)
TILED = {"compression": "zlib", "tile": (16, 16)}


def first(pixels):
    return np.moveaxis(pixels, -1, 0)


def said(source, *words):
    return all(any(word in note for note in source.notes) for word in words)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["u1", "u2", "u4", "i1", "i2", "?"]),
    st.sampled_from(["<", ">"]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_zero_as_white_is_inverted_so_that_order_of_brightness_is_kept(tmp_path_factory, kind, order, tiled, seed):
    path = tmp_path_factory.mktemp("white") / "a.tif"
    rng = np.random.default_rng(seed)
    dtype = np.dtype(kind)
    full = (0, 1) if kind == "?" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    stored = rng.integers(*full, (20, 35), endpoint=True, dtype=np.int64).astype(dtype)
    options = {} if kind == "?" or not tiled else TILED
    tifffile.imwrite(path, stored, photometric="miniswhite", byteorder=order, **options)
    source = open_source(path)
    expected = full[0] + full[1] - stored.astype(np.int64)
    np.testing.assert_array_equal(source.read(), expected)
    assert said(source, "MinIsWhite")
    box = (slice(3, 17), slice(20, 33))
    np.testing.assert_array_equal(source.read(box), expected[box])


def test_zero_as_white_in_floats_and_in_imagej_is_noted_and_not_inverted(tmp_path):
    floats = RNG.random((20, 30)).astype(np.float32)
    tifffile.imwrite(tmp_path / "f.tif", floats, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "i.tif", RGB[..., 0], photometric="miniswhite", imagej=True)
    for name, expected in (("f.tif", floats), ("i.tif", RGB[..., 0])):
        source = open_source(tmp_path / name)
        np.testing.assert_array_equal(source.read(), expected)
        assert said(source, "white")


def test_levels_are_inverted_too(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(RGB[..., 0], photometric="miniswhite", subifds=1, **TILED)
        tiff.write(RGB[::2, ::2, 0].copy(), photometric="miniswhite", subfiletype=1, **TILED)
    (half,) = open_source(tmp_path / "a.tif").levels()
    np.testing.assert_array_equal(half.read(), 255 - RGB[::2, ::2, 0])


def indexed(colours, numbers):
    picture = Image.fromarray(numbers, "P")
    picture.putpalette(colours.astype(np.uint8).tobytes())
    return picture


def write_palette(path, colours, numbers):
    """Write an indexed picture; return the colours that a viewer shows."""
    if path.suffix == ".tif":
        table = np.zeros((3, 256), np.uint16)
        table[:, : len(colours)] = colours.T.astype(np.uint16) * 257
        tifffile.imwrite(path, numbers, photometric="palette", colormap=table)
    else:
        indexed(colours, numbers).save(path)
    return first(colours[numbers])


@pytest.mark.parametrize("ending", [".png", ".gif", ".bmp", ".tga", ".tif"])
def test_palettes_are_read_alike_in_every_format(tmp_path, ending):
    numbers = RNG.integers(0, 200, (30, 40), np.uint8)
    path = tmp_path / f"a{ending}"
    colours = RNG.integers(0, 256, (256, 3), np.uint8)
    expected = write_palette(path, colours, numbers)
    source = open_source(path)
    assert source.spec.rgb
    assert said(source, "palette")
    np.testing.assert_array_equal(source.read(), expected)
    np.testing.assert_array_equal(source.read((slice(1, 3), slice(5, 9), slice(7, 8))), expected[1:3, 5:9, 7:8])

    grey = np.repeat(np.arange(255, -1, -1, dtype=np.uint8)[:, np.newaxis], 3, axis=1)
    write_palette(path, grey, numbers)
    source = open_source(path)
    assert source.spec.axes == ("y", "x")
    np.testing.assert_array_equal(source.read(), 255 - numbers)

    green = np.zeros((256, 3), np.uint8)
    green[:, 1] = np.arange(256)
    write_palette(path, green, numbers)
    source = open_source(path)
    assert source.spec.axes == ("y", "x")
    assert said(source, "palette")
    np.testing.assert_array_equal(source.read(), numbers)


@pytest.mark.parametrize("ending", [".png", ".bmp", ".tif"])
def test_the_numbers_behind_a_palette_are_read_on_request_and_as_labels(tmp_path, ending):
    labels = np.repeat(np.repeat(RNG.integers(0, 9, (6, 8), np.uint8), 5, 0), 5, 1)
    colours = RNG.integers(0, 256, (256, 3), np.uint8)
    path = tmp_path / f"a{ending}"
    write_palette(path, colours, labels)
    assert said(open_source(path), "axes='yx'", "labels")
    np.testing.assert_array_equal(open_source(path, axes="yx").read(), labels)
    np.testing.assert_array_equal(open_source(path, labels=True).read(), labels)


def test_labels_with_a_transparent_background_keep_their_numbers(tmp_path):
    labels = RNG.integers(0, 5, (20, 30), np.uint8)
    indexed(RNG.integers(0, 256, (5, 3), np.uint8), labels).save(tmp_path / "a.png", transparency=0)
    assert open_source(tmp_path / "a.png").spec.rgb
    np.testing.assert_array_equal(open_source(tmp_path / "a.png", labels=True).read(), labels)


def test_lookup_tables_are_how_numbers_are_shown_and_not_what_they_are(tmp_path):
    numbers = RNG.integers(0, 256, (30, 40), np.uint8)
    ramp = np.linspace(0, 1, 256)
    fire = np.stack([np.minimum(1, ramp * 2), ramp**2, np.minimum(1, ramp**4 * 2)], axis=1) * 255
    write_palette(tmp_path / "fire.tif", fire.astype(np.uint8), numbers)
    glasbey = RNG.integers(0, 65536, (3, 256)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "imagej.tif", numbers, photometric="palette", colormap=glasbey, imagej=True)
    deep = RNG.integers(0, 65536, (20, 30)).astype(np.uint16)
    table = RNG.integers(0, 65536, (3, 65536)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "deep.tif", deep, photometric="palette", colormap=table)
    for name, expected in (("fire.tif", numbers), ("imagej.tif", numbers), ("deep.tif", deep)):
        source = open_source(tmp_path / name)
        np.testing.assert_array_equal(source.read(), expected)
        assert said(source, "palette")
        assert open_source(tmp_path / name, axes="yxs").spec.rgb


def test_a_stack_of_palette_pages(tmp_path):
    numbers = RNG.integers(0, 9, (4, 20, 30), np.uint8)
    colours = RNG.integers(0, 256, (256, 3), np.uint8)
    table = colours.T.astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "a.tif", numbers, photometric="palette", colormap=table, metadata=None)
    source = open_source(tmp_path / "a.tif")
    assert source.spec.axes == ("c", "z", "y", "x")
    np.testing.assert_array_equal(source.read(), first(colours[numbers]))


def test_inks_and_video_colours_become_red_green_blue(tmp_path):
    picture = Image.fromarray(RGB)
    picture.convert("CMYK").save(tmp_path / "inks.tif")
    source = open_source(tmp_path / "inks.tif")
    np.testing.assert_array_equal(source.read(), first(np.asarray(picture.convert("CMYK").convert("RGB"))))
    assert said(source, "CMYK")
    tifffile.imwrite(tmp_path / "video.tif", np.asarray(picture.convert("YCbCr")), photometric="ycbcr")
    source = open_source(tmp_path / "video.tif")
    expected = first(np.asarray(picture.convert("YCbCr").convert("RGB"))).astype(int)
    assert np.abs(source.read().astype(int) - expected).max() <= 1
    assert said(source, "YCbCr")


def test_lab_colours_are_refused_with_the_way_out(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="cielab")
    with pytest.raises(SourceError, match=r"CIELab.*RGB"):
        open_source(tmp_path / "a.tif")


def test_samples_without_colour_are_channels(tmp_path):
    for count in (2, 3, 4, 5):
        samples = RNG.integers(0, 256, (30, 40, count), np.uint8)
        tifffile.imwrite(tmp_path / "a.tif", samples, photometric="minisblack", planarconfig="contig")
        source = open_source(tmp_path / "a.tif")
        assert source.spec.axes == ("c", "y", "x")
        assert not source.spec.rgb
        np.testing.assert_array_equal(source.read(), first(samples))
        np.testing.assert_array_equal(
            source.read((slice(1, 2), slice(4, 9), slice(0, 3))), first(samples)[1:2, 4:9, :3]
        )


def test_alpha_is_not_confused_with_a_fourth_sample(tmp_path):
    rgba = np.dstack([RGB, RNG.integers(1, 256, RGB.shape[:2], np.uint8)])
    tifffile.imwrite(tmp_path / "a.tif", rgba, photometric="rgb", extrasamples=["unspecified"])
    source = open_source(tmp_path / "a.tif")
    np.testing.assert_array_equal(source.read(), first(RGB))
    assert said(source, "unknown meaning")
    tifffile.imwrite(tmp_path / "b.tif", rgba.astype(np.uint16), photometric="rgb", extrasamples=["unspecified"])
    np.testing.assert_array_equal(open_source(tmp_path / "b.tif").read(), first(rgba))


def test_colours_multiplied_by_alpha_are_divided_by_it(tmp_path):
    alpha = RNG.integers(1, 256, RGB.shape[:2], np.uint8)
    multiplied = np.rint(RGB * (alpha[..., np.newaxis] / 255)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([multiplied, alpha]), photometric="rgb", extrasamples=["assocalpha"])
    source = open_source(tmp_path / "a.tif")
    assert said(source, "multiplied by alpha")
    error = np.abs(source.read().astype(float) - first(RGB))
    assert (error <= 1 + 128 / alpha).all()


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(ORIENTATIONS)), st.data())
def test_any_box_of_an_oriented_image_is_that_box_of_the_turned_image(orientation, data):
    stored = RNG.integers(0, 99, (2, 7, 9))
    turned = {
        2: stored[:, :, ::-1],
        3: stored[:, ::-1, ::-1],
        4: stored[:, ::-1],
        5: stored.swapaxes(1, 2),
        6: np.rot90(stored, -1, (1, 2)),
        7: np.rot90(stored, 2, (1, 2)).swapaxes(1, 2),
        8: np.rot90(stored, 1, (1, 2)),
    }[orientation]
    pixels = OrientedPixels(stored, orientation, 1, 2)
    assert pixels.shape == turned.shape
    box = []
    for n in turned.shape:
        start = data.draw(st.integers(0, n - 1))
        box.append(slice(start, data.draw(st.integers(start + 1, n))))
    np.testing.assert_array_equal(pixels[tuple(box)], turned[tuple(box)])


def test_the_tag_orientation_turns_image_and_pixel_size(tmp_path):
    options = {"resolution": (20_000, 10_000), "resolutionunit": "CENTIMETER", "photometric": "minisblack"}
    options["metadata"] = {"axes": "ZYX"}
    stored = RNG.integers(0, 999, (3, 20, 30)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stored, extratags=[(274, "H", 1, 6, True)], **options, **TILED)
    source = open_source(tmp_path / "a.tif")
    np.testing.assert_array_equal(source.read(), np.rot90(stored, -1, (1, 2)))
    assert source.spec.scale[1:] == pytest.approx((5e-5, 1e-4))
    assert said(source, "Orientation")
