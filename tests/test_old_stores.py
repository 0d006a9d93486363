"""Results, runs and job files of an earlier version: they open, say the same, and can be gone on with.

How the stores were made stands in ``stores/README.md``. Only public names, the command line and files on disk are used here,
so that no change inside the package touches these tests.
"""

import csv
import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

import napari_s1omni
from napari_s1omni.__main__ import main

STORES = Path(__file__).with_name("stores")
PIXELS = {
    "finished": "9d943905fafc2f03",
    "condemned": "40ae558561504864",
    "killed": "f9f8e336d8aceea3",
    "cancelled": "9579b519e7c3ed8e",
    "redone": "de47ab1d9b2ecc96",
}
"""Digest of the px of each store, as far as they were written."""
BEFORE_REDO = "277b3369ef3c0beb"
"""Digest of the px that are kept beside those of ``redone``."""


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array[:]).tobytes()).hexdigest()[:16]


def thoughts_of(result):
    return {key: (thought.text, thought.prompt, thought.route) for key, thought in result.thoughts.items()}


def done(result):
    """What the journal says of each finished block, its times included: one that was made again differs."""
    return {record.block: record for record in result.records if record.state in ("written", "empty")}


def fresh(result, path):
    """Run the job of a result anew, in this version and on this machine."""
    return napari_s1omni.run(result.plan.job.replace(output=str(path)), durable=False)


@pytest.fixture
def old(tmp_path, monkeypatch):
    """Copy an old store into a folder of the test, the working folder, and open it."""
    monkeypatch.chdir(tmp_path)

    def copy(name):
        shutil.copytree(STORES / f"{name}.zarr", tmp_path / f"{name}.zarr")
        return napari_s1omni.Result.open(f"{name}.zarr")

    return copy


@pytest.fixture
def s1omni(monkeypatch, capsys):
    """Call the command line; return what it printed."""
    monkeypatch.setenv("COLUMNS", "160")

    def call(*words, code=0):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["s1omni", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert end.value.code == code, said.err
        return said.out

    return call


@pytest.mark.parametrize(
    ("name", "complete", "kind", "states"),
    [
        ("finished", True, "labels", ["written", "written", "written", "quarantined"]),
        ("condemned", True, "image", ["written", "quarantined", "written"]),
        ("killed", False, "labels", ["written"] * 3),
        ("cancelled", False, "image", ["written"]),
        ("redone", True, "labels", ["written"] * 4),
    ],
)
def test_opens_with_its_pixels_and_journal(old, name, complete, kind, states):
    result = old(name)
    assert (result.complete, result.spec.kind) == (complete, kind)
    assert [record.state for record in result.records] == states
    assert digest(result.array) == PIXELS[name]
    assert result.plan.engine.name == "reference"
    assert result.software["napari_s1omni"] == "0.1.0"


def test_all_that_a_finished_mask_holds_is_there(old):
    result = old("finished")
    assert {key: result.summary[key] for key in ("objects", "joins", "uncertain", "holes")} == {
        "objects": 150,
        "joins": 19,
        "uncertain": 2,
        "holes": 1,
    }
    assert result.summary["seams"]["score"] == 1.7211
    assert set(np.unique(result.array[:])) == set(range(151))
    assert [record.labels for record in result.records] == [44, 46, 58, 20]
    assert [dict(record.tiles) for record in result.records][2:] == [
        {"drawn": 9, "empty": 0, "failed": 0},
        {"drawn": 8, "empty": 0, "failed": 1},
    ]
    maps = [digest(array) for array in (result.confidence, result.seams, result.hole_mask)]
    assert maps == ["3b6dab893498a47d", "af6cb182d4f794a8", "33fa66a061604d29"]
    (hole,) = result.holes
    assert (hole.t, hole.z, hole.y, hole.x, hole.tile) == (0, 0, (192, 250), (192, 250), (3, 3))
    assert hole.reason == "GenerationError: the tile is all NaN. Finite values. Draw it again."
    assert [(row["reason"], row["label"], row["other"]) for row in result.uncertain_joins] == [
        ("large extent", "84", "84"),
        ("second claim", "131", "145"),
    ]


def test_thoughts_are_found_by_place_and_by_key(old, s1omni):
    result = old("finished")
    words = json.dumps([[key, *thought] for key, thought in sorted(thoughts_of(result).items())])
    assert hashlib.sha256(words.encode()).hexdigest()[:16] == "2198501a4cdea66f"
    key, thought = result.thought_at(100, 20)
    assert key == "t0/z0/g0/tile/1/0"
    assert "gives a size of 18 px" in thought.text
    assert json.loads(s1omni("show", "finished.zarr", "--at", "100,20", "--json"))["text"] == thought.text
    assert s1omni("show", "finished.zarr", "--thoughts").split() == list(result.thoughts)


def test_a_block_that_was_given_up_is_a_hole_with_its_whole_reason(old, s1omni):
    result = old("condemned")
    assert [hole.tile for hole in result.holes] == [(0, 1), (0, 2), (0, 3)]
    reason = "the block failed alone twice: KilledWorker: the worker died; its last tile was 0/2"
    assert {hole.reason for hole in result.holes} == {reason}
    assert [level.shape for level in result.levels] == [(96, 528), (48, 264)]
    assert digest(result.levels[1]) == "456d9a6426908097"
    assert digest(result.hole_mask) == "f194dc7f7bd3d456"
    assert not result.array[:, 192:384].any()
    assert reason in " ".join(s1omni("show", "condemned.zarr").split())


@pytest.mark.parametrize(
    ("name", "state", "resumable", "holes"),
    [
        ("finished", "complete", False, 1),
        ("condemned", "complete", False, 3),
        # It was killed on another machine, of which nobody here can know: it may be resumed by the user's word.
        ("killed", "running", True, 0),
        ("cancelled", "cancelled", True, 0),
        ("redone", "complete", False, 0),
    ],
)
def test_status_says_how_the_run_ended(old, s1omni, name, state, resumable, holes):
    old(name)
    found = json.loads(s1omni("status", f"{name}.zarr", "--json"))
    assert (found["state"], found["resumable"], found["holes"]) == (state, resumable, holes)
    assert found["host"] == "laptop"
    assert state in s1omni("status", f"{name}.zarr")


def test_show_prints_job_progress_and_what_failed(old, s1omni):
    old("finished")
    said = " ".join(s1omni("show", "finished.zarr").split())
    assert "35 drawn, 1 failed" in said
    assert "the tile is all NaN" in said
    shown = json.loads(s1omni("show", "finished.zarr", "--json"))
    assert shown["complete"]
    assert (shown["progress"]["blocks"], shown["progress"]["done"]) == (4, 3)
    old("killed")
    # How long ago the run was heard of decides where the line breaks.
    assert "resume with: s1omni resume killed.zarr" in " ".join(s1omni("show", "killed.zarr").split())


def test_objects_are_measured_and_exported(old, s1omni):
    result = old("finished")
    assert "150 objects" in s1omni("measure", "finished.zarr", "table.csv")
    with open("table.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(int(row["label"]) for row in rows) == list(range(1, 151))
    assert sum(float(row["area"]) for row in rows) == np.count_nonzero(result.array[:])
    assert sorted(int(row["label"]) for row in rows if row["uncertain"] in ("True", "1")) == [84, 131, 145]
    s1omni("export", "finished.zarr", "mask.tif")
    np.testing.assert_array_equal(tifffile.imread("mask.tif"), result.array[:])
    assert "outlines" in s1omni("export", "finished.zarr", "mask.geojson")
    outlines = json.loads(Path("mask.geojson").read_text(encoding="utf-8"))
    assert len(outlines["features"]) == 150


def test_a_killed_run_is_resumed(old, s1omni, tmp_path):
    before = old("killed")
    kept, thoughts = done(before), thoughts_of(before)
    s1omni("resume", "killed.zarr", "--quiet")
    after = napari_s1omni.Result.open("killed.zarr")
    assert after.complete
    assert len(kept) == 3
    assert {block: record for block, record in done(after).items() if block in kept} == kept
    assert thoughts.items() <= thoughts_of(after).items()
    assert len(done(after)) == len(after.plan.grid) == 8
    assert after.summary["objects"] == 29
    assert digest(after.array) == "6d632df606aa989c"
    whole = fresh(after, tmp_path / "fresh.zarr")
    np.testing.assert_array_equal(whole.array[:], after.array[:])
    assert thoughts_of(whole) == thoughts_of(after)
    assert json.loads(s1omni("status", "killed.zarr", "--json"))["state"] == "complete"


def test_a_cancelled_run_is_finished_by_its_job_file(old, s1omni, tmp_path):
    before = old("cancelled")
    kept, thoughts = done(before), thoughts_of(before)
    shutil.copy(STORES / "job.yaml", tmp_path)
    s1omni("run", "job.yaml", "--quiet")
    after = napari_s1omni.Result.open("cancelled.zarr")
    assert after.complete
    assert {block: record for block, record in done(after).items() if block in kept} == kept
    assert thoughts.items() <= thoughts_of(after).items()
    assert digest(after.array) == "bc4749b253546c74"
    whole = fresh(after, tmp_path / "fresh.zarr")
    np.testing.assert_array_equal(whole.array[:], after.array[:])
    assert thoughts_of(whole) == thoughts_of(after)


def test_a_job_file_says_what_it_said(s1omni, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = napari_s1omni.Job.load(STORES / "job.yaml")
    assert job.operation == napari_s1omni.ModalityTranslation(target="inverted contrast")
    assert job.tiling == napari_s1omni.Tiling(tile_size=64, overlap=16, block_size=96)
    assert job.sampling == napari_s1omni.Sampling(think="per_tile", seed=5)
    assert (job.source.scale, job.source.units, job.engine, job.output) == (0.5, "um", "reference", "cancelled.zarr")
    assert s1omni("plan", STORES / "job.yaml", "--yaml") == (STORES / "job.yaml").read_text(encoding="utf-8")
    assert job.dump() == (STORES / "job.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "code"), [("finished", 3), ("condemned", 3), ("redone", 0)])
def test_nothing_is_done_again_where_all_is_as_the_journal_says(old, s1omni, name, code):
    before = old(name)
    records = before.records
    s1omni("resume", f"{name}.zarr", "--verify", "--quiet", code=code)
    after = napari_s1omni.Result.open(f"{name}.zarr")
    assert after.records == records
    assert digest(after.array) == PIXELS[name]


@pytest.mark.parametrize("name", ["finished", "condemned"])
def test_failed_tiles_are_redone_and_the_old_result_comes_back(old, s1omni, tmp_path, name):
    before = old(name)
    s1omni("redo", f"{name}.zarr", "--failed", "--quiet")
    after = napari_s1omni.Result.open(f"{name}.zarr")
    assert not after.holes
    assert not after.hole_mask[:].any()
    np.testing.assert_array_equal(fresh(before, tmp_path / "fresh.zarr").array[:], after.array[:])
    s1omni("redo", f"{name}.zarr", "--drop")
    back = napari_s1omni.Result.open(f"{name}.zarr")
    assert digest(back.array) == PIXELS[name]
    assert len(back.holes) == len(before.holes)


def test_what_was_redone_is_accepted_or_dropped(old, s1omni, tmp_path):
    result = old("redone")
    assert sorted({record.attempt for record in result.records}) == [2]
    assert result.thought_at(10, 80)[0] == "t0/z0/g0/region/0/0/redo/1"
    assert "gives a size of 24 px" in result.thought_at(10, 80)[1].text
    assert result.thought_at(10, 10)[0] == "t0/z0/g0/region/0/0"
    shutil.copytree("redone.zarr", "other.zarr")
    s1omni("redo", "redone.zarr", "--tiles", "0/0", code=73)
    s1omni("redo", "redone.zarr", "--accept")
    assert digest(napari_s1omni.Result.open("redone.zarr").array) == PIXELS["redone"]
    s1omni("redo", "redone.zarr", "--accept", code=73)
    s1omni("redo", "other.zarr", "--drop")
    back = napari_s1omni.Result.open("other.zarr")
    assert digest(back.array) == BEFORE_REDO
    assert {record.attempt for record in back.records} == {0}
    assert "t0/z0/g0/region/0/0/redo/1" not in back.thoughts


def test_a_damaged_block_is_made_again_with_the_words_of_its_redo(old, s1omni):
    old("redone")
    s1omni("redo", "redone.zarr", "--accept")
    Path("redone.zarr/.s1omni/local_labels/c/0/1").unlink()
    s1omni("resume", "redone.zarr", "--verify", "--quiet")
    after = napari_s1omni.Result.open("redone.zarr")
    assert {record.block: record.attempt for record in after.records}[0, 1] == 4
    assert digest(after.array) == PIXELS["redone"]
