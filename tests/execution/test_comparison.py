"""The programs that durable runs are compared with do what is claimed of them."""

import dataclasses

import numpy as np
import pytest

from napari_s1omni.benchmarks import durability_page as comparison
from napari_s1omni.benchmarks import other_frameworks as rivals
from napari_s1omni.benchmarks.stitching import face_merging
from napari_s1omni.benchmarks.stitching.face_merging import merge_by_faces
from napari_s1omni.benchmarks.stitching.oracle_images import Agreement, components, known_ids
from napari_s1omni.benchmarks.synthetic_run import SyntheticRun


def test_merging_by_faces_joins_what_is_broad_at_a_face_and_keeps_apart_what_is_apart():
    layer = np.zeros((32, 40, 40), int)
    layer[8:24, 4:18, 8:32] = 1
    layer[8:24, 22:36, 8:32] = 2
    joined = merge_by_faces(layer, known_ids(), (16, 20, 20), (4, 4, 4))
    assert Agreement.of(layer, joined).equal
    # Contact of a single voxel is lost when labels are shrunk: this is what makes the original split objects.
    thin = np.zeros((32, 40, 40), np.uint8)
    thin[16, 20, 4:36] = 1
    assert Agreement.of(thin.astype(int), merge_by_faces(thin, components(3), (16, 20, 20), (4, 4, 4))).splits == 1


def test_the_page_states_what_was_measured():
    [first, *_] = face_merging.volumes()
    row = dataclasses.asdict(face_merging.compare(first))
    assert row["stitched"]["merges"] == row["stitched"]["splits"] == 0
    scaling = {"tiles": 16, "seconds_1": 2.0, "seconds_2": 1.0, "speedup": 2.0}
    machine = {"cores": 2, "memory_gb": 8.0, "system": "Linux, Python 3.11", "load": 0.25}
    text = comparison.page({"machine": machine, "merging": [row], "scaling": scaling})
    assert "s1omni bench page docs/benchmarks.md" in text
    assert f"| {first.name} | {row['stitched']['expected']} | 8 | stitched |" in text
    assert "2.00 times as fast" in text
    assert "## Memory" not in text, "what was not measured is not there"


@pytest.mark.slow
def test_others_draw_the_same_px(tmp_path):
    pytest.importorskip("daisy", reason="daisy is not installed (extra 'bench')")
    rehearsal = SyntheticRun.of((128, 192), tile=64, block=64)
    expected = np.asarray(rehearsal.source.read(), np.float32) / np.float32(4093)
    timed = rivals.daisy(rehearsal, tmp_path / "daisy.npy")
    assert timed.startup > 0
    np.testing.assert_array_equal(np.load(tmp_path / "daisy.npy"), expected)
    rivals.map_overlap(rehearsal, tmp_path / "overlap.zarr")
    from napari_s1omni.storage.source import open_source

    np.testing.assert_array_equal(open_source(tmp_path / "overlap.zarr", axes="yx").read(), expected)
