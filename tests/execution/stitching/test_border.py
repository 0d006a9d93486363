"""Objects at the border of a layer are dropped as a whole, after they were joined."""

import dataclasses

import numpy as np
from cut_truth import flat, on_disk, rows_of, stack, whole

from napari_s1omni.benchmarks.stitching.agreement import Agreement
from napari_s1omni.benchmarks.stitching.label_run import plan_segmentation
from napari_s1omni.benchmarks.stitching.window_engines import known_ids
from napari_s1omni.execution.stitching.stitching_pass import stitch
from napari_s1omni.operations import Segmentation


def dropping(plan):
    return dataclasses.replace(plan, job=plan.job.replace(operation=Segmentation(drop_border=True)))


def test_border_objects_are_dropped_whole_however_long(tmp_path):
    """Most blocks see no more of the bar than an end that is nowhere near the border."""
    truth = np.zeros((120, 200), int)
    truth[50:60, :190], truth[10:20, 20:40], truth[100:120, 90:110], truth[80:90, 150:199] = 1, 2, 3, 4
    plan = dropping(plan_segmentation(truth.shape, "yx", 32, 6))
    store, records = on_disk(tmp_path / "out", plan, flat(truth), known_ids())
    report = stitch(plan, store, records)
    kept = np.where(np.isin(truth, (2, 4)), truth, 0)
    assert Agreement.of(kept, whole(store)).equal
    assert report.objects == 2
    assert sorted(np.unique(whole(store))) == [0, 1, 2]
    assert rows_of(store) == []


def test_border_objects_of_a_stack_are_dropped_in_all_planes_and_its_ends_are_no_border(tmp_path):
    truth = np.zeros((6, 60, 60), int)
    truth[:, 20:30, 20:30] = 1
    truth[1:5, 40:50, 30:50], truth[3, 40:50, 50:] = 2, 2
    plan = dropping(plan_segmentation(truth.shape, "zyx", 16, 4, depth=2, halo_z=1))
    store, records = on_disk(tmp_path / "out", plan, stack(truth), known_ids())
    assert stitch(plan, store, records).objects == 1
    np.testing.assert_array_equal(whole(store), truth == 1)


def test_the_border_is_that_of_the_layer_not_of_a_region(tmp_path):
    truth = np.zeros((200, 200), int)
    truth[90:110, 60:120], truth[60:80, 60:200] = 1, 2
    plan = dropping(plan_segmentation(truth.shape, "yx", 32, 16))
    grid = dataclasses.replace(plan.grid, y=(64, 128), x=(64, 192))
    plan = dataclasses.replace(plan, grid=grid, target=plan.target.replace(shape=(64, 128)))
    store, records = on_disk(tmp_path / "out", plan, flat(truth), known_ids())
    assert stitch(plan, store, records).objects == 1
    np.testing.assert_array_equal(whole(store) > 0, (truth == 1)[64:128, 64:192])
