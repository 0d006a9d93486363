"""Serial runs: exact seams, crops, holes, interruptions and refused outputs."""

import dataclasses

import numpy as np
import pytest

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.errors import PlanMismatch, RunInterrupted, StoreExists
from napari_s1omni.execution.executors.serial import run_serial
from napari_s1omni.execution.run.events import BlockDone, RunFinished, RunStarted, TilesDone
from napari_s1omni.jobs.options import make_job
from napari_s1omni.planning.resolve import resolve
from napari_s1omni.results.result import Result
from napari_s1omni.storage.source import open_source
from napari_s1omni.testing.fake_engine import FakeEngine


def plan_for(operation, image, engine, normalization=None, axes=None, **options):
    job, array = make_job(operation, image, options=options)
    source = open_source(array, axes=axes)
    channels = source.spec.size("c")
    whole = normalization or Normalization((0.0,) * channels, (float(2**16),) * channels)
    return resolve(job, source.spec, whole, engine.description, source.fingerprint()), source


def run_fake(path, operation, image, engine=None, events=None, axes=None, **options):
    engine = engine or FakeEngine()
    plan, source = plan_for(operation, image, engine, axes=axes, **options)
    run_serial(
        plan,
        source,
        path,
        engine=lambda: engine,
        on_event=[].append if events is None else events.append,
        durable=False,
    )
    return Result.open(path)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_identity_engine_is_byte_exact_across_seams(tmp_path, dtype):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256 if dtype == "uint8" else 65536, (301, 277)).astype(dtype)
    if dtype == "float32":
        image = (image - 30000) / 7
    result = run_fake(tmp_path / "out.zarr", "super_resolution", image.astype(dtype), factor=(1, 1), block_size=96)
    assert len(result.plan.grid) >= 12
    assert result.array.dtype == dtype
    np.testing.assert_array_equal(result.array[:], image.astype(dtype))


def test_noise_and_tiles_depend_on_position_only_so_a_crops_run_is_the_crop_of_the_run(tmp_path):
    image = np.random.default_rng(1).integers(0, 60000, (260, 310)).astype("uint16")
    options = {"factor": 2, "tile_size": 32, "overlap": 8, "block_size": 48, "seed": 5}
    whole = run_fake(tmp_path / "a", "super_resolution", image, FakeEngine(noise=0.1), **options)
    crop = run_fake(
        tmp_path / "b",
        "super_resolution",
        image,
        FakeEngine(noise=0.1),
        region={"y": (50, 120), "x": (96, 200)},
        **options,
    )
    (y, x) = crop.plan.grid.y, crop.plan.grid.x
    assert crop.array.shape == (2 * (y[1] - y[0]), 2 * (x[1] - x[0]))
    np.testing.assert_array_equal(crop.array[:], whole.array[2 * y[0] : 2 * y[1], 2 * x[0] : 2 * x[1]])
    assert crop.spec.translate == (y[0] - 0.25, x[0] - 0.25)
    assert crop.spec.scale == (0.5, 0.5)


def test_events_tell_the_story_in_order(tmp_path):
    events = []
    image = np.random.default_rng(2).integers(0, 60000, (150, 150)).astype("uint16")
    result = run_fake(tmp_path / "out", "super_resolution", image, events=events, block_size=96)
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)
    assert sum(isinstance(e, BlockDone) for e in events) == len(result.plan.grid)
    assert sum(e.count for e in events if isinstance(e, TilesDone)) > 0
    assert result.complete
    assert result.summary["holes"] == 0


def test_a_finished_run_is_not_run_again(tmp_path):
    image = np.random.default_rng(3).integers(0, 60000, (150, 150)).astype("uint16")
    run_fake(tmp_path / "out", "super_resolution", image)
    engine = FakeEngine()
    run_fake(tmp_path / "out", "super_resolution", image, engine)
    assert engine.drawn == 0


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"prompt": "something else"}, "prompt"),
        ({"seed": 9}, "sampling.seed"),
        ({"tile_size": 32}, "grid.tile_size"),
    ],
)
def test_another_plan_is_refused_with_the_differing_keys(tmp_path, change, key):
    image = np.random.default_rng(4).integers(0, 60000, (100, 100)).astype("uint16")
    run_fake(tmp_path / "out", "super_resolution", image)
    with pytest.raises(PlanMismatch) as error:
        run_fake(tmp_path / "out", "super_resolution", image, **change)
    assert any(key in k for k in error.value.facts["keys"])


def test_another_engine_revision_and_another_source_are_refused(tmp_path):
    image = np.random.default_rng(5).integers(0, 60000, (100, 100)).astype("uint16")
    run_fake(tmp_path / "out", "super_resolution", image)
    engine = FakeEngine()
    engine.description = dataclasses.replace(engine.description, revision="2")
    with pytest.raises(PlanMismatch, match="revision 2 instead of"):
        run_fake(tmp_path / "out", "super_resolution", image, engine)
    with pytest.raises(PlanMismatch, match="other pixels"):
        run_fake(tmp_path / "out", "super_resolution", image + np.uint16(1))


def test_a_foreign_folder_is_never_touched(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(StoreExists):
        run_fake(tmp_path, "super_resolution", np.zeros((20, 20), "uint16"))
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_poisoned_tile_becomes_a_hole_and_spares_its_neighbours(tmp_path):
    image = np.random.default_rng(6).integers(0, 30000, (200, 200)).astype("uint16")
    image[100, 100] = 32768
    result = run_fake(
        tmp_path / "out",
        "super_resolution",
        image,
        FakeEngine(poison=0.5),
        factor=(1, 1),
        tile_size=32,
        overlap=0,
        block_size=64,
    )
    assert result.summary["holes"] == 1
    [bad] = [r for r in result.records if r.state == "quarantined"]
    assert [failure.tile for failure in bad.failures] == [(3, 3)]
    expected = image.copy()
    expected[96:128, 96:128] = 0
    np.testing.assert_array_equal(result.array[:], expected)


def test_interrupting_keeps_what_is_finished_and_resuming_gives_the_same_bytes(tmp_path):
    import os
    import signal

    image = np.random.default_rng(7).integers(0, 60000, (300, 300)).astype("uint16")
    options = {"block_size": 96, "tile_size": 64, "overlap": 16}
    whole = run_fake(tmp_path / "whole", "super_resolution", image, **options)

    def interrupt(drawn):
        if drawn == 24:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(RunInterrupted):
        run_fake(tmp_path / "out", "super_resolution", image, FakeEngine(on_generate=interrupt), **options)
    partial = Result.open(tmp_path / "out")
    assert not partial.complete
    assert 0 < len(partial.records) < len(partial.plan.grid)
    engine = FakeEngine()
    resumed = run_fake(tmp_path / "out", "super_resolution", image, engine, **options)
    assert resumed.complete
    assert engine.thought < whole_tiles(whole)
    for a, b in zip(whole.levels, resumed.levels, strict=True):
        np.testing.assert_array_equal(a[:], b[:])


def whole_tiles(result):
    return sum(r.tiles["drawn"] for r in result.records)


def test_time_planes_and_channels_are_run_one_by_one(tmp_path):
    image = np.random.default_rng(8).integers(0, 60000, (2, 3, 4, 70, 90)).astype("uint16")
    result = run_fake(tmp_path / "out", "super_resolution", image, axes="tczyx", depth=2)
    assert result.spec.axes == ("t", "c", "z", "y", "x")
    np.testing.assert_array_equal(result.array[:], image.repeat(2, axis=3).repeat(2, axis=4))
    part = run_fake(
        tmp_path / "part", "super_resolution", image, axes="tczyx", depth=2, region={"t": (1, 2), "z": (1, 3)}
    )
    np.testing.assert_array_equal(part.array[:], result.array[1:2, :, 1:3])


@pytest.mark.parametrize("think", ["per_tile", "per_region", "once", "off"])
def test_thoughts_are_kept_by_the_cell_they_belong_to(tmp_path, think):
    image = np.random.default_rng(9).integers(0, 60000, (200, 200)).astype("uint16")
    engine = FakeEngine()
    result = run_fake(
        tmp_path / "out",
        "super_resolution",
        image,
        engine,
        think=think,
        region_tiles=2,
        tile_size=64,
        overlap=16,
        block_size=96,
    )
    rows, cols = result.plan.grid.lattice
    expected = {"per_tile": rows * cols, "per_region": -(-rows // 2) * -(-cols // 2), "once": 1, "off": 1}[think]
    assert len(result.thoughts) == expected
    assert engine.thought == (0 if think == "off" else expected), "a stored thought is not thought again"
    key, thought = result.thought_at(100, 100)
    assert thought.text


def test_one_thought_for_a_very_large_layer_looks_at_its_middle(tmp_path):
    image = np.zeros((20, 8192 + 40), "uint8")
    # Seen in the middle, the layer is bright; with what lies beside it, it would be darker.
    image[:, 20:-20] = 200
    seen = []

    class Looking(FakeEngine):
        def think(self, images, *rest):
            seen.append(images[0])
            return super().think(images, *rest)

    options = {"tile_size": 64, "overlap": 16, "region": {"x": (0, 40)}}
    full = Normalization((0.0,), (200.0,))
    plan, source = plan_for("super_resolution", image, Looking(), full, think="once", **options)
    run_serial(plan, source, tmp_path / "out", engine=Looking, durable=False)
    assert plan.grid.overview == ((0, 20), (20, 8212))
    assert "The single thought sees the middle of the layer, y=0:20 x=20:8212." in plan.notes
    (view,) = seen
    assert view.shape[-1] == 1024
    assert view.min() > 0.99


def test_verify_redoes_a_damaged_block(tmp_path):
    image = np.random.default_rng(10).integers(0, 60000, (200, 200)).astype("uint16")
    options = {"block_size": 96, "tile_size": 64, "overlap": 16}
    result = run_fake(tmp_path / "out", "super_resolution", image, **options)
    before = result.array[:]
    [chunk] = [p for p in (tmp_path / "out" / "0").rglob("*") if p.is_file() and p.parts[-2:] == ("1", "1")]
    data = bytearray(chunk.read_bytes())
    data[len(data) // 3] ^= 0x40
    chunk.write_bytes(data)
    engine = FakeEngine()
    plan, source = plan_for("super_resolution", image, engine, **options)
    run_serial(plan, source, tmp_path / "out", engine=lambda: engine, verify=True, durable=False)
    assert 0 < engine.drawn <= 9
    np.testing.assert_array_equal(Result.open(tmp_path / "out").array[:], before)
