"""No tile is drawn twice: every lattice cell once, also after a kill, and with the bytes of a run that draws again."""

from collections import Counter

import numpy as np
import pytest

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.errors import DiskFull, RunInterrupted
from napari_s1omni.execution.executors.serial import run_serial
from napari_s1omni.execution.run.events import BlockDone, RunNoted
from napari_s1omni.execution.run.watch import status
from napari_s1omni.execution.shared_tiles.kept_tiles import KeptTiles
from napari_s1omni.jobs.options import make_job
from napari_s1omni.planning.cost import estimate_cost
from napari_s1omni.planning.resolve import resolve
from napari_s1omni.results.result import Result
from napari_s1omni.storage.files.tile_scratch import FOLDER, TileScratch
from napari_s1omni.storage.source import open_source
from napari_s1omni.testing.fake_engine import FakeEngine


class CountingEngine(FakeEngine):
    """Counts how often each tile is drawn, by its place; may stop the run at a certain draw."""

    def __init__(self, stop_after=None, **settings):
        super().__init__(noise=0.1, **settings)
        self.times = Counter()
        self._stop_after = stop_after

    def generate(self, images, thoughts, sampling, noise):
        if self._stop_after is not None and self.drawn >= self._stop_after:
            raise RunInterrupted("stopped here", "a run to its end")
        self.times.update((field.plane, field.origin) for field in noise)
        return super().generate(images, thoughts, sampling, noise)


FLAT = {"shape": (260, 230), "tile_size": 64, "overlap": 16, "block_size": 96}
DEEP = {"shape": (5, 110, 150), "tile_size": 64, "overlap": 16, "block_size": 96, "depth": 2, "axes": "zyx"}
OBJECTS = {"prompt": "objects of about 12 px"}
CASES = [
    ("super_resolution", FLAT),
    ("segmentation", {**FLAT, **OBJECTS}),
    ("segmentation", {**DEEP, **OBJECTS}),
    ("modality_translation", {**DEEP, "target": "another"}),
]
IDS = ["image", "labels", "volume of labels", "volume"]


def run(path, operation, settings, engine, events=None):
    options = dict(settings)
    shape, axes = options.pop("shape"), options.pop("axes", None)
    image = np.random.default_rng(4).integers(0, 60000, shape).astype("uint16")
    job, array = make_job(operation, image, options=options)
    source = open_source(array, axes=axes)
    plan = resolve(job, source.spec, Normalization((0.0,), (65536.0,)), engine.description, source.fingerprint())
    said = [] if events is None else events
    run_serial(plan, source, path, engine=lambda: engine, durable=False, on_event=said.append)
    return Result.open(path)


def same(one, other):
    for a, b in zip(one.levels, other.levels, strict=True):
        np.testing.assert_array_equal(a[:], b[:])
    assert {r.block: (r.digest, r.quality) for r in one.records} == {
        r.block: (r.digest, r.quality) for r in other.records
    }


@pytest.mark.parametrize(("operation", "settings"), CASES, ids=IDS)
def test_every_tile_is_drawn_once_with_the_bytes_of_a_run_that_draws_again(tmp_path, operation, settings, monkeypatch):
    engine = CountingEngine()
    once = run(tmp_path / "once.zarr", operation, settings, engine)
    tiles = estimate_cost(once.plan).tiles_computed
    assert set(engine.times.values()) == {1}
    assert engine.drawn == tiles == sum(r.tiles["drawn"] for r in once.records)
    now = status(tmp_path / "once.zarr")
    assert (now.tiles_done, now.tiles_total) == (tiles, tiles)
    assert not (tmp_path / "once.zarr" / ".s1omni" / FOLDER).exists()
    monkeypatch.setattr(KeptTiles, "find", lambda self, tile: None)
    engine = CountingEngine()
    again = run(tmp_path / "again.zarr", operation, settings, engine)
    assert engine.drawn > 1.3 * tiles
    same(once, again)


@pytest.mark.parametrize(("operation", "settings"), CASES, ids=IDS)
def test_after_a_stop_only_what_was_being_drawn_is_drawn_again(tmp_path, operation, settings):
    whole = run(tmp_path / "whole.zarr", operation, settings, CountingEngine())
    tiles = estimate_cost(whole.plan).tiles_computed
    times = Counter()
    for share in (0.3, 0.6):
        first = CountingEngine(stop_after=int(share * tiles) - sum(times.values()))
        with pytest.raises(RunInterrupted):
            run(tmp_path / "out.zarr", operation, settings, first)
        times += first.times
        assert list((tmp_path / "out.zarr" / ".s1omni" / FOLDER).rglob("*.tile"))
    last = CountingEngine()
    result = run(tmp_path / "out.zarr", operation, settings, last)
    times += last.times
    block = max(sum(1 for _ in whole.plan.grid.tiles(b)) * (b.field_z[1] - b.field_z[0]) for b in whole.plan.grid)
    assert len(times) == tiles
    assert sum(times.values()) <= tiles + 2 * block, "the tiles of the block in hand"
    same(whole, result)


@pytest.mark.parametrize("harm", ["cut", "flipped", "deleted", "other stamp"])
def test_a_lost_or_damaged_tile_is_drawn_again_with_the_same_result(tmp_path, harm):
    operation, settings = CASES[1]
    whole = run(tmp_path / "whole.zarr", operation, settings, CountingEngine())
    first = CountingEngine(stop_after=16)
    with pytest.raises(RunInterrupted):
        run(tmp_path / "out.zarr", operation, settings, first)
    files = sorted((tmp_path / "out.zarr" / ".s1omni" / FOLDER).rglob("*.tile"))
    assert files
    for file in files:
        data = bytearray(file.read_bytes())
        match harm:
            case "cut":
                file.write_bytes(data[: len(data) // 2])
            case "flipped":
                data[-5] ^= 1
                file.write_bytes(data)
            case "deleted":
                file.unlink()
            case "other stamp":
                [(place, _)] = [found for found in TileScratch(tmp_path / "out.zarr").places() if _is(found, file)]
                TileScratch(tmp_path / "out.zarr").put(place, np.ones((3, 64, 64), np.float32), b"0" * 32)
    last = CountingEngine()
    same(whole, run(tmp_path / "out.zarr", operation, settings, last))
    assert set(last.times.values()) == {1}


def _is(found, file):
    (t, z, group, row, col), _ = found
    return file.parts[-4:] == (str(t), str(z), str(group), f"{row}-{col}.tile")


@pytest.mark.parametrize("why", ["full disk", "no room", "the result needs it"])
def test_without_room_tiles_are_drawn_again_and_the_run_says_so_once(tmp_path, monkeypatch, why):
    operation, settings = CASES[1]
    whole = run(tmp_path / "whole.zarr", operation, settings, CountingEngine())
    monkeypatch.setattr("napari_s1omni.execution.shared_tiles.kept_tiles.kept_bytes", lambda plan: 0)
    if why == "full disk":

        def full(self, place, image, stamp):
            raise DiskFull("no space left", remedy="free some")

        monkeypatch.setattr(TileScratch, "put", full)
    elif why == "no room":
        monkeypatch.setenv("S1OMNI_SCRATCH", "0.0001")
    else:
        monkeypatch.setattr(TileScratch, "free", 1000)
    said = []
    engine = CountingEngine()
    result = run(tmp_path / "out.zarr", operation, settings, engine, said)
    same(whole, result)
    assert engine.drawn >= estimate_cost(whole.plan).tiles_computed
    assert len([event for event in said if isinstance(event, RunNoted)]) == 1
    assert "drawn twice" in status(tmp_path / "out.zarr").note


def test_a_failed_tile_is_tried_for_each_of_its_blocks_and_missing_in_all(tmp_path):
    image = np.full((160, 160), 100, "uint16")
    image[::3] = 3000
    image[88, 88] = 60000
    job, array = make_job("super_resolution", image, options={"tile_size": 64, "overlap": 16, "block_size": 96})
    source = open_source(array)
    engine = CountingEngine(poison=float(np.float32(60000 / 65536)))
    plan = resolve(job, source.spec, Normalization((0.0,), (65536.0,)), engine.description, source.fingerprint())
    said = []
    run_serial(plan, source, tmp_path / "out.zarr", engine=lambda: engine, durable=False, on_event=said.append)
    failed = {f.tile for event in said if isinstance(event, BlockDone) for f in event.record.failures}
    holes = sum(len(event.record.failures) for event in said if isinstance(event, BlockDone))
    assert failed == {(1, 1)}
    assert holes == sum(1 for block in plan.grid for tile in plan.grid.tiles(block) if tile.index == (1, 1)) == 4
    now = status(tmp_path / "out.zarr")
    assert now.tiles_done == now.tiles_total == 9
