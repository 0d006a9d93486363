"""CZI: pixels, sizes, names, scenes, levels and colours, as pylibCZIrw sees them."""

import hashlib
import struct
import time

import numpy as np
import pytest

pytest.importorskip("pylibCZIrw", reason="needs the extra czi")
from pylibCZIrw import czi as library
from real_files import DATA, needs_files

from napari_s1omni.benchmarks.reading.instrument_files.zeiss import write_czi, write_pyramid
from napari_s1omni.core.paths import join_reference
from napari_s1omni.errors import SeveralImages, SourceError
from napari_s1omni.storage.listing.image_headers import list_images
from napari_s1omni.storage.readers.microscopes.czi_metadata import read_metadata
from napari_s1omni.storage.readers.registry import read_raw
from napari_s1omni.storage.source import open_source


def _random(*shape, dtype=np.uint16):
    rng = np.random.default_rng(sum(shape))
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def _tiles(pixels, step, plane=None, at=(0, 0), scene=0):
    """Cut a plane into tiles of `step` pixels."""
    for y in range(0, pixels.shape[0], step):
        for x in range(0, pixels.shape[1], step):
            yield pixels[y : y + step, x : x + step], (at[0] + x, at[1] + y), plane or {}, scene


@needs_files
def test_a_real_file_has_the_values_of_its_library():
    path = DATA / "zeiss_t3_z5_c2.czi"
    source = open_source(path)
    spec = source.spec
    assert (spec.axes, spec.shape, spec.dtype) == (tuple("tczyx"), (3, 2, 5, 170, 240), "uint16")
    np.testing.assert_allclose(spec.scale, (60.05, 1, 0.32, 0.0905767, 0.0905767), rtol=1e-3)
    assert spec.units == ("second", None, "micrometer", "micrometer", "micrometer")
    assert spec.channel_names == ("LED555", "LED470")
    assert source.notes == ()
    plane = source.read([slice(1, 2), slice(1, 2), slice(2, 3), slice(None), slice(None)])
    assert hashlib.sha1(plane.tobytes()).hexdigest().startswith("4d45ac2984b1")
    with library.open_czi(str(path)) as document:
        ours = source.read()
        for t, c, z in np.ndindex(3, 2, 5):
            assert np.array_equal(ours[t, c, z], document.read(plane={"T": t, "C": c, "Z": z})[..., 0])
    about = read_raw(path, level=0).acquisition
    assert (about.objective, about.magnification, about.numerical_aperture) == ("Plan-Apochromat 50x/1.2", 50, 1.2)
    assert (about.date[:10], about.bit_depth) == ("2016-02-12", 14)
    assert [(c.name, c.color, c.emission, c.excitation) for c in about.channels] == [
        ("LED555", "FF7E00", 568, 553),
        ("LED470", "00FF33", 517, 493),
    ]


@pytest.mark.parametrize("compression", [None, "zstd1:ExplicitLevel=2"])
def test_windows_of_a_mosaic_are_those_of_the_library(tmp_path, compression):
    image = _random(700, 900)
    path = write_czi(tmp_path / "m.czi", _tiles(image, 300, at=(-450, 77)), {0: "DAPI"}, compression=compression)
    raw = read_raw(path, level=0)
    assert (raw.axes, raw.pixels.shape, raw.chunks) == ("cyx", (1, 700, 900), (1, 300, 300))
    assert raw.channel_names == ("DAPI",)
    for y, x in ((0, 0), (188, 388), (450, 290)):
        window = raw.pixels[slice(0, 1), slice(y, y + 212), slice(x, x + 512)]
        assert np.array_equal(window[0], image[y : y + 212, x : x + 512])


def test_each_scene_is_an_image(tmp_path):
    scenes = [_random(2, 40 + s, 50) for s in range(3)]
    tiles = [(image[c], (1000 * s, 30 * s), {"C": c}, s) for s, image in enumerate(scenes) for c in range(len(image))]
    path = write_czi(tmp_path / "scenes.czi", tiles, {0: "DAPI", 1: "GFP"})
    with pytest.raises(SeveralImages):
        open_source(path)
    assert [(h.name, h.axes, h.shape) for h in list_images(path)] == [
        (f"scene {s}", "cyx", (2, 40 + s, 50)) for s in range(3)
    ]
    for s, image in enumerate(scenes):
        source = open_source(join_reference(str(path), f"scene {s}"))
        assert np.array_equal(source.read(), image)
        assert source.notes == ()
    assert np.array_equal(open_source(join_reference(str(path), "2")).read(), scenes[2])


def test_scenes_that_overlap_are_named_and_kept_apart(tmp_path):
    one, two = _random(60, 80), _random(60, 81)
    path = write_czi(tmp_path / "over.czi", [(one, (0, 0), {}, 0), (two, (40, 20), {}, 1)])
    source = open_source(join_reference(str(path), "0"))
    assert np.array_equal(source.read()[0], one)
    assert np.array_equal(open_source(join_reference(str(path), "1")).read()[0], two)
    assert any("overlaps 'scene 1'" in note for note in source.notes)


@pytest.mark.parametrize("factor", [2, 3])
def test_levels_are_read_from_the_pyramid(tmp_path, factor):
    levels = write_pyramid(tmp_path / "p.czi", _random(500, 701), factor)
    source = open_source(tmp_path / "p.czi")
    for number, (image, level) in enumerate(zip(levels, [source, *source.levels()], strict=True)):
        assert np.array_equal(level.read()[0], image)
        assert level.spec.scale[-2:] == (0.25 * factor**number,) * 2
    same = open_source(tmp_path / "p.czi", level=1)
    # 701 is no multiple: a pixel of the level still stands for exactly `factor`, so that its labels lie right.
    assert same.spec.scale == source.levels()[0].spec.scale
    assert same.spec.translate[-1] == pytest.approx((factor - 1) / 2 * 0.25)


def test_pixels_that_the_library_does_not_draw_are_refused(tmp_path):
    path = write_czi(tmp_path / "f.czi", [(_random(20, 20, 3, dtype=np.float32), (0, 0), {}, 0)])
    with pytest.raises(SourceError, match="Bgr96Float"):
        list_images(path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours_are_red_green_blue(tmp_path, dtype):
    image = _random(60, 70, 3, dtype=dtype)
    path = write_czi(tmp_path / "rgb.czi", [(image, (0, 0), {}, 0)])
    [header] = list_images(path)
    assert (header.axes, header.shape, header.dtype) == ("yxs", (60, 70, 3), np.dtype(dtype).name)
    assert np.array_equal(read_raw(path, level=0).pixels[(slice(None),) * 3], image)
    green = read_raw(path, level=0).pixels[slice(0, 9), slice(5, 60), slice(1, 2)]
    assert np.array_equal(green[..., 0], image[:9, 5:60, 1])


def test_floats_keep_their_values(tmp_path):
    image = _random(50, 60, dtype=np.float32) * 1e6
    assert np.array_equal(open_source(write_czi(tmp_path / "f.czi", [(image, (0, 0), {}, 0)])).read()[0], image)


def test_channels_of_different_types(tmp_path):
    grey, more, colours = _random(30, 40, dtype=np.uint8), _random(30, 40), _random(30, 40, 3, dtype=np.uint8)
    tiles = [(pixels, (0, 0), {"C": c}, 0) for c, pixels in enumerate((grey, more, colours))]
    path = write_czi(tmp_path / "mixed.czi", tiles, {0: "DAPI", 1: "GFP", 2: "brightfield"})
    assert [(h.name, h.axes, h.dtype) for h in list_images(path)] == [
        ("DAPI", "cyx", "uint16"),
        ("brightfield", "yxs", "uint8"),
    ]
    source = open_source(join_reference(str(path), "0"))
    assert np.array_equal(source.read(), [grey, more])
    assert any("different types" in note for note in source.notes)


def test_what_was_never_written_is_said(tmp_path):
    image = _random(100, 100)
    tiles = [(image, (0, 0), {"T": t, "Z": z}, 0) for t in range(3) for z in range(4) if (t, z) < (2, 1)]
    tiles.append((image[:50], (100, 0), {"T": 0, "Z": 0}, 0))
    source = open_source(write_czi(tmp_path / "stopped.czi", tiles))
    said = " ".join(source.notes)
    assert "3 of 12 planes were never written" in said
    assert "tiles are missing" in said
    assert not source.read()[2, 0, 1:].any()


def test_many_scenes_are_listed_quickly(tmp_path):
    tile = np.zeros((4, 4), np.uint8)
    path = write_czi(tmp_path / "many.czi", [(tile, (10 * s, 0), {}, s) for s in range(10_000)])
    begin = time.process_time()
    headers = list_images(path)
    assert len({header.name for header in headers}) == 10_000
    # A search through all scenes for each of them would take minutes.
    assert time.process_time() - begin < 20


def test_names_of_scenes_say_where_they_come_from():
    xml = """<ImageDocument><Metadata><Information><Image><Dimensions><S><Scenes>
    <Scene Index="0" Name="P1"><Shape Name="B03"/><CenterPosition>10.5,-20</CenterPosition></Scene>
    <Scene Index="1" Name="TissueDetection"/></Scenes></S></Dimensions></Image></Information></Metadata></ImageDocument>"""
    found = read_metadata(xml)
    assert found.scenes == {0: "B/3/P1", 1: "TissueDetection"}
    assert found.centres == {0: (-20.0, 10.5)}


def test_a_size_given_to_the_library_in_micrometres_is_said(tmp_path):
    path = write_czi(tmp_path / "um.czi", [(_random(20, 20), (0, 0), {}, 0)], scale=(0.25e6, 0.25e6, 1e6))
    source = open_source(path)
    assert source.spec.scale[-1] == 0.25
    assert any("0.25 um is taken" in note for note in source.notes)


def test_damage_is_named(tmp_path):
    path = write_czi(tmp_path / "whole.czi", list(_tiles(_random(300, 300), 100)))
    data = path.read_bytes()
    cases = {
        "cut.czi": (data[: len(data) * 2 // 3], "lie outside|lies at"),
        "empty.czi": (b"", "empty"),
        "other.czi": (b"II*\0" + bytes(200), "is a TIFF|does not begin as a CZI"),
        "written.czi": (data[:100] + struct.pack("<i", 1) + data[104:], "still being written"),
        "part.czi": (data[:80] + struct.pack("<i", 2) + data[84:], "several parts"),
    }
    for name, (content, said) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError, match=said):
            open_source(tmp_path / name)


def test_a_file_that_is_cut_while_it_is_read_is_an_error(tmp_path):
    path = write_czi(tmp_path / "share.czi", list(_tiles(_random(300, 300), 100)))
    raw = read_raw(path, level=0)
    with open(path, "r+b") as file:
        file.truncate(4000)
    with pytest.raises(SourceError, match=r"share\.czi.*pixels \[0:300, 0:300\]"):
        raw.pixels[slice(0, 1), slice(0, 300), slice(0, 300)]
