"""Labels inside an image: as many levels as the image, of the same sizes and places, and nothing else changed."""

import json
import shutil

import numpy as np
import pytest
import yaozarrs
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from ngff_images import follow, ids, labels_metadata, write_image, write_labels

from napari_s1omni.errors import StoreDamaged, StoreError
from napari_s1omni.storage.image_group.image_levels import read_image_levels
from napari_s1omni.storage.image_group.label_place import LabelPlace
from napari_s1omni.storage.logs.journal import BlockRecord
from napari_s1omni.storage.result.corrections import apply_correction
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.result.verify import find_damaged_blocks
from napari_s1omni.storage.source import open_source

VERSIONS = ("0.4", "0.5")


def snapshot(folder):
    """Content of every file of a folder, without that of its labels."""
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and "labels" not in p.parts}


def stored_levels(path):
    metadata = labels_metadata(path)["multiscales"][0]
    group = zarr.open_group(path, mode="r")
    return metadata, [group[level["path"]][...] for level in metadata["datasets"]]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("axes", "shape", "block", "options"),
    [
        ("yx", (513, 385), (128, 256), {"levels": 4}),
        ("yx", (513, 387), (256, 256), {"levels": 3, "rounding": "floor"}),
        ("yx", (500, 333), (256, 512), {"levels": 3, "factors": {"y": 3, "x": 3}}),
        ("yx", (200, 200), (64, 64), {"levels": 3, "factors": {"y": 2, "x": 2}, "shifted": True}),
        ("yx", (90, 70), (256, 256), {"levels": 1}),
        ("zyx", (9, 130, 140), (4, 64, 64), {"levels": 3, "factors": {"z": 2, "y": 2, "x": 2}, "scale": {"z": 2.0}}),
        ("tczyx", (3, 2, 5, 70, 90), (1, 2, 64, 64), {"levels": 2, "factors": {"y": 4, "x": 2}}),
    ],
    ids=["ceil", "floor", "thirds", "shifted", "one level", "volume", "channels and time"],
)
def test_labels_have_the_levels_of_their_image(version, axes, shape, block, options, tmp_path):
    image = tmp_path / "image.zarr"
    pixels = np.zeros(shape, "uint16")
    shapes = write_image(image, version, pixels, axes, **options)
    before = snapshot(image)
    flat, drop = axes.replace("c", ""), axes.find("c")
    labels = ids(tuple(n for a, n in zip(axes, shape, strict=True) if a != "c"))
    write_labels(image, labels, flat, block)
    metadata, levels = stored_levels(image / "labels/nuclei")
    expected = [s[:drop] + s[drop + 1 :] if drop >= 0 else s for s in shapes]
    assert [level.shape for level in levels] == expected
    for level, oracle in zip(levels, follow(labels, metadata, expected, 0), strict=True):
        assert np.array_equal(level, oracle)
    theirs = labels_metadata(image)["multiscales"][0]
    assert metadata["axes"] == [a for a in theirs["axes"] if a["name"] != "c"]
    for mine, its in zip(metadata["datasets"], theirs["datasets"], strict=True):
        assert mine["path"] == its["path"]
        for a, b in zip(mine["coordinateTransformations"], its["coordinateTransformations"], strict=False):
            ((_, values),) = [(k, v) for k, v in b.items() if k != "type"]
            assert a[b["type"]] == [v for v, axis in zip(values, axes, strict=True) if axis != "c"]
    yaozarrs.validate_zarr_store(str(image))
    assert snapshot(image) == before


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_level_shows_the_nearest_pixels(tmp_path_factory, data):
    """For any sizes, factors, rounding, level, region and blocks; ids stay ids."""
    draw = data.draw
    axes = draw(st.sampled_from(["yx", "zyx", "tyx"]))
    shape = tuple(draw(st.integers(1, 5 if a in "tz" else 70)) for a in axes)
    factors = {a: draw(st.integers(1, 3)) for a in axes if a != "t"}
    count = draw(st.integers(1, 4))
    image = tmp_path_factory.mktemp("follow") / "image.zarr"
    shapes = write_image(
        image,
        draw(st.sampled_from(VERSIONS)),
        np.zeros(shape, "uint8"),
        axes,
        levels=count,
        factors=factors,
        rounding=draw(st.sampled_from(["ceil", "floor"])),
        shifted=draw(st.booleans()),
        scale={"y": 0.65, "x": 0.65, "z": 2.0},
    )
    base = draw(st.integers(0, count - 1))
    origin = tuple(draw(st.integers(0, n - 1)) for n in shapes[base])
    if draw(st.booleans()):
        origin = (0,) * len(axes)
    size = tuple(draw(st.integers(1, n - o)) for n, o in zip(shapes[base], origin, strict=True))
    if not any(origin):
        size = shapes[base]
    labels = ids(size, draw(st.integers(0, 9)))
    block = tuple(draw(st.sampled_from([1, 2, 4] if a in "tz" else [16, 32, 64])) for a in axes)
    write_labels(image, labels, axes, block, place=LabelPlace(base, origin))
    metadata, levels = stored_levels(image / "labels/nuclei")
    assert len(levels) == count
    assert np.array_equal(levels[base], labels)
    found = [level.shape for level in levels]
    if size == shapes[base]:
        assert found == shapes
    for level, oracle in zip(levels, follow(labels, metadata, found, base), strict=True):
        assert set(np.unique(level)) <= set(np.unique(labels))
        if size == shapes[base]:
            assert np.array_equal(level, oracle)
    again = ResultStore.open(image / "labels/nuclei")
    assert [a.shape for a in again.levels] == found[base:]


@pytest.mark.parametrize("version", VERSIONS)
def test_labels_of_a_part_lie_where_that_part_lies(version, tmp_path):
    image = tmp_path / "image.zarr"
    write_image(image, version, np.zeros((256, 256), "uint16"), "yx", levels=3, scale={"y": 0.5, "x": 0.5})
    labels = ids((100, 72))
    write_labels(image, labels, "yx", (64, 64), place=LabelPlace(0, (50, 32)))
    metadata, levels = stored_levels(image / "labels/nuclei")
    assert [level.shape for level in levels] == [(100, 72), (50, 36), (25, 18)]
    shifts = [d["coordinateTransformations"][1]["translation"] for d in metadata["datasets"]]
    # Pixel 13 of level 2 is the first one inside of the part: 13 * 4 = 52.
    assert shifts == [[25.0, 16.0], [25.0, 16.0], [26.0, 16.0]]
    assert np.array_equal(levels[2], labels[2::4, ::4])
    source = open_source(str(image / "labels/nuclei"))
    assert (source.spec.kind, source.spec.translate) == ("labels", (25.0, 16.0))
    yaozarrs.validate_zarr_store(str(image))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_coarse_level_that_was_segmented_is_enlarged_to_the_finer_ones(version, tmp_path):
    image = tmp_path / "image.zarr"
    write_image(image, version, np.zeros((250, 130), "uint16"), "yx", levels=4)
    labels = ids((63, 33))
    store, _ = write_labels(image, labels, "yx", (32, 32), place=LabelPlace(2))
    _, levels = stored_levels(image / "labels/nuclei")
    assert [level.shape for level in levels] == [(250, 130), (125, 65), (63, 33), (32, 17)]
    assert np.array_equal(levels[2], labels)
    # A pixel half way between two takes the first one.
    rows, columns = (np.clip(-(-(np.arange(n) - 1) // 2), 0, m - 1) for n, m in ((125, 63), (65, 33)))
    assert np.array_equal(levels[1], labels[np.ix_(rows, columns)])
    assert [a.shape for a in store.levels] == [(63, 33), (32, 17)]
    yaozarrs.validate_zarr_store(str(image))


def test_labels_of_0_4_are_zarr_v2_as_others_write_it(tmp_path):
    image = tmp_path / "image.zarr"
    write_image(image, "0.4", np.zeros((300, 200), "uint16"), "yx", scale={"y": 0.5, "x": 0.5})
    labels = ids((300, 200))
    labels[:128, :128] = 0
    store, digests = write_labels(image, labels, "yx", (128, 128))
    path = image / "labels/nuclei"
    array = json.loads((path / "0/.zarray").read_bytes())
    assert (array["zarr_format"], array["dtype"], array["dimension_separator"]) == (2, "<u4", "/")
    assert (array["compressor"]["id"], array["fill_value"], array["order"]) == ("blosc", 0, "C")
    assert json.loads((path / ".zgroup").read_bytes()) == {"zarr_format": 2}
    assert not [p for p in path.rglob("zarr.json") if ".s1omni" not in p.parts]
    assert not (path / "0/0/0").exists()  # chunks of background are not stored
    assert (path / "0/1/1").is_file()
    listing = {name: json.loads((image / "labels" / name).read_bytes()) for name in (".zgroup", ".zattrs")}
    assert listing == {".zgroup": {"zarr_format": 2}, ".zattrs": {"labels": ["nuclei"]}}
    attributes = labels_metadata(path)
    assert attributes["multiscales"][0]["version"] == attributes["image-label"]["version"] == "0.4"
    again = ResultStore.open(path)
    assert (again.block, again.attributes["state"]) == ((128, 128), "complete")
    assert {index: again.digest(index) for index in digests} == digests
    source = open_source(str(path))
    assert (source.spec.kind, source.spec.scale, source.spec.units) == ("labels", (0.5, 0.5), ("micrometer",) * 2)
    assert np.array_equal(source.read(), labels)
    assert store.path == path


def test_damaged_and_missing_chunks_of_0_4_are_found_and_mended(tmp_path):
    image = tmp_path / "image.zarr"
    write_image(image, "0.4", np.zeros((256, 256), "uint16"), "yx")
    labels = ids((256, 256))
    store, digests = write_labels(image, labels, "yx", (128, 128))
    records = [BlockRecord(index, "written", digest) for index, digest in digests.items()]
    assert list(find_damaged_blocks(store.digest, records)) == []
    chunks = {index: store.path / f"0/{index[0]}/{index[1]}" for index in digests}
    chunks[0, 1].unlink()
    whole = chunks[1, 0].read_bytes()
    chunks[1, 0].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreDamaged):
        store.read((slice(128, 256), slice(0, 128)))
    whole = bytearray(chunks[1, 1].read_bytes())
    whole[len(whole) // 2] ^= 16
    chunks[1, 1].write_bytes(whole)
    assert sorted(find_damaged_blocks(store.digest, records)) == [(0, 1), (1, 0), (1, 1)]
    for y, x in ((0, 1), (1, 0), (1, 1)):
        store.write_block((128 * y, 128 * x), labels[128 * y :, 128 * x :][:128, :128])
    assert list(find_damaged_blocks(store.digest, records)) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_changed_blocks_change_every_level_above_them(version, tmp_path):
    image = tmp_path / "image.zarr"
    shapes = write_image(image, version, np.zeros((300, 300), "uint16"), "yx", levels=3, rounding="floor")
    labels = ids((300, 300))
    store, _ = write_labels(image, labels, "yx", (64, 64))
    labels[128:192, 64:128] = 77
    store.write_block((128, 64), labels[128:192, 64:128])
    store.renew_pyramid([(2, 1)])
    metadata, levels = stored_levels(store.path)
    for level, oracle in zip(levels, follow(labels, metadata, shapes, 0), strict=True):
        assert np.array_equal(level, oracle)


@pytest.mark.parametrize("version", VERSIONS)
def test_other_labels_stay_listed(version, tmp_path):
    image = tmp_path / "image.zarr"
    write_image(image, version, np.zeros((80, 80), "uint16"), "yx")
    for name in ("nuclei", "cells", "spots"):
        write_labels(image, ids((80, 80)), "yx", (64, 64), name=name)
    assert labels_metadata(image / "labels")["labels"] == ["nuclei", "cells", "spots"]
    assert {p.name for p in (image / "labels").iterdir() if p.is_dir()} == {"nuclei", "cells", "spots"}
    yaozarrs.validate_zarr_store(str(image))


def colors_of(path):
    return labels_metadata(path)["image-label"].get("colors", [])


def test_every_id_has_a_colour_where_a_validator_asks_for_colours(tmp_path):
    for version in VERSIONS:
        write_image(tmp_path / version, version, np.zeros((80, 80), "uint16"), "yx")
    write_labels(tmp_path / "0.4", ids((80, 80)), "yx", (64, 64))
    assert not colors_of(tmp_path / "0.4/labels/nuclei")
    labels = ids((80, 80))
    store, _ = write_labels(tmp_path / "0.5", labels, "yx", (64, 64))
    colors = colors_of(store.path)
    assert [color["label-value"] for color in colors] == list(range(labels.max() + 1))
    assert colors[0]["rgba"] == [0, 0, 0, 0]
    assert len({tuple(color["rgba"]) for color in colors}) == len(colors)
    # An id that is painted by hand is shown too.
    painted = labels.copy()
    painted[3, 3] = labels.max() + 2
    apply_correction(store, (slice(0, 80), slice(0, 80)), labels, painted)
    assert colors_of(store.path)[-1]["label-value"] == painted.max()
    assert ResultStore.open(store.path).attributes["state"] == "complete"
    yaozarrs.validate_zarr_store(str(tmp_path / "0.5"))
    store.finish(summary={"objects": 1001})
    assert not colors_of(store.path)


def test_an_axis_that_the_user_renamed_keeps_the_images_description(tmp_path):
    image = tmp_path / "image.zarr"
    write_image(image, "0.5", np.zeros((4, 80, 80), "uint16"), "zyx")
    write_labels(image, ids((4, 80, 80)), "tyx", (1, 64, 64), place=LabelPlace(axes="tyx"))
    metadata, levels = stored_levels(image / "labels/nuclei")
    assert [axis["name"] for axis in metadata["axes"]] == ["z", "y", "x"]
    assert [level.shape for level in levels] == [(4, 80, 80), (4, 40, 40)]
    yaozarrs.validate_zarr_store(str(image))


def test_scales_that_contradict_the_sizes_do_not_move_labels(tmp_path):
    image = tmp_path / "image.zarr"
    write_image(image, "0.4", np.zeros((160, 160), "uint16"), "yx", levels=3)
    attributes = json.loads((image / ".zattrs").read_bytes())
    for dataset in attributes["multiscales"][0]["datasets"]:
        dataset["coordinateTransformations"] = [{"type": "scale", "scale": [1.0, 1.0]}]
    (image / ".zattrs").write_text(json.dumps(attributes))
    labels = ids((160, 160))
    write_labels(image, labels, "yx", (64, 64))
    _, levels = stored_levels(image / "labels/nuclei")
    assert np.array_equal(levels[1], labels[::2, ::2])
    assert np.array_equal(levels[2], labels[::4, ::4])


def test_levels_are_read_from_files_alone(tmp_path):
    image = tmp_path / "image.zarr"
    write_image(image, "0.4", np.zeros((2, 80, 60), "uint16"), "cyx", levels=3, scale={"y": 0.5, "x": 0.25})
    found = read_image_levels(image)
    assert found.zarr_format == 2
    assert [dict(level.shape) for level in found.levels][1] == {"c": 2, "y": 40, "x": 30}
    assert dict(found.levels[2].scale) == {"c": 1.0, "y": 2.0, "x": 1.0}
    shutil.rmtree(image / "1")
    with pytest.raises(StoreError, match=r"level .1. of .* does not exist"):
        read_image_levels(image)
