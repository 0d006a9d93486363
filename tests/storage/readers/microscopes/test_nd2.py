"""ND2: frames, positions, sizes and names, as nd2 sees them."""

import hashlib

import numpy as np
import pytest

pytest.importorskip("nd2", reason="needs the extra nd2")
import nd2
from real_files import DATA, needs_files

from napari_s1omni.benchmarks.reading.instrument_files.nikon import loop, planes, positions, time_loop, write_nd2
from napari_s1omni.core.paths import join_reference
from napari_s1omni.errors import SeveralImages, SourceError
from napari_s1omni.storage.listing.image_headers import list_images
from napari_s1omni.storage.readers.registry import read_raw
from napari_s1omni.storage.source import open_source

ALL = slice(None)


def _random(*shape, dtype=np.uint16):
    return np.random.default_rng(sum(shape)).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


@needs_files
def test_a_real_file_has_the_values_of_its_library():
    path = DATA / "nikon_cluster.nd2"
    [header] = list_images(path)
    assert (header.axes, header.shape, header.dtype) == ("tzcyx", (3, 10, 2, 31, 38), "uint16")
    assert header.scale[1:] == (0.5, None, pytest.approx(0.1678090, abs=1e-7), pytest.approx(0.1678090, abs=1e-7))
    source = open_source(path)
    assert source.spec.channel_names == ("5-FAM/pH 9.0", "FM 4-64/2% CHAPS")
    assert np.array_equal(source.read(), nd2.imread(path).transpose(0, 2, 1, 3, 4))
    plane = source.read([slice(1, 2), slice(1, 2), slice(4, 5), ALL, ALL])
    assert hashlib.sha1(plane.tobytes()).hexdigest().startswith("d9df4107233e")
    about = read_raw(path, level=0).acquisition
    assert (about.bit_depth, about.magnification, about.objective) == (12, 60, "Plan Apo λ 60x")
    assert [(c.emission, c.excitation) for c in about.channels] == [(525, 488), (700, 561)]
    assert about.stage[2] == pytest.approx(-26056.95, abs=0.01)
    # The step that was asked for is 0; frames were 10.6 s apart.
    assert source.spec.scale[0] == pytest.approx(10.65, abs=0.01)


@pytest.mark.parametrize("compressed", [False, True])
def test_positions_are_images(tmp_path, compressed):
    frames = _random(2 * 3 * 4, 30, 40, 2)
    points = [("A1", 10.0, 20.0), ("", 1.0, 2.0), ("A1", 3.0, 4.0)]
    experiment = time_loop(2, 1500.0, positions(points, planes(4, 2.0)), spread=500.0)
    path = write_nd2(tmp_path / "a.nd2", frames, experiment, ("DAPI", "GFP"), compressed=compressed)
    with pytest.raises(SeveralImages):
        open_source(path)
    headers = list_images(path)
    assert [header.name for header in headers] == ["A1 #1", "position 1", "A1 #2"]
    assert headers[0].scale == (1.5, 2.0, None, 0.25, 0.25)
    with nd2.ND2File(path) as file:
        expected = file.asarray()
    for number, header in enumerate(headers):
        raw = read_raw(join_reference(str(path), header.name), level=0)
        assert np.array_equal(raw.pixels[(ALL,) * 5], expected[:, number])
        window = raw.pixels[slice(1, 2), slice(2, 4), slice(1, 2), slice(3, 20), slice(7, 39)]
        assert np.array_equal(window, expected[1:2, number, 2:4, 1:2, 3:20, 7:39])
        assert raw.acquisition.stage[1:] == (points[number][2], points[number][1])
        assert any("not evenly spaced (1 to 2 s apart)" in note for note in raw.notes)


def test_colours_and_one_frame(tmp_path):
    frames = _random(1, 30, 40, 3, dtype=np.uint8)
    path = write_nd2(tmp_path / "rgb.nd2", frames, channels=("brightfield",))
    [header] = list_images(path)
    assert (header.name, header.axes, header.shape) == ("rgb", "yxs", (30, 40, 3))
    assert np.array_equal(read_raw(path, level=0).pixels[ALL, ALL, ALL], nd2.imread(path))


def test_without_calibration_there_is_no_size(tmp_path):
    path = write_nd2(tmp_path / "a.nd2", _random(1, 30, 40, 1), size=0)
    assert list_images(path)[0].scale == (None, None)


def test_planes_without_a_dye_keep_name_and_size(tmp_path):
    # The library fails at the metadata of such a file.
    path = write_nd2(tmp_path / "a.nd2", _random(1, 30, 40, 2), channels=("one", "two"), dyes=False)
    source = open_source(path)
    assert (source.spec.channel_names, source.spec.scale[1:]) == (("one", "two"), (0.25, 0.25))


def test_custom_loops_are_images(tmp_path):
    path = write_nd2(tmp_path / "a.nd2", _random(3, 30, 40, 1), loop(7, uiCount=3))
    assert [header.name for header in list_images(path)] == ["loop 0", "loop 1", "loop 2"]


def test_many_positions_are_listed(tmp_path):
    points = [(f"P{i}", float(i), 0.0) for i in range(2000)]
    path = write_nd2(tmp_path / "many.nd2", np.zeros((2000, 1, 4, 1), np.uint8), positions(points))
    assert len(list_images(path)) == 2000


def test_frames_that_were_never_written_are_said(tmp_path):
    path = write_nd2(tmp_path / "a.nd2", _random(5, 30, 40, 1), planes(5, 1.0), left_out=(3, 4))
    source = open_source(path)
    assert any("2 of 5 frames were never written" in note for note in source.notes)
    assert not source.read([slice(3, 5), ALL, ALL]).any()


def test_damage_is_named(tmp_path):
    path = write_nd2(tmp_path / "whole.nd2", _random(5, 300, 400, 1), planes(5, 1.0))
    data = path.read_bytes()
    for name, content in {"cut": data[: len(data) // 2], "empty": b"", "other": b"II*\0" + bytes(300)}.items():
        (tmp_path / f"{name}.nd2").write_bytes(content)
        with pytest.raises(SourceError, match=rf"{name}\.nd2 is (cut off|empty|a TIFF)"):
            open_source(tmp_path / f"{name}.nd2")
    raw = read_raw(path, level=0)
    with open(path, "r+b") as file:
        file.truncate(5000)
    with pytest.raises(SourceError, match=r"whole\.nd2, frame 2 \(z 2\).*became shorter"):
        raw.pixels[slice(2, 3), ALL, ALL]
