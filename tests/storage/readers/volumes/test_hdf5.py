"""HDF5: datasets as images, axes of ilastik and of dimension scales, locks, damage, and many datasets."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from napari_s1omni.errors import SeveralImages, SourceError
from napari_s1omni.storage.readers.formats import format_of
from napari_s1omni.storage.readers.image_files import list_file
from napari_s1omni.storage.source import open_source

h5py = pytest.importorskip("h5py")
VOLUME = np.arange(20 * 30 * 40, dtype=np.uint16).reshape(20, 30, 40)


def headers(path):
    return list_file(format_of(path), path)


def tagged(dataset, keys, **attributes):
    flags = {"c": 1, "t": 8}
    tags = [{"key": k, "typeFlags": flags.get(k, 2), "resolution": 0, "description": ""} for k in keys]
    dataset.attrs["axistags"] = json.dumps({"axes": tags})
    dataset.attrs.update(attributes)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scan.h5"


def test_each_dataset_is_an_image_by_its_path(path):
    with h5py.File(path, "w") as file:
        file["volumes/raw"] = VOLUME
        file["volumes/raw"].attrs["element_size_um"] = [2.0, 0.5, 0.25]
        tagged(file.create_dataset("exported_data", data=VOLUME[..., None]), "zyxc")
        file["positions"] = np.zeros((10, 3))
        file["text"] = "a note"
    assert [(h.name, h.axes, h.shape) for h in headers(path)] == [
        ("exported_data", "zyxc", (20, 30, 40, 1)),
        ("volumes/raw", "zyx", (20, 30, 40)),
    ]
    with pytest.raises(SeveralImages, match="volumes/raw"):
        open_source(path)
    source = open_source(f"{path}::volumes/raw")
    np.testing.assert_array_equal(source.read(), VOLUME)
    assert source.spec.scale == (2.0, 0.5, 0.25)
    assert source.spec.units == ("micrometer",) * 3
    assert any("taken as 'zyx'" in note for note in source.notes)
    assert any("positions (10, 3)" in note for note in source.notes)
    with pytest.raises(SourceError, match=r"scan\.h5::volumes/raw"):
        open_source(path / "volumes" / "raw")


def test_axistags_of_ilastik(path):
    with h5py.File(path, "w") as file:
        data = np.moveaxis(np.stack([VOLUME, VOLUME + 1]), 0, -1)[None]
        tagged(file.create_dataset("exported_data", data=data), "tzyxc", display_mode="random-colortable")
    source = open_source(path)
    assert source.spec.axes == ("t", "c", "z", "y", "x")
    assert source.spec.kind == "labels"
    np.testing.assert_array_equal(source.read()[0, 1], VOLUME + 1)


def test_dimension_scales_are_axes_and_pixel_sizes(path):
    with h5py.File(path, "w") as file:
        data = file.create_dataset("image", data=VOLUME)
        for i, (name, step) in enumerate((("time", 5.0), ("y", 0.5), ("x", 0.25))):
            data.dims[i].label = name
            scale = file.create_dataset(f"{name}_axis", data=10 + step * np.arange(data.shape[i]))
            scale.make_scale(name)
            scale.attrs["units"] = "s" if name == "time" else "um"
            data.dims[i].attach_scale(scale)
    spec = open_source(path).spec
    assert spec.axes == ("t", "y", "x")
    assert spec.scale == pytest.approx((5.0, 0.5, 0.25))
    assert spec.translate == pytest.approx((10, 10, 10))
    assert spec.units == ("second", "micrometer", "micrometer")


def test_resolution_with_units_and_a_fourth_dimension_without_a_name(path):
    with h5py.File(path, "w") as file:
        file["raw"] = VOLUME
        file["raw"].attrs.update({"resolution": [40, 4, 4], "offset": [400, 8, 0], "units": "nm"})
        file["four"] = VOLUME[None]
    spec = open_source(f"{path}::raw").spec
    assert (spec.scale, spec.translate, spec.units[0]) == ((40.0, 4.0, 4.0), (400.0, 8.0, 0.0), "nanometer")
    assert headers(path)[0].axes == "qqqq"
    with pytest.raises(SourceError, match=r"[Gg]ive axes"):
        open_source(f"{path}::four")
    assert open_source(f"{path}::four", axes="czyx").spec.shape == (1, 20, 30, 40)


def test_a_file_that_another_program_writes_is_refused(path):
    code = f"import h5py; f = h5py.File({str(path)!r}, 'w'); f['a'] = [[1] * 9] * 9; f.flush(); print(1, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        try:
            writer.stdout.readline()
            with pytest.raises(SourceError, match="being written by another program"):
                open_source(path)
        finally:
            writer.communicate(b"\n", timeout=240)
    assert open_source(path).spec.shape == (9, 9)


def test_reading_leaves_no_file_open(path):
    with h5py.File(path, "w") as file:
        file["a"] = VOLUME
    source = open_source(path)
    source.read((slice(0, 1), slice(0, 2), slice(0, 2)))
    del source
    with h5py.File(path, "r+") as file:
        file["a"][0] = 0


def test_damage_is_named(path, tmp_path):
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=VOLUME, chunks=(5, 10, 10), compression="gzip")
        offset = file["a"].id.get_chunk_info_by_coord((5, 10, 20)).byte_offset
    content = bytearray(path.read_bytes())
    content[offset : offset + 20] = b"\0" * 20
    path.write_bytes(content)
    source = open_source(path)
    source.read((slice(0, 5), slice(0, 10), slice(0, 10)))
    with pytest.raises(SourceError, match=r"z 5:10, y 10:20, x 20:30 of 'a' in .*scan\.h5"):
        source.read()
    for name, wrong, words in (
        ("cut.h5", bytes(content[:3000]), "cut off: it has 3,000"),
        ("empty.h5", b"", "empty"),
        ("pointer.h5", b"version https://git-lfs", "git lfs pull"),
        ("text.h5", b"some text", "cannot be read as HDF5"),
    ):
        (tmp_path / name).write_bytes(wrong)
        with pytest.raises(SourceError, match=words):
            open_source(tmp_path / name)
    tifffile.imwrite(tmp_path / "picture.h5", VOLUME[0])
    with pytest.raises(SourceError, match=r"is a TIFF\. .*\.tif"):
        open_source(tmp_path / "picture.h5")
    path.rename(tmp_path / "scan.tif")
    with pytest.raises(SourceError, match=r"is HDF5\. .*\.h5"):
        open_source(tmp_path / "scan.tif")


def test_a_file_without_images_says_what_it_holds(path):
    with h5py.File(path, "w") as file:
        file["profile"] = np.arange(9)
    with pytest.raises(SourceError, match=r"profile \(9,\)"):
        open_source(path)


@pytest.mark.slow
def test_10000_datasets_are_listed_once(path, monkeypatch):
    with h5py.File(path, "w", libver="latest") as file:
        for i in range(10_000):
            file.create_dataset(f"{i // 100}/{i}", shape=(16, 16), dtype="u1")
    assert len(headers(path)) == 10_000
    monkeypatch.setattr(h5py.File, "visititems", lambda *_: pytest.fail("listed again"))
    assert open_source(f"{path}::51/5123").spec.shape == (16, 16)


def test_a_compression_that_is_not_installed_is_named(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("a", shape=(16, 16), dtype="u2", compression=32004, allow_unknown_filter=True)
    if not h5py.h5z.filter_avail(32004):
        with pytest.raises(SourceError, match=r"filter 32004.*hdf5plugin"):
            open_source(path)


def test_without_the_library_it_says_what_to_install(path, monkeypatch):
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(SourceError, match=r"napari-s1omni\[volumes\]"):
        open_source(path)
