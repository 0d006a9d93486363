"""What is written into a store is visible to readers that trust consolidated metadata, and nothing else changes there."""

import json

import numpy as np
import pytest
import zarr
from ngff_images import write_image

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.storage.files.disk import Disk
from napari_s1omni.storage.files.fsync_store import FsyncStore
from napari_s1omni.storage.image_group.label_place import LabelPlace
from napari_s1omni.storage.image_group.tables_group import TABLE_FILE, register_table, table_folder
from napari_s1omni.storage.result.store import ResultStore

FAST = Disk(durable=False)
pytestmark = [
    pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part"),
    pytest.mark.filterwarnings("ignore:Object at .s1omni is not recognized"),
]


def add_labels(image, name, value=7):
    target = LayerSpec((80, 60), ("y", "x"), "uint32", kind="labels")
    store = ResultStore.create(
        image / "labels" / name,
        target=target,
        block=(64, 64),
        attributes={},
        name=name,
        into=LabelPlace(),
        disk=FAST,
    )
    store.write_block((0, 0), np.full((64, 60), value, "uint32"))
    store.complete_pyramid()
    store.finish(summary={"objects": 1})
    return store


def plate(path, version):
    """A plate of two wells with one field each."""
    old = version == "0.4"
    wells = [{"path": f"A/{i}", "rowIndex": 0, "columnIndex": i - 1} for i in (1, 2)]
    about = {"columns": [{"name": "1"}, {"name": "2"}], "rows": [{"name": "A"}], "wells": wells, "version": version}
    group = zarr.open_group(path, mode="w", zarr_format=2 if old else 3)
    group.attrs.update({"plate": about} if old else {"ome": {"version": "0.5", "plate": about}})
    group.create_group("A")
    for i in (1, 2):
        well = group.create_group(f"A/{i}")
        images = {"images": [{"path": "0"}], "version": version}
        well.attrs.update({"well": images} if old else {"ome": {"version": "0.5", "well": images}})
        write_image(path / f"A/{i}/0", version, np.zeros((80, 60), "uint16"), "yx")


def consolidated(root):
    """Every entry of the consolidated metadata of a group."""
    if (root / ".zmetadata").exists():
        return json.loads((root / ".zmetadata").read_bytes())["metadata"]
    return json.loads((root / "zarr.json").read_bytes())["consolidated_metadata"]["metadata"]


def nodes(entries):
    """The groups and arrays that entries name, without the working folders of results."""
    return {key.rpartition("/.z")[0] or key for key in entries if ".s1omni" not in key}


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("where", ["image", "plate"])
def test_added_labels_are_seen_and_all_else_stays(version, where, tmp_path):
    root, field = tmp_path / "store.zarr", ""
    if where == "plate":
        plate(root, version)
        field = "A/2/0/"
    else:
        write_image(root, version, np.zeros((80, 60), "uint16"), "yx")
    zarr.consolidate_metadata(root)
    before = consolidated(root)
    for name, value in (("nuclei", 3), ("cells", 4)):
        add_labels(root / field, name, value)
    after = consolidated(root)
    assert {key: after[key] for key in before} == before
    added = after.keys() - before.keys()
    assert all(key.startswith(f"{field}labels") for key in added)
    assert not any(".s1omni" in key for key in added)
    group = zarr.open_group(root, mode="r", use_consolidated=True)
    for name, value in (("nuclei", 3), ("cells", 4)):
        labels = group[f"{field}labels/{name}"]
        assert labels.attrs["s1omni"]["state"] == "complete"
        assert {int(labels[level][0, 0]) for level in "01"} == {value}
    # zarr itself would name the same groups and arrays.
    zarr.consolidate_metadata(root)
    assert nodes(consolidated(root)) == nodes(after)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_copy_that_knew_no_groups_above_still_opens(version, tmp_path):
    """Entries that an earlier program left out are added down to the labels."""
    root = tmp_path / "store.zarr"
    plate(root, version)
    zarr.consolidate_metadata(root)
    name = ".zmetadata" if version == "0.4" else "zarr.json"
    document = json.loads((root / name).read_bytes())
    entries = document["metadata"] if version == "0.4" else document["consolidated_metadata"]["metadata"]
    for key in list(entries):
        if key.startswith("A"):
            del entries[key]
    (root / name).write_text(json.dumps(document))
    add_labels(root / "A/1/0", "nuclei")
    assert zarr.open_group(root, mode="r")["A/1/0/labels/nuclei/0"].shape == (80, 60)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_store_without_it_stays_without_it(version, tmp_path):
    image = tmp_path / "image.zarr"
    write_image(image, version, np.zeros((80, 60), "uint16"), "yx")
    before = {p: p.read_bytes() for p in image.rglob("*") if p.is_file()}
    add_labels(image, "nuclei")
    assert {p: p.read_bytes() for p in before} == before
    assert not (image / ".zmetadata").exists()


def test_it_is_replaced_at_once_and_again_after_a_second_run(tmp_path, monkeypatch):
    image = tmp_path / "image.zarr"
    write_image(image, "0.4", np.zeros((80, 60), "uint16"), "yx")
    zarr.consolidate_metadata(image)
    written = []
    put = FsyncStore.put
    monkeypatch.setattr(FsyncStore, "put", lambda store, key, *a, **k: (written.append(key), put(store, key, *a, **k)))
    store = add_labels(image, "nuclei")
    assert written.count("../../.zmetadata") == 1
    store.finish(summary={"objects": 5})
    assert consolidated(image)["labels/nuclei/.zattrs"]["s1omni"]["summary"] == {"objects": 5}
    before = (image / ".zmetadata").stat().st_mtime_ns
    store.finish(summary={"objects": 5})
    assert (image / ".zmetadata").stat().st_mtime_ns == before


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_added_tables_are_seen_and_all_else_stays(version, tmp_path):
    root = tmp_path / "store.zarr"
    plate(root, version)
    zarr.consolidate_metadata(root)
    before = consolidated(root)
    for group in (root, root / "A/2/0"):
        (table_folder(group, "nuclei") / TABLE_FILE).write_text("label\n1\n", encoding="utf-8")
        register_table(group, "nuclei", labels=None if group == root else "nuclei")
    after = consolidated(root)
    assert {key: after[key] for key in before} == before
    assert nodes(after) - nodes(before) == {
        f"{place}{name}" for place in ("", "A/2/0/") for name in ("tables", "tables/nuclei")
    }
    group = zarr.open_consolidated(root)
    assert group["tables"].attrs["tables"] == ["nuclei"]
    assert group["A/2/0/tables/nuclei"].attrs["region"] == {"path": "../labels/nuclei"}
