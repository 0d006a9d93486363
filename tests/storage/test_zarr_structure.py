"""The structure of a Zarr is checked: chunk keys, versions, consolidated metadata, levels, labels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.errors import SeveralImages, SourceError
from napari_s1omni.storage.listing.image_headers import list_images
from napari_s1omni.storage.source import open_source

VALUES = np.random.default_rng(0).integers(1, 999, (40, 50), np.uint16)
V2 = (("v2", "."), ("v2", "/"))
V3 = (("default", "/"), ("default", "."), *V2)


def write_group(path, levels, version="0.5", scales=True, **image):
    """An image of the given levels; `image` is added to its multiscales, or replaces what is there."""
    axes = "tczyx"[-levels[0].ndim :]
    kinds = {"t": "time", "c": "channel"}
    group = zarr.create_group(path, zarr_format=3 if version == "0.5" else 2)
    datasets = []
    for i, level in enumerate(levels):
        group.create_array(str(i), data=level, chunks=tuple(min(16, n) for n in level.shape))
        size = [n / m * 0.5 if a in "zyx" else 1 for a, n, m in zip(axes, levels[0].shape, level.shape, strict=True)]
        datasets.append({"path": str(i)})
        if scales:
            datasets[-1]["coordinateTransformations"] = [{"type": "scale", "scale": size}]
    found = {
        "axes": [
            {"name": a, "type": kinds.get(a, "space"), **({"unit": "micrometer"} if a in "zyx" else {})} for a in axes
        ],
        "datasets": datasets,
        **image,
    }
    if version == "0.5":
        group.attrs["ome"] = {"version": version, "multiscales": [found]}
    else:
        group.attrs["multiscales"] = [{"version": version, **found}]
    return group


def edit(path, change):
    """Change a JSON file in place."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def declare(array, zarr_format, name, separator):
    """Let the metadata of an array say another encoding of chunk keys."""
    if zarr_format == 2:
        edit(array / ".zarray", lambda d: d.update(dimension_separator=separator))
    else:
        said = {"name": name, "configuration": {"separator": separator}}
        edit(array / "zarr.json", lambda d: d.update(chunk_key_encoding=said))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_keys_chunks_have_pixels_are_right_and_a_lie_is_noted(tmp_path_factory, data):
    zarr_format = data.draw(st.sampled_from([2, 3]))
    known = V2 if zarr_format == 2 else V3
    real, said = data.draw(st.sampled_from(known)), data.draw(st.sampled_from(known))
    shape = tuple(data.draw(st.lists(st.integers(1, 9), min_size=2, max_size=4)))
    chunks = tuple(data.draw(st.integers(1, n)) for n in shape)
    shards = (
        tuple(c * data.draw(st.integers(1, 2)) for c in chunks)
        if zarr_format == 3 and data.draw(st.booleans())
        else None
    )
    values = np.arange(1, 1 + np.prod(shape), dtype=data.draw(st.sampled_from(["<u2", ">u2", "<f4"]))).reshape(shape)
    order = {"order": data.draw(st.sampled_from("CF"))} if zarr_format == 2 else {}
    path = tmp_path_factory.mktemp("keys") / "a.zarr"
    zarr.create_array(
        path,
        data=values,
        chunks=chunks,
        shards=shards,
        zarr_format=zarr_format,
        fill_value=data.draw(st.sampled_from([None, 0, 7])),
        chunk_key_encoding={"name": real[0], "separator": real[1]},
        **order,
    )
    declare(path, zarr_format, *said)
    for name in (".DS_Store", "._0.0", "notes.txt", "0.0.tmp"):
        (path / name).write_text("no chunk")
    axes = "tczyx"[-len(shape) :]
    source = open_source(path, axes=axes)
    np.testing.assert_array_equal(source.read(), values)
    assert any("have keys such as" in note for note in source.notes) == (real != said)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_keys_that_fit_no_encoding_are_refused(tmp_path, zarr_format):
    path = tmp_path / "a"
    zarr.create_array(path, data=VALUES, chunks=(16, 16), zarr_format=zarr_format)
    key = "shape"
    name = ".zarray" if zarr_format == 2 else "zarr.json"

    def deeper(document):
        document[key] = [2, *document[key]]
        if zarr_format == 2:
            document["chunks"] = [1, *document["chunks"]]
        else:
            document["chunk_grid"]["configuration"]["chunk_shape"].insert(0, 1)

    edit(path / name, deeper)
    with pytest.raises(SourceError, match=r"12 chunks .* do not belong to its metadata") as caught:
        open_source(path)
    assert caught.value.remedy


def test_chunks_of_two_encodings_that_are_both_not_declared_are_refused(tmp_path):
    path = tmp_path / "a"
    zarr.create_array(path, data=VALUES, chunks=(16, 16))
    for key in ("0.0", "0/0"):
        (path / key).parent.mkdir(exist_ok=True)
        shutil.copy(path / "c/0/0", path / key)
    shutil.rmtree(path / "c")
    with pytest.raises(SourceError, match="do not belong to its metadata"):
        open_source(path)


def test_chunks_beside_those_that_are_read_are_noted(tmp_path):
    path = tmp_path / "a"
    zarr.create_array(path, data=VALUES, chunks=(16, 16))
    shutil.copy(path / "c/0/0", path / "0.0")
    shutil.copytree(path / "c/0", path / "c/9")
    (path / "c/1/1").unlink()
    source = open_source(path)
    for words in ("such as '0.0' are chunks by another key", "such as 'c/9/", "1 of 12 chunks"):
        assert any(words in note for note in source.notes), words
    expected = VALUES.copy()
    expected[16:32, 16:32] = 0
    np.testing.assert_array_equal(source.read(), expected)


def test_an_empty_array_says_what_is_read_for_it(tmp_path):
    zarr.create_array(tmp_path / "nan", shape=(8, 8), chunks=(4, 4), dtype="f4", fill_value=float("nan"))
    zarr.create_array(tmp_path / "null", shape=(8, 8), chunks=(4, 4), dtype="u2", fill_value=None, zarr_format=2)
    assert any("fill value nan" in note for note in open_source(tmp_path / "nan").notes)
    assert np.isnan(open_source(tmp_path / "nan").read()).all()
    assert any("says null" in note for note in open_source(tmp_path / "null").notes)


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_levels_that_were_added_after_consolidation_are_read(tmp_path, version):
    group = write_group(tmp_path / "a.zarr", [VALUES], version)
    zarr.consolidate_metadata(group.store)
    (tmp_path / "b.zarr").mkdir()
    write_group(tmp_path / "b.zarr", [VALUES, VALUES[::2, ::2]], version)
    shutil.copytree(tmp_path / "b.zarr/1", tmp_path / "a.zarr/1")
    both = json.loads((tmp_path / "b.zarr" / ("zarr.json" if version == "0.5" else ".zattrs")).read_text())
    if version == "0.5":
        edit(tmp_path / "a.zarr/zarr.json", lambda d: d.update(attributes=both["attributes"]))
    else:
        (tmp_path / "a.zarr/.zattrs").write_text(json.dumps(both))
    source = open_source(tmp_path / "a.zarr")
    np.testing.assert_array_equal(source.levels()[0].read(), VALUES[::2, ::2])
    assert source.notes == ()


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_level_without_documents_is_read_by_consolidated_metadata_with_a_note(tmp_path, version):
    group = write_group(tmp_path / "a.zarr", [VALUES], version)
    zarr.consolidate_metadata(group.store)
    for name in (".zarray", ".zattrs", "zarr.json"):
        (tmp_path / "a.zarr/0" / name).unlink(missing_ok=True)
    source = open_source(tmp_path / "a.zarr")
    np.testing.assert_array_equal(source.read(), VALUES)
    assert any("only by the consolidated metadata" in note for note in source.notes)
    np.testing.assert_array_equal(open_source(tmp_path / "a.zarr/0").read(), VALUES)
    shutil.rmtree(tmp_path / "a.zarr/0")
    with pytest.raises(SourceError, match="'0' does not exist"):
        open_source(tmp_path / "a.zarr")


def test_documents_of_two_versions_are_noted_and_the_one_with_chunks_is_read(tmp_path):
    path = tmp_path / "a.zarr"
    write_group(path, [VALUES], "0.4")
    old = open_source(path)
    zarr.create_group(path, zarr_format=3)
    zarr.create_array(path / "0", shape=(40, 50), chunks=(20, 25), dtype="u2", zarr_format=3, fill_value=3)
    both = open_source(path)
    assert both.spec == old.spec
    np.testing.assert_array_equal(both.read(), VALUES)
    assert sum("Zarr 2 and of Zarr 3" in note for note in both.notes) == 2


def test_levels_of_another_version_inside_a_group_are_read(tmp_path):
    write_group(tmp_path / "a.zarr", [VALUES])
    shutil.rmtree(tmp_path / "a.zarr/0")
    zarr.create_array(tmp_path / "a.zarr/0", data=VALUES, chunks=(16, 16), zarr_format=2)
    np.testing.assert_array_equal(open_source(tmp_path / "a.zarr").read(), VALUES)


@pytest.mark.parametrize("path", ["scale0/image", "s0", "resolutions/fine/0", "./0/"])
def test_the_path_of_a_level_leads_to_its_image(tmp_path, path):
    group = write_group(tmp_path / "a.zarr", [VALUES])
    real = path.strip("./")
    group.create_array(real, data=VALUES, chunks=(16, 16), overwrite=True)
    ome = dict(group.attrs["ome"])
    ome["multiscales"][0]["datasets"][0]["path"] = path
    ome["omero"] = {"channels": [{"label": "DAPI"}]}
    group.attrs["ome"] = ome
    whole, level = open_source(tmp_path / "a.zarr").spec, open_source(tmp_path / "a.zarr" / real).spec
    assert level == whole.replace(source=level.source)
    assert level.scale == (0.5, 0.5)
    assert level.units == ("micrometer", "micrometer")


def test_a_level_whose_image_cannot_be_read_is_read_alone_with_a_note(tmp_path):
    write_group(tmp_path / "a.zarr", [VALUES, VALUES[::2, ::2].astype("f4")])
    with pytest.raises(SourceError, match="contradicts"):
        open_source(tmp_path / "a.zarr", level=1)
    alone = open_source(tmp_path / "a.zarr/1", scale=1, units="um")
    assert any("is not used" in note and "float32" in note for note in alone.notes)
    assert alone.spec.scale == (1, 1)


def test_the_second_image_of_a_group_is_read_by_the_path_of_its_level(tmp_path):
    group = write_group(tmp_path / "a.zarr", [VALUES], name="overview")
    group.create_array("other", data=VALUES[:20], chunks=(16, 16))
    ome = dict(group.attrs["ome"])
    second = json.loads(json.dumps(ome["multiscales"][0])) | {"name": "detail"}
    second["datasets"] = [{"path": "other", "coordinateTransformations": [{"type": "scale", "scale": [0.1, 0.1]}]}]
    ome["multiscales"].append(second)
    group.attrs["ome"] = ome
    first = open_source(tmp_path / "a.zarr")
    assert any("overview, detail" in note for note in first.notes)
    assert open_source(tmp_path / "a.zarr/other").spec.scale == (0.1, 0.1)
    assert open_source(tmp_path / "a.zarr/other").notes == ()


def test_a_size_that_a_level_does_not_give_follows_from_its_shape(tmp_path):
    write_group(tmp_path / "a.zarr", [VALUES, VALUES[::2, ::2]], scales=False)
    fine, coarse = open_source(tmp_path / "a.zarr"), open_source(tmp_path / "a.zarr", level=1)
    assert len(fine.levels()) == 1
    assert coarse.spec.scale == (2, 2)
    assert any("no pixel size" in note for note in fine.notes)
    assert any("taken from its shape" in note for note in coarse.notes)
    common = [{"type": "scale", "scale": [0.5, 0.25]}]
    write_group(tmp_path / "b.zarr", [VALUES, VALUES[::2, ::2]], scales=False, coordinateTransformations=common)
    assert open_source(tmp_path / "b.zarr").spec.scale == (0.5, 0.25)
    assert open_source(tmp_path / "b.zarr", level=1).spec.scale == (1, 0.5)
    assert open_source(tmp_path / "b.zarr", level=1).spec == open_source(tmp_path / "b.zarr/1").spec.replace(
        source=str(tmp_path / "b.zarr")
    )


def test_a_level_is_read_although_level_0_is_missing(tmp_path):
    write_group(tmp_path / "a.zarr", [VALUES, VALUES[::2, ::2]])
    shutil.rmtree(tmp_path / "a.zarr/0")
    with pytest.raises(SourceError, match="read another level"):
        open_source(tmp_path / "a.zarr")
    coarse = open_source(tmp_path / "a.zarr", level=1)
    assert coarse.spec.scale == (1, 1)
    assert any("not compared with level 0" in note for note in coarse.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda d: d["coordinateTransformations"].append({"type": "translation", "translation": [0, 40]}),
            "it begins at 40",
        ),
        (lambda d: d.update(path="nowhere"), "does not exist"),
        (lambda d: d.update(path=3), "path: 3"),
        (lambda d: d.update(coordinateTransformations=["scale"]), "['scale']"),
    ],
    ids=["elsewhere", "missing", "no path", "no transformation"],
)
def test_a_coarser_level_that_does_not_fit_is_noted_and_left_out(tmp_path, change, words):
    group = write_group(tmp_path / "a.zarr", [VALUES, VALUES[::2, ::2]])
    ome = dict(group.attrs["ome"])
    change(ome["multiscales"][0]["datasets"][1])
    group.attrs["ome"] = ome
    source = open_source(tmp_path / "a.zarr")
    assert source.levels() == []
    assert any("level 1 is not used" in note and words in note for note in source.notes)


def test_a_coarser_level_without_chunks_or_channels_is_left_out(tmp_path):
    stack = np.stack([VALUES] * 3)
    group = write_group(tmp_path / "a.zarr", [stack, stack[:, ::2, ::2], stack[:2, ::4, ::4]])
    shutil.rmtree(tmp_path / "a.zarr/1/c")
    ome = dict(group.attrs["ome"])
    for axis in ome["multiscales"][0]["axes"][:1]:
        axis.update(name="c", type="channel")
        axis.pop("unit")
    for d in ome["multiscales"][0]["datasets"]:
        d["coordinateTransformations"][0]["scale"][0] = 1
    group.attrs["ome"] = ome
    source = open_source(tmp_path / "a.zarr")
    assert source.levels() == []
    assert any("level 1 is not used" in note and "holds no chunk" in note for note in source.notes)
    assert any("level 2 is not used" in note and "2 px along c against 3" in note for note in source.notes)


def test_names_of_dimensions_that_contradict_the_axes_are_noted(tmp_path):
    group = write_group(tmp_path / "a.zarr", [VALUES])
    group.create_array("0", data=VALUES, chunks=(16, 16), dimension_names=("x", "y"), overwrite=True)
    source = open_source(tmp_path / "a.zarr")
    assert source.spec.axes == ("y", "x")
    assert any("names its dimensions x, y" in note for note in source.notes)
    group.create_array("0", data=VALUES, chunks=(16, 16), dimension_names=("Y", "X"), overwrite=True)
    assert open_source(tmp_path / "a.zarr").notes == ()


@pytest.mark.parametrize(
    ("channels", "names", "noted"),
    [
        ([{"label": "a"}, {"label": "b"}], ("a", "b"), False),
        ([{"label": "a"}, {"color": "ff0000"}], ("a", "channel 1"), True),
        ([{}, {}], (), False),
        ([{"label": "a"}], (), True),
        ("two", (), True),
        ([{"label": 405}, {"label": 488}], ("405", "488"), False),
    ],
)
def test_channel_names(tmp_path, channels, names, noted):
    group = write_group(tmp_path / "a.zarr", [np.stack([VALUES, VALUES])])
    ome = dict(group.attrs["ome"])
    ome["multiscales"][0]["axes"][0] = {"name": "c", "type": "channel"}
    ome["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"][0] = 1
    ome["omero"] = {"channels": channels}
    group.attrs["ome"] = ome
    source = open_source(tmp_path / "a.zarr")
    assert source.spec.channel_names == names
    assert any("channel" in note for note in source.notes) == noted


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_labels_are_labels_because_their_group_lists_them(tmp_path, version):
    write_group(tmp_path / "a.zarr", [VALUES], version)
    labels = zarr.create_group(tmp_path / "a.zarr/labels", zarr_format=3 if version == "0.5" else 2)
    listed = ["nuclei", "chances"]
    labels.attrs.update({"ome": {"version": "0.5", "labels": listed}} if version == "0.5" else {"labels": listed})
    write_group(tmp_path / "a.zarr/labels/nuclei", [VALUES.astype("i4")], version)
    write_group(tmp_path / "a.zarr/labels/chances", [VALUES / 1000], version)
    assert open_source(tmp_path / "a.zarr/labels/nuclei").spec.kind == "labels"
    assert open_source(tmp_path / "a.zarr/labels/nuclei/0").spec.kind == "labels"
    chances = open_source(tmp_path / "a.zarr/labels/chances")
    assert chances.spec.kind == "image"
    assert any("listed among labels" in note for note in chances.notes)


def test_the_series_of_a_collection_are_named(tmp_path):
    collection = zarr.create_group(tmp_path / "c.zarr", zarr_format=2)
    collection.attrs["bioformats2raw.layout"] = 3
    for name in ("0", "1"):
        write_group(tmp_path / "c.zarr" / name, [VALUES], "0.4")
    with pytest.raises(SeveralImages, match=r"2 images: '0', '1'.*c\.zarr::0"):
        open_source(tmp_path / "c.zarr")
    others = zarr.create_group(tmp_path / "c.zarr/OME", zarr_format=2)
    others.attrs["series"] = ["1", "0"]
    with pytest.raises(SeveralImages, match=r"'1', '0'"):
        open_source(tmp_path / "c.zarr")
    xml = '<OME xmlns="o"><Image Name="left"/><Image Name="right"/></OME>'
    (tmp_path / "c.zarr/OME/METADATA.ome.xml").write_text(xml)
    assert [header.name for header in list_images(tmp_path / "c.zarr")] == ["left", "right"]
    assert open_source(f"{tmp_path}/c.zarr::right").spec.source == f"{tmp_path}/c.zarr::right"
    others.attrs["series"] = ["1"]
    assert "holds one image, '1', which is read" in open_source(tmp_path / "c.zarr").notes[-1]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_codec_that_is_not_installed_is_named(tmp_path, zarr_format):
    zarr.create_array(tmp_path / "a", data=VALUES, chunks=(16, 16), zarr_format=zarr_format)
    if zarr_format == 2:
        edit(tmp_path / "a/.zarray", lambda d: d.update(compressor={"id": "squeeze"}))
    else:
        edit(tmp_path / "a/zarr.json", lambda d: d["codecs"].append({"name": "squeeze", "configuration": {}}))
    with pytest.raises(SourceError, match=r"(?i)squeeze.*install the package"):
        open_source(tmp_path / "a")


def test_an_array_with_the_metadata_of_an_image_says_so(tmp_path):
    array = zarr.create_array(tmp_path / "a", data=VALUES, chunks=(16, 16))
    array.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": [], "datasets": [{"path": "."}]}]}
    assert any("key multiscales is not read" in note for note in open_source(tmp_path / "a").notes)
    assert not Path(tmp_path / "a" / "a").exists()
