"""Zarr and OME-Zarr: metadata, refusals, and the name of a damaged chunk."""

from __future__ import annotations

import json

import numpy as np
import pytest
import zarr

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.source import open_source

RNG = np.random.default_rng(0)
KINDS = {"t": "time", "c": "channel"}


def axis(letter, unit="micrometer"):
    found = {"name": letter, "type": KINDS.get(letter, "space")}
    return found | ({"unit": unit} if letter in "zyx" and unit else {})


def write(path, levels, *, version="0.5", axes=None, scales=None, multiscale=None, **attributes):
    """Write an OME-Zarr image of the given levels, with room for every mistake."""
    letters = "tczyx"[-levels[0].ndim :]
    group = zarr.create_group(path, zarr_format=3 if version == "0.5" else 2)
    for i, level in enumerate(levels):
        group.create_array(str(i), data=level, chunks=tuple(min(16, n) for n in level.shape))
    datasets = [
        {
            "path": str(i),
            "coordinateTransformations": [
                {"type": "scale", "scale": scales[i] if scales else [2.0**i if a in "yx" else 1.0 for a in letters]}
            ],
        }
        for i in range(len(levels))
    ]
    image = {"axes": axes or [axis(a) for a in letters], "datasets": datasets, **(multiscale or {})}
    if version == "0.5":
        group.attrs["ome"] = {"version": version, "multiscales": [image], **attributes}
    else:
        group.attrs.update({"multiscales": [{"version": version, **image}], **attributes})
    return path


def image(*shape):
    return RNG.integers(1, 999, shape, np.uint16)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_plain_array(tmp_path, zarr_format):
    array = image(5, 40, 50)
    zarr.create_array(tmp_path / "a.zarr", data=array.astype(">u2"), chunks=(2, 16, 16), zarr_format=zarr_format)
    source = open_source(tmp_path / "a.zarr")
    assert source.spec.dtype == "uint16"
    assert source.chunks == (2, 16, 16)
    assert any("no axes in the metadata" in note for note in source.notes)
    np.testing.assert_array_equal(source.read(), array)


def test_dimension_names_are_axes(tmp_path):
    zarr.create_array(tmp_path / "a", data=image(2, 40, 50), dimension_names=("channel", "y", "x"))
    assert open_source(tmp_path / "a").spec.axes == ("c", "y", "x")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_levels_axes_scale_translation_units_and_names(tmp_path, version):
    fine, coarse = image(2, 3, 32, 48), image(2, 3, 16, 24)
    common = {"coordinateTransformations": [{"type": "scale", "scale": [1, 2, 0.5, 0.5]}]}
    omero = {"channels": [{"label": "dapi"}, {"label": "gfp"}]}
    path = write(tmp_path / "a.zarr", [fine, coarse], version=version, multiscale=common, omero=omero)
    source, half = open_source(path), open_source(path, level=1)
    assert source.spec.axes == ("c", "z", "y", "x")
    assert source.spec.scale == (1.0, 2.0, 0.5, 0.5)
    assert half.spec.scale == (1.0, 2.0, 1.0, 1.0)
    assert half.spec.units == (None, "micrometer", "micrometer", "micrometer")
    assert half.spec.channel_names == ("dapi", "gfp")
    np.testing.assert_array_equal(source.read(), fine)
    np.testing.assert_array_equal(half.read(), coarse)
    np.testing.assert_array_equal(source.levels()[0].read(), coarse)
    assert open_source(half.spec.source, level=1).spec == half.spec, "place and level open it again"
    by_path = open_source(path / "1").spec
    assert by_path == half.spec.replace(source=str(path / "1"))
    assert open_source(by_path.source).spec == by_path


def test_translation_of_the_level_is_scaled_by_the_common_scale(tmp_path):
    path = write(tmp_path / "a.zarr", [image(32, 32)])
    group = zarr.open_group(path)
    ome = dict(group.attrs["ome"])
    steps = ome["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    steps.append({"type": "translation", "translation": [10.0, 20.0]})
    ome["multiscales"][0]["coordinateTransformations"] = [{"type": "scale", "scale": [0.5, 0.25]}]
    group.attrs["ome"] = ome
    assert open_source(path).spec.translate == (5.0, 5.0)


def test_labels_plate_and_well_are_found_by_path(tmp_path):
    plate = zarr.create_group(tmp_path / "plate.zarr")
    plate.attrs["ome"] = {"version": "0.5", "plate": {"wells": [{"path": "A/1"}]}}
    well = plate.require_group("A/1")
    well.attrs["ome"] = {"version": "0.5", "well": {"images": [{"path": "0"}]}}
    field = image(32, 32)
    write(tmp_path / "plate.zarr/A/1/0", [field])
    labels = zarr.create_group(tmp_path / "plate.zarr/A/1/0/labels")
    labels.attrs["ome"] = {"version": "0.5", "labels": ["nuclei"]}
    write(tmp_path / "plate.zarr/A/1/0/labels/nuclei", [field.astype(np.uint32)], **{"image-label": {}})
    for outer, hint in [("", "A/1/0"), ("A/1", "A/1/0"), ("A/1/0/labels", "labels/nuclei")]:
        with pytest.raises(SourceError, match=f"Give a path such as .*{hint}"):
            open_source(tmp_path / "plate.zarr" / outer)
    np.testing.assert_array_equal(open_source(tmp_path / "plate.zarr/A/1/0").read(), field)
    assert open_source(tmp_path / "plate.zarr/A/1/0/labels/nuclei").spec.kind == "labels"


def test_labels_that_are_no_integers(tmp_path):
    write(tmp_path / "a.zarr", [np.ones((20, 20), np.float32)], **{"image-label": {}})
    with pytest.raises(SourceError, match=r"image-label.*float32.*integers"):
        open_source(tmp_path / "a.zarr")


def test_channels_called_red_green_blue_are_a_picture(tmp_path):
    array = image(3, 20, 20).astype(np.uint8)
    omero = {"channels": [{"label": name} for name in ("Red", "Green", "Blue")]}
    axes = [axis(a) for a in "cyx"]
    source = open_source(write(tmp_path / "a.zarr", [array, array[:, ::2, ::2]], axes=axes, omero=omero))
    assert source.spec.rgb
    assert source.spec.channel_names == ()
    np.testing.assert_array_equal(source.read(), array)
    np.testing.assert_array_equal(source.levels()[0].read(), array[:, ::2, ::2])
    assert not open_source(tmp_path / "a.zarr", axes="cyx").spec.rgb


def test_a_broken_field_of_a_plate_does_not_hide_the_others(tmp_path):
    plate = zarr.create_group(tmp_path / "p.zarr")
    plate.attrs["ome"] = {"version": "0.5", "plate": {"wells": [{"path": "A/1"}]}}
    for name in "01":
        write(tmp_path / "p.zarr/A/1" / name, [image(32, 32)])
    (tmp_path / "p.zarr/A/1/0/zarr.json").write_text("{ not json")
    with pytest.raises(SourceError, match=r"A/1/0 cannot be understood"):
        open_source(tmp_path / "p.zarr/A/1/0")
    assert open_source(tmp_path / "p.zarr/A/1/1").read().shape == (32, 32)


@pytest.mark.parametrize(
    ("axes", "found"),
    [
        ([axis("x"), axis("y"), axis("z")], "zyx"),
        ([axis("Z"), axis("Y"), axis("X")], "zyx"),
        ([axis("y"), axis("c"), axis("x")], "cyx"),
    ],
    ids=["reversed", "capitals", "channel within"],
)
def test_axes_out_of_order_are_put_in_order(tmp_path, axes, found):
    array = image(4, 5, 6)
    source = open_source(write(tmp_path / "a.zarr", [array], axes=axes, scales=[[1.0, 2.0, 3.0]]))
    assert "".join(source.spec.axes) == found
    letters = [a["name"].lower() for a in axes]
    np.testing.assert_array_equal(source.read(), array.transpose([letters.index(a) for a in found]))
    assert source.spec.scale == tuple(1.0 + letters.index(a) for a in found)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scales": [[0.0, 1.0]]}, r"datasets\[0\].coordinateTransformations\[0\].scale: 0.0 along y"),
        ({"scales": [[1.0, -1.0]]}, r"-1.0 along x"),
        ({"scales": [[1.0]]}, r"one number for each of the axes 'yx'"),
        ({"axes": [axis("y"), axis("y")]}, "no letter twice"),
        ({"axes": [axis("y")]}, r"has 2 dimensions.*names 1"),
        ({"axes": [{"name": "y", "type": "channel"}, axis("x")]}, r"axis 'y \(type channel\)' of .*no meaning.*axes="),
        ({"axes": ["y", "x"], "version": "0.4"}, r"multiscales\[0\].axes.*convert it"),
        ({"version": "0.4", "multiscale": {"version": "0.2", "axes": None}}, r"OME-Zarr 0.2.*convert it"),
        ({"multiscale": {"version": "0.9"}}, r"version: 0.9"),
        ({"multiscale": {"datasets": []}}, r"multiscales\[0\].datasets: \[\]"),
        ({"multiscale": {"datasets": [{"path": "7"}]}}, r"datasets\[0\].path: '7'"),
        (
            {"multiscale": {"coordinateTransformations": [{"type": "affine"}]}},
            r"coordinateTransformations\[0\].type: 'affine'",
        ),
    ],
    ids=lambda value: None if isinstance(value, str) else next(iter(value)),
)
def test_wrong_metadata_is_refused_by_its_key(tmp_path, options, words):
    write(tmp_path / "a.zarr", [image(20, 20)], **options)
    with pytest.raises(SourceError, match=f"(?i){words}") as caught:
        open_source(tmp_path / "a.zarr")
    assert "a.zarr" in str(caught.value)


def test_array_of_an_old_version_opens_by_its_path(tmp_path):
    array = image(1, 1, 1, 20, 20)
    write(tmp_path / "a.zarr", [array], version="0.4", multiscale={"version": "0.1", "axes": None})
    np.testing.assert_array_equal(open_source(tmp_path / "a.zarr/0", axes="tczyx", scale=0.5).read(), array)


@pytest.mark.parametrize(
    ("coarse", "words"),
    [
        (image(16, 16).astype(np.float32), "type float32 against uint16"),
        (image(40, 40), "40 px along y against 32"),
        (image(8, 8), "along y, 8 px of 2 against 32 px of 1"),
    ],
    ids=["type", "larger", "extent"],
)
def test_a_level_that_contradicts_another(tmp_path, coarse, words):
    path = write(tmp_path / "a.zarr", [image(32, 32), coarse])
    with pytest.raises(SourceError, match=f"level 1 contradicts level 0: {words}"):
        open_source(path, level=1)
    fine = open_source(path)
    assert fine.levels() == []
    assert any("level 1 is not used beside level 0" in note for note in fine.notes)


def test_a_missing_level_is_noted_and_not_used(tmp_path):
    path = write(tmp_path / "a.zarr", [image(32, 32), image(16, 16)])
    (tmp_path / "a.zarr/1/zarr.json").unlink()
    assert any("level 1 is not used beside level 0" in note for note in open_source(path).notes)
    with pytest.raises(SourceError, match=r"datasets\[1\].path"):
        open_source(path, level=1)
    with pytest.raises(SourceError, match="0 to 1"):
        open_source(path, level=2)


def test_mixed_units_become_that_of_x(tmp_path):
    axes = [axis("z", "millimeter"), axis("y", None), axis("x", "micrometer")]
    source = open_source(write(tmp_path / "a.zarr", [image(4, 20, 20)], axes=axes, scales=[[0.003, 1.0, 1.0]]))
    assert source.spec.scale == pytest.approx((3.0, 1.0, 1.0))
    assert source.spec.units == ("micrometer", None, "micrometer")
    assert len(source.notes) == 2


def test_missing_chunks_read_as_fill_value_and_a_store_without_any_says_so(tmp_path):
    array = zarr.create_array(tmp_path / "a", shape=(64, 64), chunks=(16, 16), dtype="u2", fill_value=7)
    source = open_source(tmp_path / "a")
    assert any("holds no chunk" in note and "7" in note for note in source.notes)
    array[16:32, 16:32] = 9
    source = open_source(tmp_path / "a")
    assert any("15 of 16 chunks" in note and "7" in note for note in source.notes)
    assert source.read((slice(0, 20), slice(0, 20))).sum() == 7 * (400 - 16) + 9 * 16


@pytest.mark.parametrize("sharded", [False, True])
def test_corrupt_chunk_is_named_and_the_rest_still_reads(tmp_path, sharded):
    values = image(64, 64)
    zarr.create_array(
        tmp_path / "a",
        data=values,
        chunks=(16, 16),
        shards=(32, 32) if sharded else None,
        compressors=[zarr.codecs.ZstdCodec(checksum=False), zarr.codecs.Crc32cCodec()],
    )
    key = "c/1/1" if sharded else "c/2/3"
    raw = bytearray((tmp_path / "a" / key).read_bytes())
    raw[100] ^= 4
    (tmp_path / "a" / key).write_bytes(raw)
    source = open_source(tmp_path / "a")
    np.testing.assert_array_equal(source.read((slice(0, 32), slice(0, 64))), values[:32])
    with pytest.raises(SourceError, match=f"chunk {key} of .*a cannot be read") as caught:
        source.read()
    assert caught.value.facts["transient"] is False


@pytest.mark.parametrize("dtype", ["bool", "float64", "uint64", "int8"])
def test_types(tmp_path, dtype):
    values = image(20, 20).astype(dtype)
    zarr.create_array(tmp_path / "a", data=values, chunks=(16, 16))
    np.testing.assert_array_equal(open_source(tmp_path / "a").read(), values)


def test_labels_of_64_bits_keep_every_digit(tmp_path):
    ids = np.array([[0, 2**53 + 1], [2**63 + 5, 7]], np.uint64)
    source = open_source(write(tmp_path / "a.zarr", [ids], **{"image-label": {}}))
    assert (source.spec.kind, source.spec.dtype, source.notes) == ("labels", "uint64", ())
    np.testing.assert_array_equal(source.read(), ids)


def test_complex_and_empty_are_refused(tmp_path):
    zarr.create_array(tmp_path / "c", data=np.zeros((4, 4), complex))
    zarr.create_array(tmp_path / "e", shape=(0, 4), dtype="u1", chunks=(1, 4))
    with pytest.raises(SourceError, match="complex128"):
        open_source(tmp_path / "c")
    with pytest.raises(SourceError, match="empty"):
        open_source(tmp_path / "e")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "not a Zarr store"),
        ({".zattrs": "{}"}, r"add the file \.zgroup"),
        ({"zarr.json": "{"}, "cannot be understood"),
        ({"zarr.json": json.dumps({"zarr_format": 3, "node_type": "array"})}, "cannot be understood"),
        ({"zarr.json": json.dumps({"zarr_format": 3, "node_type": "group"})}, "without the key multiscales"),
    ],
    ids=["folder", "no zgroup", "no json", "no array", "no image"],
)
def test_folders_that_hold_no_image(tmp_path, files, words):
    folder = tmp_path / "a.zarr"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(SourceError, match=f"(?i){words}"):
        open_source(folder)


def test_a_path_inside_a_store_that_is_not_there(tmp_path):
    path = write(tmp_path / "a.zarr", [image(20, 20)])
    with pytest.raises(SourceError, match=r"a\.zarr/9"):
        open_source(path / "9")
