"""Objects of a stack are split and dropped as wholes, whatever blocks they lie in."""

import dataclasses

import numpy as np
import pytest
from cut_truth import on_disk, rows_of, stack, whole

from napari_s1omni.benchmarks.stitching.agreement import Agreement
from napari_s1omni.benchmarks.stitching.label_run import plan_segmentation
from napari_s1omni.errors import RunInterrupted
from napari_s1omni.execution.stitching.stitching_pass import stitch
from napari_s1omni.joining.stitching import link_planes
from napari_s1omni.operations import Segmentation

OPERATION = Segmentation(prompt="segment the nuclei, about 16 px", min_planes=3)


def nuclei():
    """Piles of two and three nuclei, one nucleus alone, and specks of one and two planes; ids, and specks."""
    z, y, x = np.mgrid[:26, :60, :90]
    truth, specks = np.zeros(z.shape, int), np.zeros(z.shape, int)
    piles = [(16, 18, (6, 13)), (16, 60, (5, 12, 19)), (44, 30, (12,)), (42, 82, (8, 15))]
    for row, col, middles in piles:
        for middle in middles:
            # Flat ends: a nucleus reaches the next one with a section of half its width.
            distance = ((z - middle) / 5) ** 2 + ((y - row) ** 2 + (x - col) ** 2) / 81
            truth[(distance <= 1) & (abs(z - middle) <= 3.5) & (truth == 0)] = truth.max() + 1
    for n, (start, stop, row, col) in enumerate([(7, 8, 44, 55), (11, 13, 22, 38), (12, 13, 50, 60)], truth.max() + 1):
        specks[start:stop, row : row + 6, col : col + 6] = n
    return truth, specks


def per_plane(labels):
    """Number the objects of each plane anew, as an engine does, and link them."""
    return link_planes(np.stack([np.where(plane > 0, plane + 50 * (z % 2), 0) for z, plane in enumerate(labels)]))


def planned(block, depth, operation=OPERATION):
    plan = plan_segmentation((26, 60, 90), "zyx", block, 20, depth=depth, halo_z=1)
    return dataclasses.replace(plan, job=plan.job.replace(operation=operation))


@pytest.mark.parametrize(("block", "depth"), [(96, 26), (32, 9), (48, 1)])
def test_the_result_does_not_depend_on_the_blocks(tmp_path, block, depth):
    truth, specks = nuclei()
    store, records = on_disk(tmp_path / "out", planned(block, depth), stack(truth + specks), per_plane)
    report = stitch(planned(block, depth), store, records)
    assert Agreement.of(truth, whole(store)).equal
    assert (report.objects, report.split, report.thin, report.least) == (8, 4, 3, 3)
    assert sorted(np.unique(whole(store))) == list(range(9))
    assert all(int(row["label"]) <= 8 for row in rows_of(store))


def test_all_stay_linked_where_the_job_says_so(tmp_path):
    truth, specks = nuclei()
    plan = planned(32, 9, OPERATION.replace(split_z=False, min_planes=1))
    store, records = on_disk(tmp_path / "out", plan, stack(truth + specks), per_plane)
    report = stitch(plan, store, records)
    assert (report.objects, report.split, report.thin) == (7, 0, 0)


def test_only_the_part_at_the_border_is_dropped_with_it(tmp_path):
    truth, specks = nuclei()
    plan = planned(32, 9, OPERATION.replace(drop_border=True))
    truth[7:10, 40:46, 84:] = truth[8, 42, 82]
    store, records = on_disk(tmp_path / "out", plan, stack(truth + specks), per_plane)
    report = stitch(plan, store, records)
    touching = set(np.unique(truth[:, :, [0, -1]])) - {0}
    kept = np.where(np.isin(truth, list(touching)), 0, truth)
    assert 0 < len(touching) < 8
    assert Agreement.of(kept, whole(store)).equal
    assert report.thin == 3


def test_a_pass_that_was_stopped_goes_on_to_the_same(tmp_path):
    truth, specks = nuclei()
    plan = planned(32, 9)
    store, records = on_disk(tmp_path / "out", plan, stack(truth + specks), per_plane)
    seen = []

    def stop(step):
        seen.append(step)
        if seen.count("write") == 4:
            raise RunInterrupted("stopped")

    with pytest.raises(RunInterrupted):
        stitch(plan, store, records, on_block=stop)
    assert "measure" in seen
    report = stitch(plan, store, records)
    assert 0 < report.written <= len(plan.grid) - 4
    assert Agreement.of(truth, whole(store)).equal
    assert stitch(plan, store, records).written == 0
