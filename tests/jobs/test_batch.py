import csv
import json
import shutil

import numpy as np
import pytest
from plates import write_plate
from skimage.io import imsave

from napari_s1omni.benchmarks.batch import measure
from napari_s1omni.errors import SourceError
from napari_s1omni.jobs.batch import run_batch
from napari_s1omni.jobs.engine_cache import EngineCache
from napari_s1omni.planning.job import Job
from napari_s1omni.results.batch.batch_rows import TABLE
from napari_s1omni.results.result import Result
from napari_s1omni.storage.collections import is_collection, list_sources
from napari_s1omni.storage.source import open_source

TEMPLATE = Job.read(
    {
        "source": "template",
        "engine": "reference",
        "operation": {"type": "segmentation", "prompt": "bright spots of about 9 px"},
    }
)


def spots(seed, shape=(60, 70)):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = rng.normal(20, 2, shape)
    for cy, cx in rng.uniform(8, 50, (5, 2)):
        image += 150 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 18)
    return np.clip(image, 0, 255).astype("uint8")


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "bilder für heute"
    home.mkdir()
    for i in range(3):
        imsave(home / f"plate {i} ü ä.png", spots(i), check_contrast=False)
    np.save(home / "deep.npy", spots(9).astype("uint16") * 100)
    (home / "broken.tif").write_bytes(b"not a picture")
    (home / "notes.txt").write_text("no image")
    return home


def test_a_corrupt_file_spares_the_others_and_a_second_run_does_only_what_is_missing(folder, tmp_path):
    entries = list_sources(folder)
    assert [e.name for e in entries] == ["broken", "deep", "plate 0 ü ä", "plate 1 ü ä", "plate 2 ü ä"]
    rows = run_batch(TEMPLATE, entries, tmp_path / "out", durable=False)
    assert [r.state for r in rows] == ["failed", "done", "done", "done", "done"]
    assert "broken.tif" in rows[0].error
    assert all(r.objects for r in rows[1:])
    with (tmp_path / "out" / TABLE).open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["state"] for row in table] == [r.state for r in rows]
    assert Result.open(table[1]["output"]).array.dtype == "uint32"
    imsave(folder / "broken.tif", spots(5), check_contrast=False)
    again = run_batch(TEMPLATE, entries, tmp_path / "out", durable=False)
    assert [r.state for r in again] == ["done", *["already done"] * 4]


def test_files_of_one_name_have_results_of_their_own(tmp_path):
    for name in ("a/x.tif", "b/x.tif", "b/y.tif", "b/y.png", "c/x.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [entry.name for entry in list_sources(str(tmp_path / "*" / "*"))]
    assert names == ["a-x.tif", "b-x.tif", "y.png", "y.tif", "c-x.tif"]


def test_a_dry_run_says_what_would_fail_and_writes_nothing(folder, tmp_path):
    rows = run_batch(TEMPLATE, list_sources(folder), tmp_path / "out", dry_run=True)
    assert [r.state for r in rows] == ["would fail", *["would run"] * 4]
    assert all(r.tiles == 1 for r in rows[1:])
    assert not (tmp_path / "out").exists()


def test_one_engine_serves_all_images(folder, tmp_path, monkeypatch):
    from napari_s1omni.engine.registry import create_engine
    from napari_s1omni.jobs import engine_cache

    loaded = []
    monkeypatch.setattr(engine_cache, "create_engine", lambda name: loaded.append(name) or create_engine(name))
    run_batch(TEMPLATE, list_sources(str(folder / "plate*.png")), tmp_path / "out", durable=False)
    assert loaded == ["reference"]


def test_engines_are_closed_in_the_end(monkeypatch):
    from napari_s1omni.jobs import engine_cache
    from napari_s1omni.testing.fake_engine import FakeEngine

    closed = []
    engine = FakeEngine()
    engine.close = lambda: closed.append(True)
    monkeypatch.setattr(engine_cache, "create_engine", lambda name: engine)
    with EngineCache() as engines:
        engines.get("fake").close()
        assert not closed
    assert closed == [True]


def test_a_table_of_sources_changes_jobs_row_by_row(folder, tmp_path):
    table = folder / "list.csv"
    table.write_text(
        "source,operation.prompt,tiling.tile_size,operation.min_size\n"
        "plate 0 ü ä.png,dark things,128,\ndeep.npy,,,5\nplate 1 ü ä.png,,big,\n",
        encoding="utf-8",
    )
    entries = list_sources(table)
    assert entries[0].changes == {"operation.prompt": "dark things", "tiling.tile_size": "128"}
    rows = run_batch(TEMPLATE, entries, tmp_path / "out", durable=False)
    assert [r.state for r in rows] == ["done", "done", "failed"]
    assert "tile_size" in rows[2].error
    assert Result.open(rows[0].output).plan.job.operation.prompt == "dark things"
    assert Result.open(rows[1].output).plan.job.operation.min_size == 5


def test_a_plate_is_the_fields_that_were_imaged(tmp_path):
    plate = write_plate(tmp_path / "plate.zarr", {"A/1": [spots(1), spots(2)], "A/2": [spots(3)], "B/1": [spots(4)]})
    shutil.rmtree(plate / "A/1/1")
    shutil.rmtree(plate / "A/2")
    (plate / "B/1/zarr.json").write_text("{ damaged")
    assert is_collection(plate)
    entries = list_sources(plate)
    assert [e.name for e in entries] == ["A-1-0", "B-1-0"]
    assert "1 (A/2)" in entries.notes[0]
    assert "1 (A/1/1)" in entries.notes[1]
    rows = run_batch(TEMPLATE, entries, tmp_path / "out", durable=False)
    assert [r.state for r in rows] == ["done", "done"], "the field of a well with damaged metadata can be read"


def test_a_plate_without_paths_or_wells_is_read_by_rows_and_columns(tmp_path):
    plate = write_plate(tmp_path / "plate.zarr", {"A/1": [spots(1)], "B/2": [spots(2)]})
    document = json.loads((plate / "zarr.json").read_text())
    for well in document["attributes"]["ome"]["plate"]["wells"]:
        del well["path"]
    (plate / "zarr.json").write_text(json.dumps(document))
    assert [e.name for e in list_sources(plate)] == ["A-1-0", "B-2-0"]
    del document["attributes"]["ome"]["plate"]["wells"]
    (plate / "zarr.json").write_text(json.dumps(document))
    assert [e.name for e in list_sources(plate)] == ["A-1-0", "B-2-0"]
    for well in ("A/1", "B/2"):
        shutil.rmtree(plate / well)
    with pytest.raises(SourceError, match=r"no images: wells that are listed but hold no image"):
        list_sources(plate)


def test_a_folder_copied_from_a_mac_or_a_windows_share(tmp_path):
    home = tmp_path / "set [1]"
    home.mkdir()
    for name in ("a.png", "b.png"):
        imsave(home / name, spots(1), check_contrast=False)
    for name in ("._a.png", ".hidden.tif", "~$b.tif", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (home / name).write_bytes(b"\0\5\x16\7" * 99)
    (home / "__MACOSX").mkdir()
    (home / "notes.docx").write_bytes(b"PK")
    for where in (home, str(home / "*"), str(home / "*.*")):
        entries = list_sources(where)
        assert [e.name for e in entries] == ["a", "b"]
        assert any("1 .docx" in note for note in entries.notes)
    assert list_sources(home).notes[0].startswith("7 hidden files")
    rows = run_batch(TEMPLATE, list_sources(home), tmp_path / "out", durable=False)
    assert all(row.ok for row in rows)
    with pytest.raises(SourceError, match=r"give the image beside it, a\.png|Give the image beside it, a\.png"):
        open_source(home / "._a.png")


def test_other_paths_are_not_a_collection(folder, tmp_path):
    assert not is_collection(folder / "deep.npy")
    assert is_collection(folder)
    with pytest.raises(SourceError, match="holds no images"):
        list_sources(str(tmp_path / "none*.tif"))
    with pytest.raises(SourceError, match="one image or does not exist"):
        list_sources(folder / "deep.npy")
    bad = tmp_path / "bad.csv"
    bad.write_text("image\na.png\n")
    with pytest.raises(SourceError, match="no column 'source'"):
        list_sources(bad)


def test_the_benchmark_of_batches_runs_the_same_images_in_three_ways():
    report = measure(images=2, edge=64, rounds=1)
    assert report.images == 2
    assert 0 < report.warm
    assert 0 < report.batch < report.command, "a process of its own starts first"
    assert report.ratio == report.batch / (2 * report.warm)


def test_replaced_results_are_made_and_the_dry_run_says_so(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).integers(0, 255, (60, 60), np.uint8))
    base = {"source": str(tmp_path), "operation": {"type": "segmentation"}, "engine": "reference"}
    first, other = (
        Job.read({**base, "operation": {"type": "segmentation", "prompt": f"segment the {what}"}})
        for what in ("nuclei", "cells")
    )
    entries = list_sources(tmp_path / "*.npy")

    def states(job, **options):
        return [row.state for row in run_batch(job, entries, tmp_path / "out", **options)]

    assert states(first, durable=False) == ["done"]
    assert states(other, dry_run=True) == ["would fail"]
    assert states(other, dry_run=True, overwrite=True) == ["would run"]
    assert states(other, overwrite=True, durable=False) == ["done"]
    assert states(other, overwrite=True, durable=False) == ["already done"]
