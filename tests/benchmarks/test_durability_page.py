"""The methods that durable runs are compared with do what they claim."""

import dataclasses

import numpy as np
import pytest

from napari_s1omni.benchmarks.durability.other_frameworks import time_daisy, time_map_overlap
from napari_s1omni.benchmarks.durability.page import page
from napari_s1omni.benchmarks.stitching import face_merging
from napari_s1omni.benchmarks.stitching.agreement import Agreement
from napari_s1omni.benchmarks.stitching.face_merging import merge_by_faces
from napari_s1omni.benchmarks.stitching.window_engines import components, known_ids
from napari_s1omni.benchmarks.synthetic_run import SyntheticRun


def test_merging_by_faces_joins_broad_contacts_and_keeps_separate_objects_separate():
    layer = np.zeros((32, 40, 40), int)
    layer[8:24, 4:18, 8:32] = 1
    layer[8:24, 22:36, 8:32] = 2
    joined = merge_by_faces(layer, known_ids(), (16, 20, 20), (4, 4, 4))
    assert Agreement.of(layer, joined).equal
    # Shrinking removes contacts of a single voxel, so the original method splits such objects.
    thin = np.zeros((32, 40, 40), np.uint8)
    thin[16, 20, 4:36] = 1
    assert Agreement.of(thin.astype(int), merge_by_faces(thin, components(3), (16, 20, 20), (4, 4, 4))).splits == 1


def test_the_page_states_what_was_measured():
    [first, *_] = face_merging.volumes()
    row = dataclasses.asdict(face_merging.compare(first))
    assert row["stitched"]["merges"] == row["stitched"]["splits"] == 0
    scaling = {"tiles": 16, "seconds_1": 2.0, "seconds_2": 1.0, "speedup": 2.0}
    machine = {"cores": 2, "memory_gb": 8.0, "system": "Linux, Python 3.11", "load": 0.25}
    text = page({"machine": machine, "merging": [row], "scaling": scaling})
    assert "s1omni bench page docs/durability.md" in text
    assert f"| {first.name} | {row['stitched']['expected']} | 8 | stitched |" in text
    assert "2.00 times as fast" in text
    assert "## Memory" not in text, "parts that were not measured are left out"


@pytest.mark.slow
def test_other_frameworks_draw_the_same_pixels(tmp_path):
    pytest.importorskip("daisy", reason="daisy is not installed (extra 'bench')")
    run = SyntheticRun((128, 192), tile=64, block=64)
    expected = np.asarray(run.source.read(), np.float32) / np.float32(4093)
    timed = time_daisy(run, tmp_path / "daisy.npy")
    assert timed.startup > 0
    np.testing.assert_array_equal(np.load(tmp_path / "daisy.npy"), expected)
    time_map_overlap(run, tmp_path / "overlap.zarr")
    from napari_s1omni.storage.source import open_source

    np.testing.assert_array_equal(open_source(tmp_path / "overlap.zarr", axes="yx").read(), expected)
