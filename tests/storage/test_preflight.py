"""Checks before a run: every refusal, the lock, and that a refused output is left unchanged."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from small_disk import as_nobody, mounted, open_folder

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import DiskFull, PlanMismatch, StoreDamaged, StoreError, StoreExists, StoreLocked
from napari_s1omni.storage.files.disk import Disk
from napari_s1omni.storage.result.output_fingerprint import differing_keys
from napari_s1omni.storage.result.preflight import OutputRequest, preflight
from napari_s1omni.storage.result.store import ResultStore

AXES = [{"name": name, "type": "space"} for name in "yx"]
PRINT = {"operation": {"prompt": "nuclei", "channels": (0, 1)}, "sampling": {"seed": 3}, "engine": "reference"}


def check(path, **changes):
    """Run the checks and return what they found; the lock is held for no time."""
    resume = changes.pop("resume", True)
    with preflight(path, OutputRequest(**{"fingerprint": PRINT, "forecast": 1000, **changes}), resume=resume) as folder:
        return folder


def small_store(path, **more):
    target = LayerSpec((40, 40), ("y", "x"), "uint8")
    return ResultStore.create(
        path, target=target, block=(40, 40), attributes={}, name="x", disk=Disk(durable=False), **more
    )


def test_a_new_place_is_made(tmp_path):
    folder = check(tmp_path / "a/b/out")
    assert (folder.path, folder.resumed, folder.swept) == (tmp_path / "a/b/out", False, 0)
    assert (tmp_path / "a/b/out/.s1omni").is_dir()


def test_an_empty_folder_is_taken(tmp_path):
    assert not check(tmp_path).resumed


def test_the_same_plan_resumes_and_sweeps(tmp_path):
    check(tmp_path / "out")
    partial = tmp_path / "out/.s1omni/partial/1-2.partial"
    partial.parent.mkdir(exist_ok=True)
    partial.write_bytes(b"half")
    folder = check(tmp_path / "out")
    assert (folder.resumed, folder.swept) == (True, 1)
    assert not partial.exists()
    with pytest.raises(StoreExists, match="resume"):
        check(tmp_path / "out", resume=False)


def test_another_plan_is_refused_with_the_keys_that_differ(tmp_path):
    check(tmp_path / "out")
    before = (tmp_path / "out/.s1omni/fingerprint.json").read_bytes()
    other = {**PRINT, "operation": {"prompt": "cells", "channels": (0, 1)}, "sampling": {"seed": 4}, "extra": None}
    with pytest.raises(PlanMismatch, match=r"extra; .*prompt.*; .*seed") as caught:
        check(tmp_path / "out", fingerprint=other)
    assert caught.value.facts["keys"] == ("extra", "operation.prompt", "sampling.seed")
    assert (tmp_path / "out/.s1omni/fingerprint.json").read_bytes() == before
    assert check(tmp_path / "out").resumed


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ({"a": 1}, {"a": 1}, ()),
        ({"a": 1}, {"a": 1.0}, ()),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, ("a.c",)),
        ({"a": {"b": 1}}, {"a": None}, ("a",)),
        ({"a": None}, {}, ("a",)),
        ({"a": [1, 2]}, {"a": [2, 1]}, ("a",)),
    ],
)
def test_differing_keys(old, new, keys):
    assert differing_keys(old, new) == keys


def test_a_damaged_fingerprint_is_no_match(tmp_path):
    check(tmp_path / "out")
    (tmp_path / "out/.s1omni/fingerprint.json").write_bytes(b'{"operation"')
    with pytest.raises(StoreDamaged, match=r"fingerprint\.json"):
        check(tmp_path / "out")


def test_other_files_are_never_touched(tmp_path):
    file = tmp_path / "photo.tif"
    file.write_bytes(b"II*")
    with pytest.raises(StoreExists, match=r"photo\.tif"):
        check(tmp_path)
    with pytest.raises(StoreExists, match="is a file"):
        check(file)
    with pytest.raises(StoreError):
        check(file / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["photo.tif"]


def test_a_store_of_another_program_is_refused(tmp_path):
    small_store(tmp_path / "theirs")
    for extra in (tmp_path / "theirs/.s1omni").rglob("*"):
        assert extra.is_dir()
    (tmp_path / "theirs/.s1omni/partial").rmdir()
    (tmp_path / "theirs/.s1omni").rmdir()
    with pytest.raises(StoreExists):
        check(tmp_path / "theirs")


@pytest.mark.parametrize(
    ("source", "output", "words"),
    [
        ("img.zarr", "img.zarr", "is the source itself"),
        ("img.zarr", "sub/../img.zarr", "is the source itself"),
        ("img.zarr", "link", "is the source itself"),
        ("img.zarr", "img.zarr/out", "inside the source"),
        ("img.zarr/0", "img.zarr/out", "inside the source"),
        ("img.zarr", "img.zarr/0/out", "inside the source"),
        ("img.zarr", "img.zarr/labels/nuclei", "inside the source"),
        ("img.zarr/0", "img.zarr", "lies inside the output"),
        ("img.zarr", ".", "lies inside the output"),
    ],
)
@pytest.mark.parametrize("form", ["path", "uri"])
def test_output_and_source_stay_apart(source, output, words, form, tmp_path):
    small_store(tmp_path / "img.zarr")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to("img.zarr")
    before = sorted(tmp_path.rglob("*"))
    given = tmp_path / source
    with pytest.raises(StoreError, match=words):
        check(tmp_path / output, source=str(given) if form == "path" else given.as_uri())
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("source", ["folder/image.tif", "folder", "https://example.org/out", None])
def test_output_beside_a_source(source, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/image.tif").write_bytes(b"II*")
    given = source if source is None or "://" in source else str(tmp_path / source)
    assert not check(tmp_path / "folder/out", source=given).resumed


def test_labels_go_into_their_image_only_when_asked_and_only_where_they_belong(tmp_path):
    image = tmp_path / "img.zarr"
    small_store(image)
    for source in (image, image / "0"):
        assert check(image / "labels/nuclei", source=str(source), into=True).path == image / "labels/nuclei"
    with pytest.raises(StoreError, match="IMAGE/labels/NAME"):
        check(image / "nuclei", source=str(image), into=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match="is not an OME-Zarr image"):
        check(tmp_path / "empty/labels/nuclei", into=True)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"multiscales": []}, "key multiscales: "),
        ({"multiscales": [{"version": "0.3", "axes": ["y", "x"], "datasets": [{"path": "0"}]}]}, r"OME-Zarr 0\.3"),
        ({"multiscales": [{"axes": AXES, "datasets": [{"path": "0"}]}]}, "level '0' of .* does not exist"),
        ({"plate": {}}, "is not an OME-Zarr image"),
    ],
    ids=["empty", "old", "no array", "plate"],
)
def test_labels_go_only_into_an_image_that_is_whole(attributes, words, tmp_path):
    (tmp_path / ".zgroup").write_text('{"zarr_format": 2}')
    (tmp_path / ".zattrs").write_text(json.dumps(attributes))
    with pytest.raises(StoreError, match=words) as caught:
        check(tmp_path / "labels/nuclei", source=str(tmp_path), into=True)
    assert caught.value.remedy == "write to a separate output folder"
    assert not (tmp_path / "labels").exists()


def test_too_little_space(tmp_path):
    with mounted(tmp_path / "small", "size=1m") as folder:
        check(folder / "fits", forecast=500_000)
        with pytest.raises(DiskFull, match="MB free") as caught:
            check(folder / "out", forecast=2_000_000)
        assert caught.value.facts["forecast"] == 2_000_000
        assert caught.value.facts["free"] < 2_000_000
        assert not (folder / "out").exists()


def test_a_read_only_place(tmp_path):
    with mounted(tmp_path / "fixed", "ro,size=1m") as folder, pytest.raises(StoreError, match="may write to"):
        check(folder / "out")


def test_a_place_without_permission():
    with open_folder() as folder:
        check(folder / "mine")
        (folder / "closed").mkdir(mode=0o700)
        with as_nobody():
            for name in ("new", "mine", "closed", "closed/new"):
                with pytest.raises(StoreError, match="may write to"):
                    check(folder / name)
            with pytest.raises(StoreError, match="may write to"):
                ResultStore.open(folder / "closed/out")
        assert sorted(p.name for p in folder.iterdir()) == ["closed", "mine"]


HOLDER = """
    import sys, time
    from napari_s1omni.storage.result.preflight import OutputRequest, preflight
    with preflight(sys.argv[1], OutputRequest(fingerprint={"a": 1}, forecast=0)):
        print("locked", flush=True)
        time.sleep(60)
"""


def test_two_runs_at_once_and_the_lock_dies_with_its_process(tmp_path):
    out = tmp_path / "out"
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(HOLDER), out], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"locked\n"
        (out / ".s1omni/partial").mkdir(exist_ok=True)
        (out / ".s1omni/partial/x.partial").write_bytes(b"being written")
        with pytest.raises(StoreLocked, match=str(holder.pid)) as caught:
            check(out, fingerprint={"a": 1})
        assert caught.value.facts["pid"] == holder.pid
        assert (out / ".s1omni/partial/x.partial").exists()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    folder = check(out, fingerprint={"a": 1})
    assert (folder.resumed, folder.swept) == (True, 1)


def test_the_lock_is_released_on_the_way_out(tmp_path):
    def fail_inside():
        with preflight(tmp_path, OutputRequest(fingerprint={}, forecast=0)):
            with pytest.raises(StoreLocked, match=str(os.getpid())):
                check(tmp_path, fingerprint={})
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail_inside()
    assert check(tmp_path, fingerprint={}).resumed


def test_creating_and_writing_after_preflight(tmp_path):
    with preflight(tmp_path / "out", OutputRequest(fingerprint=PRINT, forecast=0)) as folder:
        store = small_store(folder.path)
        store.write_block((0, 0), np.ones((40, 40), "uint8"))
    assert json.loads((store.work / "fingerprint.json").read_bytes())["sampling"] == {"seed": 3}
    assert check(tmp_path / "out").resumed
