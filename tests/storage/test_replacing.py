"""Another job into an output that holds a result: the refusal says what is there and what differs; replacing keeps it."""

import numpy as np
import pytest

import napari_s1omni
from napari_s1omni import Result
from napari_s1omni.errors import JobError, PlanMismatch, StoreExists
from napari_s1omni.planning.plan_differences import describe_differences
from napari_s1omni.storage.result import snapshots

IMAGE = np.random.default_rng(3).integers(0, 255, (70, 90), np.uint8)


def segment(path, **options):
    return napari_s1omni.segment(
        IMAGE, path, engine="reference", durable=False, **{"prompt": "segment the nuclei, about 9 px", **options}
    )


@pytest.fixture
def first(tmp_path):
    return segment(tmp_path / "nuclei.zarr")


def test_a_refused_output_says_what_it_holds_and_the_three_ways_on(first):
    with pytest.raises(PlanMismatch) as refused:
        segment(first.path, prompt="segment the dark cells", tile_size=64)
    said = str(refused.value)
    objects = f"{first.summary['objects']:,} objects"
    assert f"holds a finished segmentation ('segment the nuclei, about 9 px'), {objects}." in said
    assert "prompt 'segment the dark cells' instead of 'segment the nuclei, about 9 px'" in said
    assert "tile size 64 px instead of" in said
    for way in ("choose another output", f"s1omni show {first.path}", "--overwrite", "overwrite=True"):
        assert way.lower() in said.lower()
    for key in ("operation.prompt", "grid.", "instruction", "target.", "normalization"):
        assert key not in said
    assert len(said) < 700


def test_a_replaced_result_is_kept_and_comes_back(first):
    before = first.array[...]
    second = napari_s1omni.super_resolve(IMAGE, first.path, factor=2, engine="reference", overwrite=True, durable=False)
    assert second.spec.shape == (140, 180)
    assert Result.open(snapshots.snapshot_folder(first.path)).array[...].tolist() == before.tolist()
    napari_s1omni.drop(first.path)
    back = Result.open(first.path)
    np.testing.assert_array_equal(back.array[...], before)
    assert back.complete
    assert not snapshots.has_snapshot(first.path)
    # It is again the result of its own job, which has nothing left to do.
    assert segment(first.path).complete


def test_the_same_job_is_continued_not_replaced(first):
    segment(first.path, overwrite=True)
    assert not snapshots.has_snapshot(first.path)


def test_one_earlier_result_is_kept_and_redo_says_how_to_go_on(first):
    segment(first.path, prompt="segment the cells", overwrite=True)
    last = segment(first.path, prompt="segment the spots", overwrite=True)
    assert Result.open(snapshots.snapshot_folder(last.path)).plan.job.operation.prompt == "segment the cells"
    with pytest.raises(napari_s1omni.errors.StoreError, match="--accept"):
        napari_s1omni.redo(last.path, "0/0", IMAGE)
    napari_s1omni.accept(last.path)
    assert napari_s1omni.redo(last.path, "0/0", IMAGE, sampling={"seed": 3}).complete


def test_a_replacement_that_was_interrupted_is_finished_by_the_next(first, monkeypatch):
    moved = []
    rename = snapshots.Path.rename

    def interrupted(self, target):
        if len(moved) == 2:
            raise KeyboardInterrupt
        moved.append(self)
        return rename(self, target)

    before = first.array[...]
    monkeypatch.setattr(snapshots.Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        segment(first.path, prompt="segment the cells", overwrite=True)
    monkeypatch.undo()
    assert segment(first.path, prompt="segment the cells", overwrite=True).complete
    np.testing.assert_array_equal(Result.open(snapshots.snapshot_folder(first.path)).array[...], before)


def test_a_refused_job_leaves_the_result(first):
    before = sorted(p for p in first.path.rglob("*") if "lock" not in p.name)
    with pytest.raises(napari_s1omni.errors.S1OmniError):
        segment(first.path, prompt="segment the cells", channels=(4,), overwrite=True)
    assert sorted(p for p in first.path.rglob("*") if "lock" not in p.name) == before
    assert Result.open(first.path).complete


def test_files_that_no_run_made_are_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(StoreExists, match=r"thesis\.txt"):
        segment(tmp_path, overwrite=True)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_a_path_that_is_none_is_refused_by_its_type(tmp_path):
    with pytest.raises(JobError, match=r"3 \(int\) cannot be a path"):
        segment(3)
    with pytest.raises(JobError, match="list"):
        Result.open([tmp_path])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"operation.min_size": None}, {"operation.min_size": "30 um2"}, ["min_size '30 um2' instead of left out"]),
        ({"operation.instances": True}, {"operation.instances": False}, ["instances off instead of on"]),
        ({"sampling.seed": 0}, {"sampling.seed": 4}, ["seed 4 instead of 0"]),
        ({"source_digest": "a", "source.shape": [3]}, {"source_digest": "b"}, ["the image has other pixels"]),
        ({"source.scale": [1.0, 0.5]}, {"source.scale": [1.0, 0.65]}, ["pixel size 1, 0.65 instead of 1, 0.5"]),
        (
            {"engine.name": "nano", "engine.revision": "3", "engine.limits.min_size": 1},
            {"engine.name": "reference", "engine.revision": "2", "engine.limits.min_size": 8},
            ["engine reference, revision 2 instead of engine nano, revision 3"],
        ),
        (
            {"region": None, "grid.y": [0, 90]},
            {"region.y": [0, 40], "region.x": None, "grid.y": [0, 40]},
            ["region y 0:40 instead of the whole image"],
        ),
        ({"normalization.low": [0.0]}, {"normalization.low": [1.0]}, ["the intensity range of the image"]),
        ({}, {"future": 1}, ["future"]),
    ],
)
def test_differences_in_words(old, new, said):
    keys = sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k) or (k in old) != (k in new))
    assert describe_differences(old, new, keys) == said
