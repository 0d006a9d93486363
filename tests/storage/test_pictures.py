"""Pictures: formats, bits, orientation of the camera, frames, print resolution, files that are cut off."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, features

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.pixel_meaning.oriented_pixels import ORIENTATIONS
from napari_s1omni.storage.source import open_source

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (40, 50, 3), np.uint8)
GREY = RNG.integers(0, 256, (40, 50), np.uint8)
DEEP = RNG.integers(0, 2**16, (40, 50), np.uint16)
EXACT = {".webp": {"lossless": True}, ".jp2": {"irreversible": False}, ".j2k": {"irreversible": False}}

needs_jpeg_2000 = pytest.mark.skipif(not features.check("jpg_2000"), reason="this Pillow has no JPEG 2000")
COLOUR_ENDINGS = [
    *(".png", ".bmp", ".dib", ".tga", ".ppm", ".webp"),
    pytest.param(".jp2", marks=needs_jpeg_2000),
    pytest.param(".j2k", marks=needs_jpeg_2000),
]


def first(pixels):
    return np.moveaxis(pixels, -1, 0)


def said(source, word):
    return any(word in note for note in source.notes)


@pytest.mark.parametrize("ending", COLOUR_ENDINGS)
def test_formats_without_loss(tmp_path, ending):
    for pixels, expected in ((RGB, first(RGB)), (GREY, GREY)):
        if ending == ".ppm" and pixels is GREY:
            continue
        Image.fromarray(pixels).save(tmp_path / f"a{ending}", **EXACT.get(ending, {}))
        source = open_source(tmp_path / f"a{ending}")
        np.testing.assert_array_equal(source.read(), expected)
        assert source.spec.rgb == (pixels is RGB)


@pytest.mark.parametrize("ending", [".jpg", ".jpeg", ".jpe", ".jfif"])
def test_endings_of_jpeg(tmp_path, ending):
    Image.fromarray(GREY).save(tmp_path / f"a{ending}", "JPEG")
    assert open_source(tmp_path / f"a{ending}").spec.shape == (40, 50)


def test_bits_of_grey(tmp_path):
    for name, pixels in (("a.png", DEEP), ("b.pgm", DEEP), ("c.pgm", GREY), ("d.png", GREY > 99), ("e.pbm", GREY > 99)):
        Image.fromarray(pixels).save(tmp_path / name)
        source = open_source(tmp_path / name)
        np.testing.assert_array_equal(source.read(), pixels)
        assert source.spec.dtype == ("uint8" if pixels.dtype == bool else pixels.dtype.name)
    Image.fromarray(GREY.astype(np.float32)).save(tmp_path / "f.pfm")
    np.testing.assert_array_equal(open_source(tmp_path / "f.pfm").read(), GREY)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 65535), st.booleans(), st.integers(0, 2**32 - 1))
def test_values_of_a_pgm_are_those_in_the_file(tmp_path_factory, top, plain, seed):
    values = np.random.default_rng(seed).integers(0, top, (5, 7), endpoint=True)
    path = tmp_path_factory.mktemp("pgm") / "a.pgm"
    body = (
        " ".join(map(str, values.ravel())).encode() if plain else values.astype(">u2" if top > 255 else "u1").tobytes()
    )
    path.write_bytes(f"P{2 if plain else 5}\n# a comment\n7 5\n{top}\n".encode() + body)
    np.testing.assert_array_equal(open_source(path).read(), values)


def test_more_than_8_bits_per_colour_are_refused_rather_than_dropped(tmp_path):
    (tmp_path / "a.ppm").write_bytes(b"P6 50 40 65535\n" + RGB.astype(">u2").tobytes())
    with pytest.raises(SourceError, match=r"16 bits per colour.*TIFF"):
        open_source(tmp_path / "a.ppm")
    # The header of a JPEG 2000 with three components of 12 bits.
    segment = bytes([0, 47, 0, 0]) + (8).to_bytes(4, "big") * 2 + bytes(8) + (8).to_bytes(4, "big") * 2 + bytes(8)
    segment += (3).to_bytes(2, "big") + bytes([11, 1, 1]) * 3
    (tmp_path / "a.j2k").write_bytes(b"\xff\x4f\xff\x51" + segment + bytes(50))
    with pytest.raises(SourceError, match=r"12 bits per colour.*TIFF"):
        open_source(tmp_path / "a.j2k")


def test_grey_png_of_4_bits_says_how_it_is_scaled(tmp_path):
    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = (4).to_bytes(4, "big") + (1).to_bytes(4, "big") + bytes([4, 0, 0, 0, 0])
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\x01\x2f")) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    source = open_source(tmp_path / "a.png")
    np.testing.assert_array_equal(source.read(), [[0, 17, 34, 255]])
    assert said(source, "0 to 15")


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(ORIENTATIONS)), st.sampled_from([".png", ".jpg", ".webp"]), st.booleans())
def test_the_camera_may_be_turned(tmp_path_factory, orientation, ending, grey):
    path = tmp_path_factory.mktemp("camera") / f"a{ending}"
    about = Image.Exif()
    about[0x0112] = orientation
    picture = Image.fromarray(GREY if grey else RGB)
    picture.save(path, exif=about, **EXACT.get(ending, {}))
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("L" if grey else "RGB"))
    source = open_source(path)
    assert said(source, "Orientation")
    np.testing.assert_array_equal(source.read(), expected if grey else first(expected))


@pytest.mark.parametrize("ending", [".gif", ".png", ".webp"])
def test_frames_are_time(tmp_path, ending):
    frames = [np.roll(RGB // 64 * 64, i, axis=0) for i in range(4)]
    one, *others = (Image.fromarray(frame) for frame in frames)
    path = tmp_path / f"a{ending}"
    one.save(path, save_all=True, append_images=others, duration=250, **EXACT.get(ending, {}))
    source = open_source(path)
    assert source.spec.axes == ("t", "c", "y", "x")
    assert source.spec.scale[0] == 0.25
    assert source.spec.units[0] == "second"
    np.testing.assert_array_equal(source.read(), np.moveaxis(np.stack(frames), -1, 1))
    assert said(source, "4 frames")


def test_grey_frames_of_uneven_duration(tmp_path):
    frames = [np.roll(GREY, i, axis=0) for i in range(3)]
    one, *others = (Image.fromarray(frame) for frame in frames)
    one.save(tmp_path / "a.gif", save_all=True, append_images=others, duration=[100, 50, 100])
    source = open_source(tmp_path / "a.gif")
    assert source.spec.axes == ("t", "y", "x")
    assert source.spec.units[0] is None
    np.testing.assert_array_equal(source.read(), np.stack(frames))


def test_further_views_of_a_camera_are_no_frames(tmp_path):
    one, other = Image.fromarray(GREY), Image.fromarray(GREY[::-1].copy())
    one.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[other])
    source = open_source(tmp_path / "a.jpg")
    assert source.spec.axes == ("y", "x")
    assert said(source, "first of 2")


def test_colours_for_printing(tmp_path):
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    source = open_source(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        np.testing.assert_array_equal(source.read(), first(np.asarray(image.convert("RGB"))))
    assert said(source, "CMYK")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp"])
def test_dots_per_inch_are_no_pixel_size(tmp_path, name):
    Image.fromarray(GREY).save(tmp_path / name, dpi=(300, 300))
    source = open_source(tmp_path / name)
    assert source.spec.units == (None, None)
    assert said(source, "printing")


def test_every_form_of_transparency_becomes_alpha(tmp_path):
    alpha = RNG.integers(0, 256, GREY.shape, np.uint8)
    Image.fromarray(np.dstack([GREY, alpha])).save(tmp_path / "grey_alpha.png")
    Image.fromarray(GREY).save(tmp_path / "grey_key.png", transparency=7)
    Image.fromarray(RGB).save(tmp_path / "colour_key.png", transparency=(1, 2, 3))
    Image.fromarray(RGB).quantize(9).save(tmp_path / "palette.png", transparency=3)
    for name in ("grey_alpha.png", "grey_key.png", "colour_key.png", "palette.png"):
        source = open_source(tmp_path / name)
        assert source._raw.pixels.shape[-1] in (2, 4)
        assert said(source, "alpha")


def test_too_large_pictures_name_the_way_out(tmp_path, monkeypatch):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(SourceError, match=r"a\.png is too large.*tiled TIFF"):
        open_source(tmp_path / "a.png")


def test_pictures_that_look_too_large_but_are_not_are_read_without_a_warning(tmp_path, monkeypatch):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1500)
    np.testing.assert_array_equal(open_source(tmp_path / "a.png").read(), first(RGB))


CUT = [".png", ".jpg", ".gif", ".bmp", ".webp", ".tga", ".ppm", ".tif", ".tiled.tif", ".imagej.tif", ".pages.tif"]
CUT += [".jp2"] if features.check("jpg_2000") else []


def write_whole(path):
    stack = {"photometric": "minisblack"}
    volume = np.stack([DEEP] * 4)
    if path.name.endswith("tiled.tif"):
        tifffile.imwrite(path, volume, tile=(16, 16), compression="zlib", **stack)
    elif path.name.endswith("imagej.tif"):
        tifffile.imwrite(path, volume, imagej=True)
    elif path.name.endswith("pages.tif"):
        tifffile.imwrite(path, volume, metadata=None, compression="zlib", **stack)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, volume, **stack)
    else:
        Image.fromarray(RGB).save(path)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CUT), st.floats(0, 0.98))
def test_a_file_that_is_cut_off_is_an_error_and_never_half_an_image(tmp_path_factory, ending, part):
    folder = tmp_path_factory.mktemp("cut")
    whole, cut = folder / f"whole{ending}", folder / f"cut{ending}"
    write_whole(whole)
    content = whole.read_bytes()
    cut.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(SourceError, match="cut"):
        open_source(cut).read()


def test_hyperstacks_of_imagej_above_4_gb(tmp_path):
    planes, plane = 1100, np.zeros((1024, 2048), np.uint16)
    about = f"ImageJ=1.53\nimages={planes}\nslices={planes}\nunit=micron\nspacing=2.0\n"
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, plane, description=about, metadata=None, resolution=(4, 4), byteorder=">")
    with tifffile.TiffFile(path) as tiff:
        start = tiff.pages.first.dataoffsets[0]
    with path.open("r+b") as file:
        file.truncate(start + planes * plane.nbytes)
        file.seek(start + (planes - 1) * plane.nbytes)
        file.write(np.full(9, 777, ">u2").tobytes())
    source = open_source(path)
    assert source.spec.scale == (2.0, 0.25, 0.25)
    np.testing.assert_array_equal(
        source.read((slice(planes - 1, planes), slice(0, 1), slice(0, 11))), [[[777] * 9 + [0, 0]]]
    )
    with path.open("r+b") as file:
        file.truncate(start + (planes - 9) * plane.nbytes)
    with pytest.raises(SourceError, match="ends before its pixels do"):
        open_source(path)
