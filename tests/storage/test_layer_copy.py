"""The copy of a layer in memory: only what is read, with what was measured on the whole, as long as it is needed."""

import json
import os

import numpy as np
import pytest

from napari_s1omni.jobs.prepare import measure_source, prepare
from napari_s1omni.planning.job import Job
from napari_s1omni.planning.source_boxes import copied_bytes, source_boxes
from napari_s1omni.storage.arrays.layer_copy import LayerCopy, remove_old, remove_unneeded
from napari_s1omni.storage.source import open_source

PIXELS = np.random.default_rng(1).integers(50, 60000, (4, 2100, 2100)).astype(np.uint16)
JOB = Job.read(
    {
        "source": {"uri": "memory:array", "axes": "zyx", "scale": [2.0, 0.5, 0.5], "units": "um"},
        "operation": {"type": "segmentation", "prompt": "segment the nuclei"},
        "engine": "reference",
        "region": {"z": [2, 3], "y": [100, 400], "x": [100, 400]},
    }
)


def copied(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def make(path, job=JOB, pixels=PIXELS):
    measured = measure_source(job.source, pixels)
    return LayerCopy(measured.source, path, measured.measures()), prepare(job, pixels, seen=measured)


@pytest.mark.parametrize("think", ["per_tile", "once"])
def test_only_what_a_run_reads_is_copied_and_the_plan_is_the_same(tmp_path, think):
    job = JOB.replace(sampling={"think": think})
    copy, prepared = make(tmp_path / "copy.zarr", job)
    told = []
    copy.add(source_boxes(prepared.plan), lambda done, total: told.append((done, total)))
    assert told[-1] == (copied_bytes(prepared.plan),) * 2
    # One plane of four at most, and of that four chunks of nine, with the engine's margin, where no thought sees it all.
    share = 1 / 4 if think == "once" else 2048**2 / 2100**2 / 4
    assert told[-1][0] == pytest.approx(PIXELS.nbytes * share)
    assert copied(copy.path) < 1.6 * told[-1][0]

    again = prepare(job.replace(source={"uri": str(copy.path)}))
    assert again.plan.digest == prepared.plan.digest
    box = source_boxes(prepared.plan)[0]
    np.testing.assert_array_equal(again.source.read(box), prepared.source.read(box))

    # Another region adds to it.
    other = prepare(job.replace(region={"z": [0, 1], "y": [0, 64], "x": [0, 64]}), PIXELS)
    copy.add(source_boxes(other.plan))
    box = source_boxes(other.plan)[0]
    np.testing.assert_array_equal(open_source(copy.path).read(box), other.source.read(box))


def test_a_colour_picture_that_is_grey_in_the_region_keeps_its_colours(tmp_path):
    picture = np.full((1100, 1100, 3), 200, np.uint8)
    picture[1050:, 1050:, 0] = 90
    job = JOB.replace(source={"uri": "memory:array"}, region={"y": [0, 64], "x": [0, 64]})
    copy, prepared = make(tmp_path / "copy.zarr", job, picture)
    copy.add(source_boxes(prepared.plan))
    assert prepare(job.replace(source={"uri": str(copy.path), "axes": "syx"})).plan.digest == prepared.plan.digest


def test_a_copy_goes_with_the_last_result_that_needs_it(tmp_path):
    copy, _ = make(tmp_path / "copy.zarr", pixels=PIXELS[:, :64, :64], job=JOB.replace(region=None))
    result = tmp_path / "result.zarr"
    (result / ".s1omni").mkdir(parents=True)
    copy.use_for(result)
    users = copy.path / ".s1omni" / "users.json"
    assert copy.is_needed
    remove_unneeded(tmp_path)
    assert copy.path.exists()
    # As if the process had ended.
    users.write_text(json.dumps({**json.loads(users.read_text()), "born": 0.0}))
    remove_unneeded(tmp_path)
    assert copy.path.exists()
    (result / ".s1omni").rmdir()
    assert not copy.is_needed
    remove_unneeded(tmp_path)
    assert not copy.path.exists()


def test_copies_of_earlier_versions_go_after_a_month_unless_a_known_result_needs_them(tmp_path):
    for name in ("old", "needed", "new"):
        (tmp_path / f"{name}.zarr").mkdir()
    for name in ("old", "needed"):
        os.utime(tmp_path / f"{name}.zarr", (0, 0))
    remove_old(tmp_path, lambda: None)
    assert len(list(tmp_path.iterdir())) == 3, "not all results can be read now"
    remove_old(tmp_path, lambda: {str(tmp_path / "needed.zarr")})
    assert {path.stem for path in tmp_path.iterdir()} == {"needed", "new"}
    copy, _ = make(tmp_path / "copy.zarr", pixels=PIXELS[:, :64, :64], job=JOB.replace(region=None))
    os.utime(copy.path, (0, 0))
    remove_old(tmp_path, lambda: {str(tmp_path / "needed.zarr")})
    assert copy.path.exists(), "one that notes who needs it"
