"""The table of uncertain joins: its rows, their positions and order, and the memory it needs."""

import csv
import tracemalloc

import numpy as np
from cut_truth import flat, on_disk, rows_of, whole

from napari_s1omni.benchmarks.stitching.label_run import plan_segmentation
from napari_s1omni.benchmarks.stitching.oracle_images import ellipses, voronoi
from napari_s1omni.benchmarks.stitching.window_engines import known_ids
from napari_s1omni.execution.stitching import uncertain_joins as uncertain
from napari_s1omni.execution.stitching.pair_file import LOCATED_PAIR, PairFile
from napari_s1omni.execution.stitching.stitching_pass import stitch
from napari_s1omni.execution.stitching.uncertain_joins import to_csv, uncertain_rows
from napari_s1omni.joining.stitching import number_objects


def test_a_long_table_is_sorted_in_portions_to_the_same_bytes(tmp_path, monkeypatch):
    """Ten thousand doubts, four times each and in any order, in portions of 100 rows: once each, sorted."""
    rng = np.random.default_rng(0)
    numbering = number_objects([20_001], [])
    rows = np.zeros(10_000, LOCATED_PAIR)
    rows["a"], rows["b"] = np.arange(10_000), np.arange(10_000, 20_000)
    rows["shared"], rows["iou"], rows["x"] = rng.integers(5, 90, 10_000), 0.4, rng.integers(0, 999, 10_000)
    again = rng.permutation(np.concatenate([rows] * 4))
    tables = []
    for portion in (100, 1 << 20):
        monkeypatch.setattr(uncertain, "_SORT_ROWS", portion)
        with (
            PairFile(tmp_path) as joins,
            PairFile(tmp_path) as doubts,
            PairFile(tmp_path) as ordered,
        ):
            doubts.append(again)
            found = uncertain_rows(numbering, joins, doubts, np.zeros(0, np.int64), 10, ordered)
            tables.append(list(to_csv(found)))
    assert tables[0] == tables[1]
    listed = list(csv.DictReader(line.decode() for line in tables[0]))
    assert [int(row["label"]) for row in listed] == list(range(1, 10_001))
    assert [int(row["voxels"]) for row in listed] == rows["shared"].tolist()


def test_memory_of_the_table_does_not_grow_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(uncertain, "_SORT_ROWS", 2000)
    monkeypatch.setattr(uncertain, "_MERGE_ROWS", 500)

    def peak(count):
        rows = np.zeros(count, LOCATED_PAIR)
        rows["a"], rows["b"] = np.arange(count), np.arange(count, 2 * count)
        numbering = number_objects([2 * count + 1], [])
        with (
            PairFile(tmp_path) as joins,
            PairFile(tmp_path) as doubts,
            PairFile(tmp_path) as ordered,
        ):
            doubts.append(rows)
            del rows
            tracemalloc.start()
            for _ in to_csv(uncertain_rows(numbering, joins, doubts, np.zeros(0, np.int64), 10, ordered)):
                pass
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        return most

    assert peak(24_000) < 1.2 * peak(6_000)


def test_uncertain_joins_are_listed_with_place_and_final_ids(tmp_path):
    """Left of the face one cell is seen, right of it two; the smaller half is a second claim."""
    truth = np.zeros((64, 128), int)
    truth[10:40, 50:78] = 1
    plan = plan_segmentation(truth.shape, "yx", 64, 16)

    calls = []

    def split_on_the_right(window):
        calls.append(window)
        if len(calls) == 2:
            window = window.copy()
            window[0, 30:][window[0, 30:] > 0] = 2
        return window

    store, records = on_disk(tmp_path / "out", plan, flat(truth), split_on_the_right)
    report = stitch(plan, store, records)
    assert report.objects == 2
    (row,) = rows_of(store)
    assert row["reason"] == "second claim"
    assert (row["label"], row["other"], row["joined"]) == ("1", "2", "0")
    y, x = int(row["y"]), int(row["x"])
    assert 30 <= y < 40
    assert 50 <= x < 78
    assert report.uncertain == 1
    assert whole(store)[15, 60] == whole(store)[15, 70] == 1


def test_objects_that_grew_too_large_are_listed(tmp_path):
    truth = ellipses(256, 100)
    truth[200:230] = 1000
    plan = plan_segmentation(truth.shape, "yx", 64, 16)
    store, records = on_disk(tmp_path / "out", plan, flat(truth), known_ids())
    stitch(plan, store, records)
    (row,) = [row for row in rows_of(store) if row["reason"] == "large extent"]
    found = whole(store)
    assert row["label"] == row["other"] == str(found[210, 128])
    assert found[int(row["y"]), int(row["x"])] == found[210, 128]


def test_a_perfect_engine_leaves_an_empty_table(tmp_path):
    truth = voronoi((120, 120), 60)
    plan = plan_segmentation(truth.shape, "yx", 32, 8)
    store, records = on_disk(tmp_path / "out", plan, flat(truth), known_ids())
    report = stitch(plan, store, records)
    assert report.uncertain == 0
    assert rows_of(store) == []
