"""A key is complete and on disk, or absent: order of calls, full disks, read-only folders and killed processes."""

import errno
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import zarr
from small_disk import FailingDisk, RecordingDisk, as_nobody, mounted, open_folder

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import DiskFull, StoreError
from napari_s1omni.storage.files.disk import Disk, disk_errors
from napari_s1omni.storage.files.fsync_store import FsyncStore
from napari_s1omni.storage.result.store import ResultStore

COMMIT = [("write", ".partial"), ("sync",), ("rename", ".partial", "key"), ("sync_folder", "a")]


def partials(root):
    return list((root / ".s1omni/partial").glob("*"))


def test_commit_order(tmp_path):
    disk, steps = RecordingDisk(), []
    store = FsyncStore(tmp_path, disk=disk, on_step=lambda name: (steps.append(name), disk.calls.append(name)))
    store.put("a/key", b"one")
    disk.calls.clear()
    store.put("a/key", b"two")
    assert [call for call in disk.calls if call not in ("temp", "renamed")] == COMMIT
    assert disk.calls.index("temp") == 2
    assert disk.calls[-1] == "renamed"
    disk.calls.clear()
    store.put("a/key", b"three", fresh=True)
    assert disk.calls[0] == ("delete", "key")
    assert [call for call in disk.calls[1:] if call not in ("temp", "renamed")] == COMMIT
    assert (tmp_path / "a/key").read_bytes() == b"three"
    assert steps == ["temp", "renamed"] * 3


def test_new_folders_are_entered_in_their_parents_before_the_file(tmp_path):
    disk = RecordingDisk()
    FsyncStore(tmp_path / "new", disk=disk).put("0/c/1", b"x")
    synced = [call[1] for call in disk.calls if call[0] == "sync_folder"]
    assert synced[:3] == [tmp_path.name, "new", "0"]
    assert disk.calls.index(("sync_folder", "0")) < disk.calls.index(("write", ".partial"))
    assert disk.calls[-1] == ("sync_folder", "c")


def test_removing_is_durable(tmp_path):
    disk = RecordingDisk()
    store = FsyncStore(tmp_path, disk=disk)
    store.put("a/key", b"x")
    disk.calls.clear()
    store.remove("a/key")
    store.remove("a/key")
    assert disk.calls == [("delete", "key"), ("sync_folder", "a")]


def test_a_block_is_committed_file_by_file_and_the_old_one_goes_first(tmp_path):
    disk = RecordingDisk()
    target = LayerSpec((600, 600), ("y", "x"), "uint16")
    store = ResultStore.create(tmp_path / "out", target=target, block=(600, 600), attributes={}, name="x", disk=disk)
    store.write_block((0, 0), np.ones((600, 600), "uint16"))
    disk.calls.clear()
    store.write_block((0, 0), np.full((600, 600), 2, "uint16"))
    one = [("delete", "0"), ("write", ".partial"), ("sync",), ("rename", ".partial", "0"), ("sync_folder", "0")]
    assert disk.calls == one * 2


def test_without_durability_nothing_waits(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: pytest.fail("waited"))
    FsyncStore(tmp_path, disk=Disk(durable=False)).put("a/b", b"x")
    assert (tmp_path / "a/b").read_bytes() == b"x"


def test_zarr_reads_and_writes_through_it(tmp_path):
    disk = RecordingDisk()
    array = zarr.create_array(FsyncStore(tmp_path, disk=disk), name="a", shape=(10, 10), chunks=(5, 5), dtype="u1")
    disk.calls.clear()
    array[:5, :5] = 7
    assert ("rename", ".partial", "0") in disk.calls
    assert disk.calls[-1] == ("sync_folder", "0")
    array[5:, 5:] = 8
    array[:5, :5] = 0
    again = zarr.open_array(FsyncStore(tmp_path, read_only=True), path="a", mode="r")
    assert (int(again[0, 0]), int(again[9, 9])) == (0, 8)
    assert not (tmp_path / "a/c/0/0").exists()
    assert not partials(tmp_path)


@pytest.mark.parametrize("call", ["make_folder", "write", "sync", "rename"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO], ids=errno.errorcode.get)
@pytest.mark.parametrize("fresh", [True, False])
def test_a_failed_commit_leaves_no_partial_file(call, number, fresh, tmp_path):
    disk = FailingDisk(call, number)
    disk.armed = False
    store = FsyncStore(tmp_path, disk=disk)
    store.put("a/key", b"old")
    disk.armed = True
    expected = StoreError if number == errno.EIO else DiskFull
    with pytest.raises(expected) as caught:
        store.put("a/key", b"new value", fresh=fresh)
    assert caught.value.exit_code == (73 if number == errno.EIO else 75)
    assert "key" in str(caught.value)
    assert not partials(tmp_path)
    if fresh:
        assert not (tmp_path / "a/key").exists()
    else:
        assert (tmp_path / "a/key").read_bytes() == b"old"
    disk.armed = False
    store.put("a/key", b"new value", fresh=fresh)
    assert (tmp_path / "a/key").read_bytes() == b"new value"


def test_a_full_disk(tmp_path):
    with mounted(tmp_path / "small", "size=600k") as folder:
        target = LayerSpec((256, 4096), ("y", "x"), "uint16")
        store = ResultStore.create(folder / "out", target=target, block=(256, 256), attributes={}, name="x")
        noise = np.random.default_rng(0).integers(0, 65535, (256, 256), "uint16")
        digests = {}

        def write_all():
            for i in range(16):
                digests[0, i] = store.write_block((0, 256 * i), noise)

        with pytest.raises(DiskFull, match="no space left"):
            write_all()
        assert 2 <= len(digests) < 16
        assert not partials(store.path)
        # Nothing that looks finished: what was not reported as written is not there.
        assert len(list((store.path / "0/c/0").iterdir())) == len(digests)
        assert {index: store.digest(index) for index in digests} == digests
        (store.path / "0/c/0/0").unlink()
        digests[0, 0] = store.write_block((0, 0), noise)
        assert store.digest((0, 0)) == digests[0, 0]


def test_a_read_only_file_system(tmp_path):
    with mounted(tmp_path / "fixed", "size=100k,ro") as folder, pytest.raises(StoreError, match="may write to"):
        FsyncStore(folder).put("a/key", b"x")


def test_a_folder_without_permission():
    with open_folder() as folder:
        folder.chmod(0o555)
        with as_nobody(), pytest.raises(StoreError, match="may write to") as caught:
            FsyncStore(folder).put("a/key", b"x")
        assert caught.value.exit_code == 73
        assert list(folder.iterdir()) == []


def test_other_errors_keep_their_cause(tmp_path):
    with pytest.raises(StoreError) as caught, disk_errors("reading", tmp_path / "x"):
        (tmp_path / "x").read_bytes()
    assert caught.value.facts["errno"] == errno.ENOENT
    assert isinstance(caught.value.__cause__, FileNotFoundError)


WRITER = """
    import os, signal, sys
    import numpy as np
    from napari_s1omni.storage.result.store import ResultStore

    step, times = sys.argv[2], int(sys.argv[3])
    seen = []

    def kill(name):
        seen.append(name)
        if seen.count(step) == times:
            os.kill(os.getpid(), signal.SIGKILL)

    store = ResultStore.open(sys.argv[1], "r+", on_step=kill)
    store.write_block((512, 0), np.full((512, 512), 5, "uint16"))
"""


@pytest.mark.parametrize(
    ("step", "times", "whole"), [("temp", 1, []), ("renamed", 1, [0]), ("temp", 2, [0]), ("renamed", 2, [0, 1])]
)
def test_a_writer_killed_at(step, times, whole, tmp_path):
    target = LayerSpec((1024, 1024), ("y", "x"), "uint16")
    store = ResultStore.create(tmp_path / "out", target=target, block=(512, 512), attributes={}, name="x")
    other = store.write_block((0, 0), np.full((512, 512), 9, "uint16"))
    store.write_block((512, 0), np.full((512, 512), 4, "uint16"))
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(WRITER), store.path, step, str(times)])
    assert done.returncode == -signal.SIGKILL
    shards = [level for level in (0, 1) if (store.path / f"{level}/c/1/0").exists()]
    new = [level for level in shards if int(store.levels[level][512 >> level, 0]) == 5]
    # The old value of a file is gone before its new one is begun.
    assert new == whole
    assert len(partials(store.path)) == (step == "temp")
    fresh = FsyncStore(store.path)
    assert fresh.sweep() == (step == "temp")
    assert partials(store.path) == []
    store.write_block((512, 0), np.full((512, 512), 5, "uint16"))
    assert (int(store.levels[0][512, 0]), int(store.levels[1][256, 0])) == (5, 5)
    assert store.digest((0, 0)) == other
