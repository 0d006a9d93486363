"""The benchmark of measuring, on a small plane."""

import csv

import numpy as np

from napari_s1omni.benchmarks.measure import measure
from napari_s1omni.benchmarks.stitching.ellipses import Ellipses


def test_every_ellipse_is_a_row_with_its_area(tmp_path):
    report = measure(tmp_path / "a.csv", 300, 100, 64)
    area = np.bincount(Ellipses(300, 100).labels((slice(0, 300), slice(0, 300))).ravel())
    with (tmp_path / "a.csv").open() as file:
        rows = {int(row["label"]): int(row["num_pixels"]) for row in csv.DictReader(file)}
    assert rows == {label: n for label, n in enumerate(area.tolist()) if label and n}
    assert report.objects == len(rows)
    assert 0 < report.cpu_seconds < 60
