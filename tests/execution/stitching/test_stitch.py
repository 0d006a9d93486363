"""The stitching pass over a result: correct, written once, and the same after a kill."""

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from cut_truth import flat, on_disk, rows_of, stack, whole

from napari_s1omni.benchmarks.stitching.agreement import Agreement
from napari_s1omni.benchmarks.stitching.label_run import plan_segmentation, write_true_labels
from napari_s1omni.benchmarks.stitching.oracle_images import ellipses, random_mask
from napari_s1omni.benchmarks.stitching.window_engines import components, jittered_ids, known_ids
from napari_s1omni.errors import PlanError, RunInterrupted, StoreDamaged
from napari_s1omni.execution.stitching.block_labels import is_stitched
from napari_s1omni.execution.stitching.stitching_pass import STITCHED_LOG, StitchPass, stitch
from napari_s1omni.execution.stitching.uncertain_joins import UNCERTAIN_JOINS_FILE
from napari_s1omni.operations import Segmentation
from napari_s1omni.storage.logs.append_log import read_lines
from napari_s1omni.storage.logs.journal import Journal
from napari_s1omni.storage.result.label_scratch import DiskScratch, MemoryScratch
from napari_s1omni.storage.sinks.memory_sink import MemorySink


def files(store):
    """Bytes of everything that is the result: arrays, metadata, and the table of uncertain joins."""
    kept = [p for p in store.path.rglob("*") if p.is_file() and ".s1omni" not in p.parts]
    kept.append(store.work / UNCERTAIN_JOINS_FILE)
    return {str(p.relative_to(store.path)): p.read_bytes() for p in kept}


@pytest.mark.parametrize("edge", [64, 150])
def test_components_equal_those_of_the_whole_plane(tmp_path, edge):
    mask = random_mask((301, 277), 0.59)
    plan = plan_segmentation(mask.shape, "yx", edge, 5)
    store, records = on_disk(tmp_path / "out", plan, flat(mask), components(1))
    report = stitch(plan, store, records)
    truth = components(1)(mask)
    assert Agreement.of(truth, whole(store)).equal
    assert report.objects == truth.max() == whole(store).max()
    assert report.written == len(plan.grid)
    assert set(report.digests) == set(records)


def test_a_volume_in_blocks_with_depth(tmp_path):
    mask = random_mask((21, 40, 45), 0.3)
    plan = plan_segmentation(mask.shape, "zyx", 16, 3, depth=8, halo_z=2)
    store, records = on_disk(tmp_path / "out", plan, stack(mask), components(3))
    stitch(plan, store, records)
    assert Agreement.of(components(3)(mask), whole(store)).equal


def test_planes_without_a_halo_along_z_stay_apart(tmp_path):
    mask = np.ones((2, 40, 40), np.uint8)
    plan = plan_segmentation(mask.shape, "zyx", 16, 3)
    store, records = on_disk(tmp_path / "out", plan, stack(mask), components(2))
    assert stitch(plan, store, records).objects == 2


def test_time_points_are_independent(tmp_path):
    truth = ellipses(120, 16)
    plan = plan_segmentation((3, 120, 120), "tyx", 48, 16)
    store, records = on_disk(tmp_path / "out", plan, lambda t, box: truth[box[1:]][None], known_ids())
    assert stitch(plan, store, records).objects == 48
    found = whole(store)
    assert [Agreement.of(truth, plane).equal for plane in found] == [True] * 3
    assert len(np.unique(found[found > 0])) == 48


def test_a_region_sees_beyond_itself(tmp_path):
    truth = ellipses(256, 49)
    plan = plan_segmentation(truth.shape, "yx", 48, 16)
    grid = dataclasses.replace(plan.grid, y=(48, 200), x=(96, 256))
    target = plan.target.replace(shape=(152, 160))
    plan = dataclasses.replace(plan, grid=grid, target=target)
    store, records = on_disk(tmp_path / "out", plan, flat(truth), jittered_ids(5))
    report = stitch(plan, store, records)
    inside = truth[48:200, 96:256]
    assert report.objects == len(np.unique(inside[inside > 0]))
    for row in rows_of(store):
        assert 0 <= int(row["y"]) < 152
        assert 0 <= int(row["x"]) < 160


def test_order_of_blocks_does_not_change_a_byte(tmp_path):
    mask = random_mask((150, 140), 0.59)
    plan = plan_segmentation(mask.shape, "yx", 32, 4)
    found = []
    for name, order in (("a", list), ("b", lambda places: places[::-1])):
        store, records = on_disk(tmp_path / name, plan, flat(mask), components(1), order)
        report = stitch(plan, store, dict(reversed(records.items())) if name == "b" else records)
        store.complete_pyramid(report.digests)
        found.append(files(store))
    assert found[0] == found[1]


def test_memory_and_disk_agree(tmp_path):
    truth = ellipses(200, 144)
    plan = plan_segmentation(truth.shape, "yx", 64, 16)
    store, records = on_disk(tmp_path / "out", plan, flat(truth), jittered_ids(9))
    on_file = stitch(plan, store, records)
    sink, scratch = MemorySink(plan.target, plan.block_shape), MemoryScratch(plan.target)
    records = write_true_labels(plan, scratch, flat(truth), jittered_ids(9))
    lines = []
    in_memory = StitchPass(plan, sink, scratch, records).run(table=lines.extend)
    assert np.array_equal(sink.levels[0], whole(store))
    assert in_memory.digests == on_file.digests
    assert b"".join(lines) == (store.work / UNCERTAIN_JOINS_FILE).read_bytes()
    assert in_memory.uncertain == on_file.uncertain == len(lines) - 1 > 0


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from napari_s1omni.execution.stitching.stitching_pass import stitch
    from napari_s1omni.storage.files.disk import Disk
    from napari_s1omni.storage.logs.journal import replay
    from napari_s1omni.storage.result.store import ResultStore
    from napari_s1omni.benchmarks.stitching.label_run import plan_segmentation

    path, step, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    seen = []

    def watch(name):
        seen.append(name)
        if seen.count(step) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    store = ResultStore.open(path, "r+", disk=Disk(durable=False), on_step=watch)
    plan = plan_segmentation((530, 70), "yx", 48, 4)
    report = stitch(plan, store, replay(path / ".s1omni" / "journal"), on_block=watch)
    store.complete_pyramid(report.digests)
"""


def journalled(folder, records):
    """Write a journal, as a run would have."""
    with Journal(folder, "serial") as journal:
        for record in records.values():
            journal.append(record)


@pytest.mark.parametrize(("step", "count"), [("match", 9), ("write", 1), ("temp", 4), ("renamed", 11), ("write", 24)])
def test_a_killed_pass_is_finished_by_the_next_to_the_same_bytes(tmp_path, step, count):
    mask = random_mask((530, 70), 0.59)
    plan = plan_segmentation(mask.shape, "yx", 48, 4)
    undisturbed, records = on_disk(tmp_path / "undisturbed", plan, flat(mask), components(1))
    undisturbed.complete_pyramid(stitch(plan, undisturbed, records).digests)

    store, records = on_disk(tmp_path / "killed", plan, flat(mask), components(1))
    journalled(store.work / "journal", records)
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(store.path), step, str(count)]
    killed = subprocess.run(command, check=False, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()

    assert len(store.levels) == 2
    log = store.work / STITCHED_LOG
    written = len(list(read_lines(log))) if log.exists() else 0
    report = stitch(plan, store, records)
    assert report.written == len(plan.grid) - written
    store.complete_pyramid(report.digests)
    assert files(store) == files(undisturbed)


def test_an_interrupted_pass_can_go_on(tmp_path):
    truth = ellipses(128, 16)
    plan = plan_segmentation(truth.shape, "yx", 64, 16)
    store, records = on_disk(tmp_path / "out", plan, flat(truth), known_ids())

    def stop(step):
        if step == "write":
            raise RunInterrupted("stopped")

    with pytest.raises(RunInterrupted):
        stitch(plan, store, records, on_block=stop)
    assert stitch(plan, store, records).written == 3
    assert stitch(plan, store, records).written == 0
    assert Agreement.of(truth, whole(store)).equal


def test_check_writes_again_what_was_damaged(tmp_path):
    truth = ellipses(128, 16)
    plan = plan_segmentation(truth.shape, "yx", 64, 16)
    store, records = on_disk(tmp_path / "out", plan, flat(truth), known_ids())
    stitch(plan, store, records)
    before = files(store)
    shard = store.path / "0" / "c" / "0" / "1"
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 4
    shard.write_bytes(data)
    (store.path / "0" / "c" / "1" / "1").unlink()
    assert stitch(plan, store, records).written == 0
    assert stitch(plan, store, records, check=True).written == 2
    assert files(store) == before


def test_changed_labels_of_a_block_are_stitched_again(tmp_path):
    truth = ellipses(128, 16)
    plan = plan_segmentation(truth.shape, "yx", 64, 16)
    store, records = on_disk(tmp_path / "out", plan, flat(truth), known_ids())
    stitch(plan, store, records)
    other = ellipses(128, 9)
    records = write_true_labels(plan, DiskScratch(store), flat(other), known_ids())
    stitch(plan, store, records)
    assert Agreement.of(other, whole(store)).equal
    # The last object of a block may go, too.
    other[:64, 64:] = 0
    records = write_true_labels(plan, DiskScratch(store), flat(other), known_ids())
    stitch(plan, store, records)
    assert Agreement.of(other, whole(store)).equal


def test_a_block_that_is_not_done_is_a_hole_and_nothing_else(tmp_path):
    truth = ellipses(192, 36)
    plan = plan_segmentation(truth.shape, "yx", 64, 16)
    store, records = on_disk(tmp_path / "out", plan, flat(truth), known_ids())
    records[1, 1] = records[1, 1].replace(state="failed")
    records[0, 2] = records[0, 2].replace(state="quarantined")
    report = stitch(plan, store, records)
    expected = truth.copy()
    expected[64:128, 64:128] = 0
    assert (1, 1) not in report.digests
    seen = Agreement.of(expected, whole(store))
    assert (seen.missed, seen.merges) == (0, 0)


def test_no_objects_at_all(tmp_path):
    plan = plan_segmentation((70, 70), "yx", 32, 8)
    store, records = on_disk(tmp_path / "out", plan, flat(np.zeros((70, 70), int)), known_ids())
    report = stitch(plan, store, records)
    assert (report.objects, report.written, set(report.digests.values())) == (0, 0, {""})


def test_damaged_slabs_are_named(tmp_path):
    truth = ellipses(128, 16)
    plan = plan_segmentation(truth.shape, "yx", 64, 16)
    store, records = on_disk(tmp_path / "out", plan, flat(truth), known_ids())
    path = store.work / "slabs" / "1" / "0"
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreDamaged, match=r"slabs/1/0 are damaged"):
        stitch(plan, store, records)


def test_more_objects_than_the_dtype_holds_are_refused(tmp_path):
    truth = ellipses(200, 400)
    plan = plan_segmentation(truth.shape, "yx", 64, 16)
    plan = dataclasses.replace(plan, target=plan.target.replace(dtype="uint8"))
    sink, scratch = MemorySink(plan.target, plan.block_shape), MemoryScratch(plan.target)
    records = write_true_labels(plan, scratch, flat(truth), known_ids())
    with pytest.raises(PlanError, match="400 objects"):
        StitchPass(plan, sink, scratch, records).run()
    assert not sink.levels[0].any()


def test_classes_are_not_stitched():
    plan = plan_segmentation((70, 70), "yx", 32, 8)
    assert is_stitched(plan)
    job = plan.job.replace(operation=Segmentation(instances=False))
    assert not is_stitched(dataclasses.replace(plan, job=job))
