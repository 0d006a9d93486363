"""Volumes: objects linked through planes and blocks, sizes in um, time points on their own."""

import dataclasses
import json

import numpy as np
import pytest

from napari_s1omni.benchmarks.stitching.agreement import Agreement
from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.units import read_size
from napari_s1omni.errors import JobError, PlanError
from napari_s1omni.execution.executors.serial import run_serial
from napari_s1omni.jobs.options import make_job
from napari_s1omni.joining.stitching import KEEP_ALL
from napari_s1omni.operations import Segmentation
from napari_s1omni.operations.operation import FinishContext
from napari_s1omni.planning.cost import estimate_cost
from napari_s1omni.planning.resolve import resolve
from napari_s1omni.results.result import Result
from napari_s1omni.storage.source import open_source
from napari_s1omni.testing.fake_engine import FakeEngine

ONE = Normalization((0.0,), (1.0,))


def balls(missing=None):
    """Six balls of 14 px in (18, 64, 96) and their ids; `missing` planes are left out."""
    z, y, x = np.mgrid[:18, :64, :96]
    truth = np.zeros(z.shape, int)
    for i in range(6):
        centre = (7 + 3 * (i % 2), 16 + 32 * (i // 3), 16 + 32 * (i % 3))
        ball = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 <= 49
        truth[ball] = i + 1
    if missing is not None:
        truth[missing] = 0
    return truth


def run(path, image, axes, verify=False, **options):
    engine = FakeEngine()
    defaults = {"tile_size": 32, "overlap": 8, "block_size": 48, "prompt": "balls of about 14 px", "min_size": 1}
    job, array = make_job("segmentation", image.astype(np.float32), path, options={**defaults, **options})
    source = open_source(array, axes=axes, scale=job.source.scale, units=job.source.units)
    plan = resolve(job, source.spec, ONE, engine.description, source.fingerprint())
    run_serial(plan, source, path, engine=lambda: engine, durable=False, verify=verify)
    return Result.open(path)


@pytest.mark.parametrize(("depth", "blocks"), [(None, 1), (9, 2), (5, 4), (1, 18)])
def test_objects_are_linked_through_planes_and_blocks(tmp_path, depth, blocks):
    truth = balls()
    result = run(tmp_path / "out", truth > 0, "zyx", **({} if depth is None else {"depth": depth}))
    assert result.plan.grid.shape[2:] == (blocks, 2, 2)
    assert Agreement.of(truth, result.array[:]).equal
    assert result.summary["objects"] == 6


def test_a_missing_plane_parts_objects_unless_gaps_are_allowed(tmp_path):
    truth = balls(missing=11)
    parted = run(tmp_path / "a", truth > 0, "zyx", depth=6)
    assert parted.summary["objects"] > 6
    linked = run(tmp_path / "b", truth > 0, "zyx", depth=6, z_gap=True)
    assert linked.plan.grid.halo_z == 2
    assert Agreement.of(truth, linked.array[:]).equal


def test_planes_stay_apart_without_linking(tmp_path):
    truth = balls()
    result = run(tmp_path / "out", truth > 0, "zyx", link_z=False)
    assert result.plan.grid.halo_z == 0
    assert result.plan.grid.depth == 1
    found = result.array[:]
    assert all(len(np.unique(np.flatnonzero((found == n).any(axis=(1, 2))))) == 1 for n in range(1, found.max() + 1))


def test_a_crop_along_z_finds_the_same_planes(tmp_path):
    truth = balls()
    whole = run(tmp_path / "a", truth > 0, "zyx", depth=6)
    crop = run(tmp_path / "b", truth > 0, "zyx", depth=6, region={"z": (4, 15)})
    assert Agreement.of(whole.array[4:15], crop.array[:]).equal


@pytest.mark.parametrize("depth", [None, 5])
def test_what_lies_in_far_fewer_planes_than_its_size_spans_is_dropped_and_counted(tmp_path, depth):
    truth = balls()
    image = truth > 0
    image[9:11, 20:28, 28:36] = True
    options = {} if depth is None else {"depth": depth}
    result = run(tmp_path / "out", image, "zyx", scale=(1, 1, 1), units="um", **options)
    assert Agreement.of(truth, result.array[:]).equal
    assert result.summary["thin"] == 1
    assert result.notes == ("1 object in fewer than 6 planes was dropped (min_planes).",)
    assert "Objects in fewer than 6 planes are dropped" in " ".join(result.plan.notes)
    kept = run(tmp_path / "kept", image, "zyx", scale=(1, 1, 1), units="um", min_planes=1, **options)
    assert (kept.summary["objects"], kept.notes) == (7, ())
    # Without a distance of planes, nobody knows how many an object spans.
    unknown = run(tmp_path / "unknown", image, "zyx", **options)
    assert unknown.summary["objects"] == 7
    assert "since the distance of planes is not known (min_planes)" in " ".join(unknown.plan.notes)


def test_a_result_that_an_earlier_version_finished_keeps_its_objects(tmp_path, monkeypatch):
    image = balls() > 0
    image[9:11, 20:28, 28:36] = True
    options = {"scale": (1, 1, 1), "units": "um", "depth": 9}
    with monkeypatch.context() as earlier:
        earlier.setattr(Segmentation, "stack_rule", lambda *args, **options: KEEP_ALL)
        before = run(tmp_path / "out", image, "zyx", **options)
    metadata = tmp_path / "out" / "zarr.json"
    stored = json.loads(metadata.read_text())
    for name in ("split", "thin", "min_planes"):
        del stored["attributes"]["s1omni"]["summary"][name]
    metadata.write_text(json.dumps(stored))
    labels = before.array[:]
    for _ in range(2):
        after = run(tmp_path / "out", image, "zyx", verify=True, **options)
        assert (after.summary["objects"], after.notes) == (7, ())
        np.testing.assert_array_equal(after.array[:], labels)


def test_planes_in_time_are_no_stack(tmp_path):
    truth = balls()
    series = run(tmp_path / "out", truth > 0, "tyx", scale=(0.5, 0.5), units="um")
    assert not {"thin", "split"} & series.summary.keys()
    assert "plane" not in " ".join(series.plan.notes)


@pytest.mark.parametrize(
    ("prompt", "split"),
    [
        ("segment the nuclei", True),
        ("segment everything", True),
        ("segment the vessels", False),
        ("Segmentiere die Neuronen", False),
        ("segment the mitochondria", False),
    ],
)
def test_long_and_branched_objects_are_not_split_by_default(prompt, split):
    spec = LayerSpec((8, 200, 200), tuple("zyx"), "uint8")
    assert Segmentation(prompt=prompt).stack_rule(spec).split is split
    assert Segmentation(prompt=prompt, split_z=not split).stack_rule(spec).split is not split
    assert not Segmentation(prompt=prompt).stack_rule(spec.without("z").replace(shape=(9, 9))).split


def test_the_planes_of_an_object_follow_from_size_and_spacing():
    um, px = ("micrometer",) * 3, (None,) * 3
    for scale, units, prompt, expected in (
        ((2.0, 0.5, 0.5), um, "nuclei of 8 um", 4),
        ((2.0, 0.5, 0.5), um, "nuclei of 8 px", 2),
        ((500.0, 0.5, 0.5), ("nanometer", "micrometer", "micrometer"), "nuclei of 8 px", 8),
        ((2.0, 1.0, 1.0), px, "nuclei of 8 px", 4),
        ((1.0, 1.0, 1.0), px, "nuclei of 8 px", None),
        ((2.0, 0.5, 0.5), (None, "micrometer", "micrometer"), "nuclei of 8 px", None),
        ((2.0, 0.5, 0.5), um, "nuclei", None),
    ):
        spec = LayerSpec((8, 200, 200), tuple("zyx"), "uint8", scale=scale, units=units)
        assert Segmentation(prompt=prompt).stack_rule(spec).expected == expected
        assert Segmentation(prompt=prompt).stack_rule(spec, masked=True).expected is None


def test_what_a_job_does_not_say_of_stacks_is_not_stored():
    """The fingerprint of a result of an earlier version stays the same."""
    new = {"split_z", "min_planes"}
    assert not new & Segmentation().model_dump().keys()
    assert not {f"operation.{name}" for name in new} & planned().fingerprint().keys()
    job = planned(min_planes=2, split_z=False).job
    assert (job.replace(engine="reference").operation.min_planes, job.operation.split_z) == (2, False)
    assert "min_planes: 2" in job.dump()


def test_time_points_are_independent(tmp_path):
    truth = balls()
    series = np.stack([truth, truth[::-1], np.zeros_like(truth)])
    result = run(tmp_path / "out", series > 0, "tzyx")
    found = result.array[:]
    assert Agreement.of(truth, found[0]).equal
    assert Agreement.of(truth[::-1], found[1]).equal
    assert not found[2].any()
    assert not np.intersect1d(found[0][found[0] > 0], found[1]).size


def test_planes_beyond_a_block_are_read_again_and_not_drawn_again(tmp_path):
    source = LayerSpec((64, 256, 256), tuple("zyx"), "uint8")
    job, _ = make_job("segmentation", "a.zarr", "out", options={"tile_size": 64, "overlap": 16, "halo": 0, "depth": 16})
    plan = resolve(job, source, ONE, FakeEngine().description)
    # Four blocks of 16 planes see one plane more at their six inner faces.
    assert estimate_cost(plan).tiles_computed == estimate_cost(plan).tiles
    assert estimate_cost(plan).read_bytes >= 70 / 64 * estimate_cost(plan).source_bytes


@pytest.mark.parametrize(
    ("text", "power", "expected"),
    [
        (20, 1, (20, "px")),
        ("20 px", 1, (20, "px")),
        ("2.5um", 1, (2.5, "um")),
        ("80 um2", 2, (80, "um")),
        ("1e2 nm^2", 2, (100, "nm")),
        ("5 µm²", 2, (5, "µm")),
    ],
)
def test_sizes_are_read(text, power, expected):
    assert read_size(text, power) == expected


@pytest.mark.parametrize(("text", "power"), [("big", 1), ("-3", 1), ("3 um2", 1), ("3 um", 2), (True, 1)])
def test_a_wrong_size_is_refused(text, power):
    with pytest.raises(ValueError, match=r"not an? (size|length|area)"):
        read_size(text, power)


def planned(units=("micrometer",) * 3, **options):
    source = LayerSpec((8, 200, 200), tuple("zyx"), "uint8", scale=(2.0, 0.5, 0.5), units=units)
    job, _ = make_job("segmentation", "a.zarr", "out", options=options)
    return resolve(job, source, ONE, FakeEngine().description)


def test_sizes_in_um_become_px():
    assert planned(halo="10 um").grid.halo == planned(halo=20).grid.halo == 20
    assert planned(max_size="25 um2").grid.halo == planned(max_size=100).grid.halo
    assert planned(prompt="cells of 8 um").grid.halo == planned(prompt="cells of 16 px").grid.halo


def test_a_smallest_size_in_um2_drops_what_is_smaller():
    fields = np.zeros((3, 1, 40, 40), np.float32)
    fields[:, 0, 2:7, 2:7] = 1
    fields[:, 0, 15:35, 15:35] = 1
    target = LayerSpec(
        (1, 40, 40), tuple("zyx"), "uint32", scale=(2.0, 0.5, 0.5), units=("micrometer",) * 3, kind="labels"
    )
    for size, objects in (("6 um2", 2), ("7 um2", 1), (25, 2), (26, 1)):
        assert Segmentation(min_size=size).finish(fields, FinishContext(ONE, (0,), target)).pixels.max() == objects


def test_a_size_that_cannot_be_converted_to_px_is_refused():
    with pytest.raises(PlanError, match="no unit of length"):
        planned(units=(None,) * 3, min_size="30 um2")
    with pytest.raises(PlanError, match="parsec"):
        planned(halo="3 parsec")
    with pytest.raises(JobError, match="above max_size"):
        planned(min_size="30 um2", max_size="20 um2")
    with pytest.raises(JobError, match="needs instances"):
        planned(link_z=True, instances=False)


def test_the_smallest_depth_that_is_asked_for_counts():
    assert planned(depth=3).grid.depth == 3
    assert planned().grid.depth == 8
    assert planned(instances=False).grid.depth == 1
    assert dataclasses.replace(planned().grid).halo_z == 1
