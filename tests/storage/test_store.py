"""The result on disk: valid OME-Zarr, readable in napari, checked bit by bit, created and opened safely."""

import json

import numpy as np
import pytest
import yaozarrs
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import StoreDamaged, StoreError, StoreExists
from napari_s1omni.storage.files.disk import Disk
from napari_s1omni.storage.image_group.label_place import LabelPlace
from napari_s1omni.storage.logs.journal import BlockRecord
from napari_s1omni.storage.result.shards import encode_shard, inner_chunk
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.result.verify import find_damaged_blocks

FAST = Disk(durable=False)
UM = "micrometer"


def spec(axes, shape, dtype="uint16", **more):
    return LayerSpec(shape, tuple(axes), dtype, **more)


def filled(path, target, block, **more):
    """A finished store with random pixels; returns it, the pixels and the digests."""
    store = ResultStore.create(
        path, target=target, block=block, attributes={"job": {"seed": 3}}, name="demo", disk=FAST, **more
    )
    pixels = np.random.default_rng(0).integers(1, 200, target.shape).astype(target.dtype)
    digests = {}
    for index in np.ndindex(*(-(-n // b) for n, b in zip(target.shape, block, strict=True))):
        origin = tuple(i * b for i, b in zip(index, block, strict=True))
        digests[index] = store.write_block(
            origin, pixels[tuple(slice(o, o + b) for o, b in zip(origin, block, strict=True))]
        )
    store.complete_pyramid(digests)
    store.finish(summary={"holes": 0})
    return store, pixels, digests


TARGETS = {
    "image": (spec("yx", (700, 601), scale=(0.5, 0.25), translate=(10, 20), units=(UM, UM)), (256, 256)),
    "labels": (spec("yx", (700, 601), "uint32", kind="labels", units=(UM, UM)), (256, 256)),
    "channels": (
        spec("cyx", (2, 700, 601), scale=(1, 0.5, 0.5), units=(None, UM, UM), channel_names=("DAPI", "actin")),
        (1, 512, 512),
    ),
    "colours": (spec("cyx", (3, 700, 601), "uint8", rgb=True), (3, 512, 512)),
    "volume": (spec("zyx", (5, 700, 601), scale=(2, 0.5, 0.5), units=(UM, UM, UM)), (2, 512, 512)),
    "everything": (
        spec("tczyx", (2, 2, 3, 600, 601), "float32", units=("second", None, UM, UM, UM)),
        (1, 2, 3, 512, 512),
    ),
}


@pytest.fixture(params=TARGETS)
def written(request, tmp_path):
    target, block = TARGETS[request.param]
    return filled(tmp_path / "out.zarr", target, block)


def test_is_valid_ome_zarr(written):
    store, *_ = written
    group = yaozarrs.validate_zarr_store(str(store.path))
    assert group.ome_metadata().version == "0.5"


@pytest.mark.filterwarnings("ignore:`json_encoders` is deprecated")
def test_napari_ome_zarr_reads_the_same(written):
    from napari_ome_zarr import napari_get_reader

    store, pixels, _ = written
    ((levels, settings, kind),) = napari_get_reader(str(store.path))(str(store.path))
    assert len(levels) == len(store.levels)
    assert np.array_equal(np.asarray(levels[0]), pixels)
    target = store.target
    assert kind == {"image": "image", "labels": "labels"}[target.kind]
    if "c" in target and kind == "image":
        assert settings["channel_axis"] == target.axes.index("c")
    if target.channel_names:
        assert settings["name"] == ["demo: DAPI", "demo: actin"]
    # That reader takes the first transformation of level 0 only, so the translation is not compared.
    assert tuple(settings["scale"]) == target.without("c").scale


def test_levels_lie_where_their_pixels_come_from(tmp_path):
    target, block = TARGETS["image"]
    store, *_ = filled(tmp_path / "out", target, block)
    datasets = json.loads((store.path / "zarr.json").read_bytes())["attributes"]["ome"]["multiscales"][0]["datasets"]
    scale, shift = (datasets[1]["coordinateTransformations"][i] for i in (0, 1))
    assert scale["scale"] == [1.0, 0.5]
    # Between the centres of pixels 0 and 1 of level 0.
    assert shift["translation"] == [10 + 0.25, 20 + 0.125]


def test_opening_gives_what_was_created(written):
    store, pixels, digests = written
    again = ResultStore.open(store.path)
    assert (again.target, again.block, again.path) == (store.target, store.block, store.path)
    assert again.attributes == store.attributes
    assert again.attributes["job"] == {"seed": 3}
    assert (again.attributes["state"], again.attributes["summary"]) == ("complete", {"holes": 0})
    assert np.array_equal(again.levels[0][...], pixels)
    assert {index: again.digest(index) for index in digests} == digests
    assert again.work == store.path / ".s1omni"


def test_an_unfinished_result_says_so(tmp_path):
    target, block = TARGETS["image"]
    ResultStore.create(tmp_path / "out", target=target, block=block, attributes={}, name="x", disk=FAST)
    assert ResultStore.open(tmp_path / "out").attributes["state"] == "running"


def test_a_reader_cannot_write(tmp_path):
    store, pixels, _ = filled(tmp_path / "out", *TARGETS["image"])
    reader = ResultStore.open(store.path)
    with pytest.raises(StoreError, match="for reading"):
        reader.write_block((0, 0), np.zeros((256, 256), "uint16"))
    assert np.array_equal(reader.levels[0][...], pixels)


def test_display_ranges_and_colours(tmp_path):
    target, block = TARGETS["channels"]
    store, *_ = filled(tmp_path / "a", target, block, windows=[(5, 90), (-2, 1e6)])
    channels = json.loads((store.path / "zarr.json").read_bytes())["attributes"]["ome"]["omero"]["channels"]
    assert [c["label"] for c in channels] == ["DAPI", "actin"]
    assert [(c["window"]["start"], c["window"]["end"]) for c in channels] == [(5, 90), (-2, 1e6)]
    assert all(c["window"]["min"] <= c["window"]["start"] < c["window"]["end"] <= c["window"]["max"] for c in channels)
    colours, *_ = filled(tmp_path / "b", *TARGETS["colours"])
    channels = json.loads((colours.path / "zarr.json").read_bytes())["attributes"]["ome"]["omero"]["channels"]
    assert [c["color"] for c in channels] == ["FF0000", "00FF00", "0000FF"]


def test_one_file_per_block_and_owned_level(tmp_path):
    store, *_ = filled(tmp_path / "out", spec("yx", (2048, 2048)), (1024, 1024))
    keys = {p.relative_to(store.path).as_posix() for p in store.path.rglob("c/*/*")}
    assert keys == {f"{level}/c/{y}/{x}" for level in range(3) for y in (0, 1) for x in (0, 1)}


def test_creating_twice_is_refused_but_a_killed_creation_is_repeated(tmp_path):
    target, block = TARGETS["image"]
    store, *_ = filled(tmp_path / "out", target, block)
    with pytest.raises(StoreExists):
        ResultStore.create(store.path, target=target, block=block, attributes={}, name="x")
    for path in store.path.rglob("c"):
        assert path.is_dir()
    (tmp_path / "half").mkdir()
    half = ResultStore.create(tmp_path / "half", target=target, block=block, attributes={}, name="x", disk=FAST)
    (half.path / "zarr.json").unlink()  # it is written last
    with pytest.raises(StoreError):
        ResultStore.open(half.path)
    again = ResultStore.create(half.path, target=target, block=block, attributes={}, name="x", disk=FAST)
    assert ResultStore.open(again.path).target == target


@pytest.mark.parametrize("content", [None, b"{}", b"not json", b'{"zarr_format": 3, "node_type": "group"}'], ids=str)
def test_opening_what_is_no_result_is_refused(content, tmp_path):
    if content is not None:
        (tmp_path / "zarr.json").write_bytes(content)
    with pytest.raises(StoreError):
        ResultStore.open(tmp_path)


def test_a_missing_array_is_damage(tmp_path):
    store, *_ = filled(tmp_path / "out", *TARGETS["image"])
    (store.path / "1" / "zarr.json").unlink()
    with pytest.raises(StoreDamaged, match="array 1"):
        ResultStore.open(store.path)


def test_every_flipped_byte_of_a_shard_is_noticed(tmp_path):
    target = spec("yx", (64, 64), "uint8")
    store, pixels, digests = filled(tmp_path / "out", target, (64, 64))
    record = BlockRecord((0, 0), "written", digests[0, 0])
    assert list(find_damaged_blocks(store.digest, [record])) == []
    shard = store.path / "0/c/0/0"
    whole = shard.read_bytes()
    for at in range(0, len(whole), 13):
        broken = bytearray(whole)
        broken[at] ^= 1 << at % 8
        shard.write_bytes(broken)
        with pytest.raises(StoreDamaged):
            store.read((slice(0, 64), slice(0, 64)))
    assert list(find_damaged_blocks(store.digest, [record])) == [(0, 0)]
    shard.write_bytes(b"")  # reads as background, which only the digest tells from the truth
    assert list(find_damaged_blocks(store.digest, [record])) == [(0, 0)]
    for length in (1, 19, len(whole) // 2, len(whole) - 1):
        shard.write_bytes(whole[:length])
        with pytest.raises(StoreDamaged):
            store.read((slice(0, 64), slice(0, 64)))
    store.write_block((0, 0), pixels)
    assert list(find_damaged_blocks(store.digest, [record])) == []


def test_verify_finds_missing_exchanged_and_outdated_files(tmp_path):
    store, pixels, digests = filled(tmp_path / "out", spec("yx", (1024, 1024)), (512, 512))
    records = [BlockRecord(index, "written", digest) for index, digest in digests.items()]
    (store.path / "0/c/0/0").unlink()
    (store.path / "0/c/1/0").write_bytes((store.path / "0/c/1/1").read_bytes())
    (store.path / "1/c/0/1").write_bytes((store.path / "1/c/1/1").read_bytes())
    assert sorted(find_damaged_blocks(store.digest, records)) == [(0, 0), (0, 1), (1, 0)]
    for y, x in ((0, 0), (0, 1), (1, 0)):
        store.write_block((512 * y, 512 * x), pixels[512 * y :, 512 * x :][:512, :512])
    assert list(find_damaged_blocks(store.digest, records)) == []
    failed = [record.replace(state="failed", digest="") for record in records]
    assert list(find_damaged_blocks(store.digest, failed)) == []


def test_a_block_of_background_needs_no_file_but_has_a_digest(tmp_path):
    store = ResultStore.create(
        tmp_path / "out", target=spec("yx", (512, 512)), block=(256, 256), attributes={}, name="x", disk=FAST
    )
    digest = store.write_block((0, 0), np.zeros((256, 256), "uint16"))
    assert not (store.path / "0/c").exists()
    assert store.digest((0, 0)) == digest
    record = BlockRecord((0, 0), "written", digest)
    assert list(find_damaged_blocks(store.digest, [record])) == []


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "uint64", "float16", "float32", "float64"])
def test_a_shard_reads_in_zarr_as_if_zarr_had_written_it(dtype):
    rng = np.random.default_rng(0)
    pixels = (rng.standard_normal((3, 90, 70)) * 100).astype(dtype)
    pixels[:, :32] = 0
    if dtype.startswith("float"):
        pixels[0, 0, 0], pixels[1, 60, 1], pixels[1, 60, 2] = -0.0, np.nan, np.inf
    array = zarr.create_array(
        {}, shape=pixels.shape, dtype=dtype, chunks=(1, 32, 32), shards=(4, 96, 96),
        compressors=[ZstdCodec(level=1), Crc32cCodec()], fill_value=0,
    )  # fmt: skip
    data = encode_shard(pixels, (1, 32, 32), (4, 96, 96))
    zarr.core.sync.sync(array.store.set("c/0/0/0", zarr.core.buffer.cpu.Buffer.from_bytes(data)))
    assert array[...].tobytes() == pixels.tobytes()


def test_background_chunks_take_no_space():
    assert encode_shard(np.zeros((64, 64), "uint8"), (32, 32), (64, 64)) is None
    assert encode_shard(np.full((64, 64), -0.0, "float32"), (32, 32), (64, 64)) is not None
    one = np.zeros((64, 64), "uint8")
    one[40, 40] = 1
    assert len(encode_shard(one, (32, 32), (64, 64))) < 200


@pytest.mark.parametrize(
    ("axes", "shard", "itemsize", "chunk"),
    [
        ("yx", (2048, 2048), 2, (512, 512)),
        ("yx", (768, 1536), 2, (384, 512)),
        ("yx", (256, 64), 2, (256, 64)),
        ("yx", (1021, 2 * 509), 2, (1021, 509)),
        ("zyx", (64, 512, 512), 2, (2, 512, 512)),
        ("zyx", (5, 256, 256), 1, (5, 256, 256)),
        ("tczyx", (1, 3, 4, 512, 512), 4, (1, 1, 1, 512, 512)),
    ],
    ids=str,
)
def test_inner_chunks_divide_the_shard_and_suit_a_viewer(axes, shard, itemsize, chunk):
    assert inner_chunk(shard, tuple(axes), itemsize) == chunk


def test_scratch_is_kept_beside_the_result(tmp_path):
    store, *_ = filled(tmp_path / "out", *TARGETS["image"])
    scratch = store.require_array("local_labels", "uint32", (700, 601), (256, 256))
    part = np.arange(256 * 256, dtype="uint32").reshape(256, 256)
    digest = scratch.write((256, 0), part)
    again = ResultStore.open(store.path).require_array("local_labels", "uint32", (700, 601), (256, 256))
    assert np.array_equal(again.read((slice(256, 512), slice(0, 256))), part)
    assert again.digest((256, 0)) == digest
    with pytest.raises(StoreError, match="local_labels"):
        store.require_array("local_labels", "uint32", (700, 601), (128, 128))
    yaozarrs.validate_zarr_store(str(store.path))


def source_image(path):
    filled(path, *TARGETS["image"])
    return path


def labels_in(image, name):
    target, block = TARGETS["labels"]
    return ResultStore.create(
        image / "labels" / name, target=target, block=block, attributes={}, name=name, into=LabelPlace(), disk=FAST
    )


@pytest.mark.filterwarnings("ignore:`json_encoders` is deprecated")
def test_labels_inside_an_image(tmp_path):
    from napari_ome_zarr import napari_get_reader

    image = source_image(tmp_path / "image.zarr")
    before = (image / "zarr.json").read_bytes()
    for name in ("nuclei", "cells"):
        store = labels_in(image, name)
        store.write_block((0, 0), np.full((256, 256), 7, "uint32"))
        assert not (image / "labels/zarr.json").exists() or name not in (image / "labels/zarr.json").read_text()
        store.finish()
        store.finish()
    listed = json.loads((image / "labels/zarr.json").read_bytes())["attributes"]["ome"]
    assert listed == {"version": "0.5", "labels": ["nuclei", "cells"]}
    assert (image / "zarr.json").read_bytes() == before
    assert {p.name for p in (image / "labels").iterdir()} == {"zarr.json", "nuclei", "cells"}
    yaozarrs.validate_zarr_store(str(image))
    kinds = [layer[2] for layer in napari_get_reader(str(image))(str(image))]
    assert kinds == ["image", "labels", "labels"]


def test_labels_of_another_program_stay_listed(tmp_path):
    image = source_image(tmp_path / "image.zarr")
    (image / "labels").mkdir()
    document = {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": {"ome": {"version": "0.5", "labels": ["old"]}, "by": "hand"},
    }
    (image / "labels/zarr.json").write_text(json.dumps(document))
    labels_in(image, "new").finish()
    attributes = json.loads((image / "labels/zarr.json").read_bytes())["attributes"]
    assert attributes == {"ome": {"version": "0.5", "labels": ["old", "new"]}, "by": "hand"}
