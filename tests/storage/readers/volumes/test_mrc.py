"""MRC: every mode, the place of the voxels, the order of axes, packed files and damage."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.volumes import mrc
from napari_s1omni.storage.source import open_source

mrcfile = pytest.importorskip("mrcfile")
VOLUME = (np.arange(10 * 12 * 14) % 101).reshape(10, 12, 14)
DATA = Path(os.environ.get("S1OMNI_DATA", Path(__file__).parents[5] / "shared" / "data")) / "microscopes"


def write(path, data, **fields):
    compression = {".gz": "gzip", ".bz2": "bzip2"}.get(path.suffix)
    with mrcfile.new(path, compression=compression) as file:
        file.set_data(data)
        file.voxel_size = (2, 3, 4)
        for name, value in fields.items():
            file.header[name] = value
    return path


@pytest.mark.skipif(not (DATA / "emd_3197.map").is_file(), reason=f"no emd_3197.map in {DATA}; set S1OMNI_DATA")
def test_a_map_of_emdb():
    source = open_source(DATA / "emd_3197.map")
    assert source.spec.shape == (20, 20, 20)
    assert source.spec.scale == pytest.approx((11.4, 11.4, 11.4))
    assert source.spec.units == ("angstrom",) * 3
    assert source.spec.translate == pytest.approx((0, 0, -22.8))
    pixels = source.read()
    assert pixels.mean() == pytest.approx(0.78361, abs=1e-5)
    np.testing.assert_array_equal(pixels, mrcfile.read(DATA / "emd_3197.map"))


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32", "uint16", "float16"])
def test_modes(tmp_path, dtype):
    source = open_source(write(tmp_path / "a.mrc", VOLUME.astype(dtype), nxstart=5))
    assert source.spec.dtype == dtype
    assert (source.spec.scale, source.spec.translate) == ((4.0, 3.0, 2.0), (0.0, 0.0, 10.0))
    np.testing.assert_array_equal(source.read(), VOLUME.astype(dtype))
    box = (slice(2, 5), slice(0, 3), slice(7, 9))
    np.testing.assert_array_equal(source.read(box), VOLUME[box].astype(dtype))
    assert not source.notes


def test_other_modes_are_refused_with_the_way_on(tmp_path):
    with pytest.raises(SourceError, match=r"mode 4 .complex numbers"):
        open_source(write(tmp_path / "a.mrc", VOLUME.astype(np.complex64)))
    with pytest.raises(SourceError, match=r"mode 101 .4-bit numbers.*newstack"):
        open_source(write(tmp_path / "b.mrc", VOLUME.astype(np.int8), mode=101))


def test_bytes_of_imod_have_no_sign(tmp_path):
    path = write(tmp_path / "a.st", (VOLUME + 100).astype(np.uint8).view(np.int8))
    content = bytearray(path.read_bytes())
    content[152:160] = (1146047817).to_bytes(4, "little") + bytes(4)
    path.write_bytes(content)
    source = open_source(path)
    assert source.spec.dtype == "uint8"
    assert any("IMOD" in note for note in source.notes)
    np.testing.assert_array_equal(source.read(), VOLUME + 100)


def test_the_order_of_axes(tmp_path):
    path = write(tmp_path / "a.map", VOLUME.astype(np.int16), mapc=3, mapr=2, maps=1, nxstart=2)
    source = open_source(path)
    # Columns are z, so the file is stored as x, y, z.
    assert source.spec.shape == (14, 12, 10)
    assert source.spec.translate[0] == pytest.approx(2 * source.spec.scale[0])
    np.testing.assert_array_equal(source.read(), VOLUME.T)


def test_stacks_and_images(tmp_path):
    with mrcfile.new(tmp_path / "a.mrcs") as file:
        file.set_data(VOLUME.astype(np.int16))
        file.set_image_stack()
    assert any("stack of 10 images" in note for note in open_source(tmp_path / "a.mrcs").notes)
    with mrcfile.new(tmp_path / "b.mrc") as file:
        file.set_data(VOLUME.astype(np.int16)[:, None].repeat(3, 1))
    assert open_source(tmp_path / "b.mrc").spec.axes == ("t", "z", "y", "x")
    source = open_source(write(tmp_path / "c.mrc", VOLUME[0].astype(np.int16)))
    assert source.spec.axes == ("y", "x")
    np.testing.assert_array_equal(source.read(), VOLUME[0])


@pytest.mark.parametrize("ending", [".gz", ".bz2"])
def test_packed_files(tmp_path, ending, monkeypatch):
    path = write(tmp_path / f"a.mrc{ending}", VOLUME.astype(np.int16))
    source = open_source(path)
    assert any("unpacked as a whole" in note for note in source.notes)
    np.testing.assert_array_equal(source.read(), VOLUME)
    monkeypatch.setattr(mrc, "_UNPACKED_BYTES", 100)
    with pytest.raises(SourceError, match=r"Unpack it: b?g?unzip2? a\.mrc"):
        open_source(path)
    monkeypatch.undo()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SourceError, match="cannot be read"):
        open_source(path).read()


def test_damage(tmp_path):
    path = write(tmp_path / "a.mrc", VOLUME.astype(np.int16))
    content = path.read_bytes()
    for wrong, words in (
        (content[:2000], "cut off: it has 2,000 of the 4,384 bytes"),
        (content[:500], "cannot be read as MRC"),
        (b"some text" * 300, "cannot be read as MRC"),
        (bytes(4000), "zeros"),
    ):
        path.write_bytes(wrong)
        with pytest.raises(SourceError, match=words):
            open_source(path)
