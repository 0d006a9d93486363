"""What a megapixel costs is counted and timed by one command."""

from napari_s1omni.benchmarks import tile_costs
from napari_s1omni.benchmarks.synthetic_run import SyntheticRun


def test_tiles_are_counted_and_engines_timed(monkeypatch):
    monkeypatch.setattr(tile_costs, "_FLAT", SyntheticRun((256, 256), 64, 96, 16, operation="segmentation", diameter=8))
    deep = SyntheticRun((5, 128, 128), 64, 96, 16, operation="segmentation", diameter=8)
    monkeypatch.setattr(tile_costs, "_DEEP", deep)
    monkeypatch.setattr(tile_costs, "_LOOPS", {0.001: SyntheticRun((112, 112), 64, 96, 16, 0.001)})
    monkeypatch.setattr(tile_costs, "_EDGE", 128)
    found = tile_costs.measure(("reference", "not an engine"))
    assert found["drawn_over_lattice"]["2d"] <= 1.02
    assert found["drawn_over_lattice"]["3d"] <= 1.05
    assert set(found["overhead"]) == {"1 ms"}
    assert set(found["seconds_per_megapixel"]) == {"reference"}
