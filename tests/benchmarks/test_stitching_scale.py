"""The benchmarks of stitching, on a small plane with few blocks."""

import json

import numpy as np
from typer.testing import CliRunner

from napari_s1omni.benchmarks.stitching.agreement import Agreement
from napari_s1omni.benchmarks.stitching.ellipses import Ellipses
from napari_s1omni.benchmarks.stitching.oracles import HEAD, Oracle, row
from napari_s1omni.benchmarks.stitching.window_engines import components
from napari_s1omni.frontends.cli.bench.stitching import app


def test_a_small_plane_of_ellipses_equals_the_truth():
    done = CliRunner().invoke(app, ["scale", "--edge", "512", "--count", "200", "--block", "128", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["expected"] == found["found"] == 225
    assert (found["blocks"], found["merges"], found["splits"], found["missed"], found["information"]) == (
        16,
        0,
        0,
        0,
        0,
    )
    assert found["joins"] > 50


def test_a_halo_of_zero_is_refused():
    done = CliRunner().invoke(app, ["scale", "--edge", "64", "--count", "16", "--block", "16", "--halo", "0"])
    assert done.exit_code == 2


def test_ellipses_touch_and_are_the_same_in_every_window():
    truth = Ellipses(300, 64)
    whole = truth.labels((slice(0, 300), slice(0, 300)))
    assert np.array_equal(truth.labels((slice(37, 120), slice(200, 300))), whole[37:120, 200:])
    assert len(np.unique(whole)) == len(truth) + 1
    beside = (whole[:, 1:] != whole[:, :-1]) & (whole[:, 1:] > 0) & (whole[:, :-1] > 0)
    assert beside.sum() > 300


def test_memory_depends_only_on_joined_labels():
    done = CliRunner().invoke(app, ["memory", "--blocks", "500", "--objects", "1000", "--shared", "20", "--json"])
    found = json.loads(done.output)
    assert found["objects"] == 500 * 1000 - 499 * 20
    assert found["joined_labels"] == 2 * 499 * 20
    assert found["kept_bytes"] == 8 * 501 + 16 * 499 * 20
    assert found["lookup_bytes"] == 8 * 1001


def test_a_failed_oracle_is_marked_in_the_table():
    oracle = Oracle("n", lambda: np.ones((8, 8), int), lambda: components(1), (4, 4), (0, 0))
    layer = oracle.layer()
    seen = Agreement.of(oracle.truth(layer), oracle.stitch(layer).labels)
    assert row(oracle, layer.shape, seen) == "| n | 8 x 8 | 4 | 1 | 4 | 0 | 1 | 2 | **no** |\n"
    assert HEAD.count("|") == 2 * row(oracle, layer.shape, seen).count("|")
