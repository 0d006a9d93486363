"""Runs teach the forecasts after them: warm tiles only, by engine and tile size, as a range."""

import pytest

import napari_s1omni
from napari_s1omni.execution.run import tile_times
from napari_s1omni.execution.run.events import RunPaused, RunStarted, TilesDone
from napari_s1omni.execution.run.tile_times import LearningRun, TileTimer, learn
from napari_s1omni.jobs.prepare import prepare

IMAGE = "synthetic://nuclei?shape=400,400&seed=5&diameter=18&dtype=uint8"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("S1OMNI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the test moves."""

    class Clock:
        now = 100.0

        def perf_counter(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(tile_times, "time", made)
    return made


def prepared(tile_size=64, engine="reference", **more):
    operation = {"type": "segmentation"}
    document = {"source": IMAGE, "operation": operation, "tiling": {"tile_size": tile_size}, "engine": engine, **more}
    return prepare(napari_s1omni.Job.read(document, "a test"))


def seconds_per_tile(**more):
    cost = prepared(**more).cost
    return tuple(s / cost.tiles_computed for s in cost.seconds_range), cost.seconds / cost.tiles_computed


def test_a_cold_start_and_a_pause_are_not_counted(clock):
    tell = LearningRun(lambda event: None)
    with tell:
        tell(RunStarted(prepared().plan, 0, workers=2))
        for seconds in (600.0, 2.0, 2.0):
            clock.now += seconds
            tell(TilesDone(4, seconds))
        tell(RunPaused(True))
        clock.now += 5000
        tell(RunPaused(False))
        for seconds in (600.0, 2.0):
            clock.now += seconds
            tell(TilesDone(4, seconds))
    (low, high), middle = seconds_per_tile()
    # Two workers draw four tiles in two seconds.
    assert middle == pytest.approx(1.0)
    assert 0.5 < low < 1 < high < 2


def test_one_slow_run_among_many_changes_little(clock):
    plan = prepared().plan
    for rate in (0.30, 0.31, 0.29, 0.30, 9.0, 0.32):
        learn(plan, rate, 100)
    (low, high), middle = seconds_per_tile()
    assert middle == pytest.approx(0.305)
    assert low < 0.3 < high < 0.5


def test_a_short_preview_counts_until_a_run_has_ended():
    plan = prepared().plan
    learn(plan, 3.0, 2)
    assert seconds_per_tile()[1] == pytest.approx(3.0)
    learn(plan, 0.3, 50)
    assert seconds_per_tile()[1] == pytest.approx(0.3)


def test_other_sizes_are_scaled_and_other_kinds_are_apart():
    learn(prepared().plan, 0.2, 50)
    (low, high), middle = seconds_per_tile(tile_size=128)
    assert middle == pytest.approx(0.8)
    assert (low, high) == pytest.approx((0.4, 1.6))
    other = prepared(sampling={"num_inference_steps": 7}).cost
    assert other.seconds == pytest.approx(0.05 * other.tiles_computed)


def test_the_first_tiles_of_a_run_warm_up_and_say_nothing(clock):
    timer = TileTimer()
    clock.now += 650
    timer.add(4)
    assert timer.rate is None
    clock.now += 2
    timer.add(4)
    assert (timer.rate, timer.tiles) == (0.5, 4)


def test_a_finished_run_teaches_and_a_damaged_file_does_not_stop_it(cache):
    (cache / "x").parent.mkdir(parents=True, exist_ok=True)
    (cache / tile_times.NAME).write_text("{no json")
    job = prepared().plan.job
    before = prepared().cost
    napari_s1omni.run(job, durable=False)
    after = prepared().cost
    assert after.seconds != before.seconds
    assert after.tiles_computed == before.tiles_computed
    low, high = after.seconds_range
    assert low < after.seconds < high
