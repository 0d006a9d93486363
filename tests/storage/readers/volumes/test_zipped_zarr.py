"""Zipped OME-Zarr: images, series, plates and labels, a folder around them, passwords and damage."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
import zarr

from napari_s1omni.errors import SeveralImages, SourceError
from napari_s1omni.storage.readers.formats import format_of
from napari_s1omni.storage.readers.image_files import list_file
from napari_s1omni.storage.source import open_source

VOLUME = np.arange(4 * 20 * 24, dtype=np.uint16).reshape(4, 20, 24)


def write_image(folder, version, values=VOLUME, **attributes):
    group = zarr.open_group(folder, mode="w", zarr_format=2 if version == "0.4" else 3)
    datasets = []
    for level, step in enumerate((1, 2)):
        group.create_array(str(level), data=values[:, ::step, ::step], chunks=(2, 8, 8))
        scale = {"type": "scale", "scale": [2, 0.5 * step, 0.5 * step]}
        move = {"type": "translation", "translation": [0, 0.25 * (step - 1), 0.25 * (step - 1)]}
        datasets.append({"path": str(level), "coordinateTransformations": [scale, move]})
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    image = {"multiscales": [{"axes": axes, "datasets": datasets, "version": "0.4"}], **attributes}
    put(group, image, version)
    return folder


def put(group, attributes, version):
    group.attrs.update(attributes if version == "0.4" else {"ome": {"version": "0.5", **attributes}})


def pack(folder, target, inside=""):
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, f"{inside}{path.relative_to(folder).as_posix()}")
    return target


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(("name", "inside"), [("a.ozx", ""), ("a.zarr.zip", "a.zarr/")])
def test_an_image(tmp_path, version, name, inside):
    path = pack(write_image(tmp_path / "a", version), tmp_path / name, inside)
    source = open_source(path)
    assert (source.spec.scale, source.spec.units[0]) == ((2.0, 0.5, 0.5), "micrometer")
    np.testing.assert_array_equal(source.read(), VOLUME)
    np.testing.assert_array_equal(source.levels()[0].read(), VOLUME[:, ::2, ::2])
    assert open_source(path, level=1).spec.translate == (0.0, 0.25, 0.25)
    [header] = list_file(format_of(path), path)
    assert (header.axes, header.shape, header.levels) == ("zyx", (4, 20, 24), 2)


def test_labels_do_not_ask_for_a_choice(tmp_path):
    write_image(tmp_path / "a", "0.5")
    put(zarr.open_group(tmp_path / "a" / "labels", mode="w"), {"labels": ["nuclei"]}, "0.5")
    write_image(tmp_path / "a" / "labels" / "nuclei", "0.5", VOLUME % 7, **{"image-label": {}})
    path = pack(tmp_path / "a", tmp_path / "a.ozx")
    assert open_source(path).spec.kind == "image"
    labels = open_source(f"{path}::labels/nuclei")
    assert labels.spec.kind == "labels"
    np.testing.assert_array_equal(labels.read(), VOLUME % 7)


def test_fields_of_a_plate_and_series(tmp_path):
    root = zarr.open_group(tmp_path / "p", mode="w")
    put(root, {"plate": {"wells": [{"path": "B/03"}], "rows": [{"name": "B"}], "columns": [{"name": "03"}]}}, "0.5")
    put(root.create_group("B/03"), {"well": {"images": [{"path": "0"}, {"path": "1"}]}}, "0.5")
    for field in (0, 1):
        write_image(tmp_path / "p" / "B" / "03" / str(field), "0.5", VOLUME + field)
    path = pack(tmp_path / "p", tmp_path / "p.ozx")
    with pytest.raises(SeveralImages, match="B/03/0"):
        open_source(path)
    np.testing.assert_array_equal(open_source(f"{path}::B/03/1").read(), VOLUME + 1)
    zarr.open_group(tmp_path / "s", mode="w").attrs["bioformats2raw.layout"] = 3
    for number in (2, 10):
        write_image(tmp_path / "s" / str(number), "0.5", VOLUME + number)
    path = pack(tmp_path / "s", tmp_path / "s.zarr.zip")
    assert [h.name for h in list_file(format_of(path), path)] == ["2", "10"]
    np.testing.assert_array_equal(open_source(f"{path}::10").read(), VOLUME + 10)


def test_an_array_without_an_image(tmp_path):
    zarr.create_array(tmp_path / "a", data=VOLUME, chunks=(2, 8, 8), dimension_names=["z", "y", "x"])
    path = pack(tmp_path / "a", tmp_path / "a.ozx")
    source = open_source(path)
    assert source.spec.source == str(path)
    np.testing.assert_array_equal(source.read(), VOLUME)


def test_damage_and_passwords(tmp_path):
    path = pack(write_image(tmp_path / "a", "0.5"), tmp_path / "a.ozx")
    content = path.read_bytes()
    for wrong, words in (
        (content[:-200], "no whole zip archive"),
        (b"PK\3\4", "no whole zip archive"),
        # The flag of an encrypted file, in the table of contents of each.
        (content.replace(b"PK\1\2\x14\x03\x14\0\0\0", b"PK\1\2\x14\x03\x14\0\1\0"), "password"),
    ):
        path.write_bytes(wrong)
        with pytest.raises(SourceError, match=words):
            open_source(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(SourceError, match="holds no Zarr"):
        open_source(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("zarr.json", "{")
    with pytest.raises(SourceError, match="cannot be understood"):
        open_source(path)
    # One damaged chunk does not hide the others.
    content = bytearray(content)
    at = content.index(b"0/c/1/0/0") + len("0/c/1/0/0")
    content[at : at + 8] = b"\xff" * 8
    path.write_bytes(content)
    source = open_source(path)
    source.read((slice(0, 2), slice(0, 8), slice(0, 8)))
    with pytest.raises(SourceError, match=r"chunk c/1/0/0 of .*a\.ozx/0"):
        source.read()
