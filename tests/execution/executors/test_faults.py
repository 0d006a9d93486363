"""Real signals to processes of a distributed run: it ends or continues with the bytes of an undisturbed serial run."""

import os
import signal
import time

import numpy as np
import psutil
import pytest
from stage import OPERATIONS, SPECIAL, assert_same

from napari_s1omni.execution.run.watch import status
from napari_s1omni.results.result import Result


def pids(stage):
    return {record.pid for record in Result.open(stage.output).records}


# Counted in each process by itself: which one comes there first is the victim.
STEPS = [("read", 3), ("think", 6), ("generate", 6), ("temp", 3), ("renamed", 3), ("journal", 2)]
QUICK = {("super_resolution", "temp")}


@pytest.mark.parametrize(
    ("stage", "step", "number"),
    [
        pytest.param(o, s, n, id=f"{o}-{s}", marks=[] if (o, s) in QUICK else pytest.mark.slow)
        for o in OPERATIONS
        for s, n in STEPS
    ],
    indirect=["stage"],
)
def test_a_worker_killed_anywhere_costs_only_its_leases(stage, undisturbed, step, number):
    stage.run(fault=stage.fault(step, number, each=True))
    assert_same(stage, undisturbed)
    assert stage.victim != stage.processes[-1].pid, "a worker, not the driver"
    assert pids(stage) - {stage.victim, stage.processes[-1].pid}, "others did the rest"
    records = Result.open(stage.output).records
    assert all(record.state in ("written", "empty") for record in records)
    if step == "journal":
        assert any(record.pid == stage.victim for record in records), "what it had finished is kept"


@pytest.mark.parametrize(
    ("stage", "step", "number"),
    [
        pytest.param(
            o, s, n, id=f"{o}-{s}", marks=[] if (o, s) == ("super_resolution", "generate") else pytest.mark.slow
        )
        for o in OPERATIONS
        for s, n in STEPS
    ],
    indirect=["stage"],
)
@pytest.mark.slow
def test_a_killed_driver_takes_its_workers_along_and_the_next_run_goes_on(stage, undisturbed, step, number):
    # A worker's parent is the driver, in which its nanny lives.
    fault = stage.fault(step, number, each=True, target="parent-of-worker")
    process = stage.start(fault=fault)
    process.communicate(timeout=280)
    assert process.returncode == -signal.SIGKILL
    assert stage.victim == process.pid
    assert status(stage.output).state == "stopped"
    kept = len(Result.open(stage.output).records)
    stage.run(serial=True)
    assert_same(stage, undisturbed)
    assert kept < len(Result.open(stage.output).plan.grid)


@pytest.mark.parametrize(
    "stage", ["segmentation", pytest.param("super_resolution", marks=pytest.mark.slow)], indirect=True
)
@pytest.mark.slow
@pytest.mark.parametrize("px", [(48, 48), (240, 336)], ids=["one", "several"])
def test_a_deadly_block_is_condemned_alone_and_its_neighbours_are_spared(stage, undisturbed, px):
    deadly = tile_maximum(stage, px)
    said = stage.run(engine={"deadly": deadly}, timeout=280)
    result = Result.open(stage.output)
    bad = [record for record in result.records if record.state == "quarantined"]
    good = [record for record in result.records if record.state in ("written", "empty")]
    assert len(bad) + len(good) == len(result.plan.grid), said
    touching = blocks_that_draw(result.plan, px)
    assert {record.block for record in bad} == touching
    assert (len(touching) == 1) == (px == (48, 48))
    assert all("alone twice" in record.error for record in bad)
    assert result.summary["holes"] > 0
    lost = np.zeros(result.array.shape, bool)
    for block in result.plan.grid:
        if result.plan.shard_index(block.index) in touching:
            fy, fx = result.plan.grid.factor
            lost[block.y[0] * fy : block.y[1] * fy, block.x[0] * fx : block.x[1] * fx] = True
    np.testing.assert_array_equal(result.hole_mask[:], lost)
    assert all("alone twice" in hole.reason for hole in result.holes)
    assert (px[0] // result.plan.grid.step, px[1] // result.plan.grid.step) in {hole.tile for hole in result.holes}


@pytest.mark.parametrize(
    "stage", ["super_resolution", pytest.param("segmentation", marks=pytest.mark.slow)], indirect=True
)
def test_a_poisoned_tile_is_the_only_hole_of_a_run_on_workers(stage, undisturbed):
    stage.run(engine={"poison": tile_maximum(stage)})
    result = Result.open(stage.output)
    grid = result.plan.grid
    bad = grid.tile(240 // grid.step, 336 // grid.step)
    assert {hole.tile for hole in result.holes} == {bad.index}, "nobody else pays"
    assert all("poisoned" in hole.reason for hole in result.holes)
    assert {record.state for record in result.records} <= {"written", "empty", "quarantined"}
    spared = [record for record in result.records if record.state != "quarantined"]
    assert {r.block for r in result.records} - {r.block for r in spared} == blocks_that_draw(result.plan, (240, 336))
    fy, fx = grid.factor
    lost = np.zeros(result.array.shape, bool)
    lost[bad.y[0] * fy : bad.y[1] * fy, bad.x[0] * fx : bad.x[1] * fx] = True
    assert not (np.asarray(result.hole_mask[:]) & ~lost).any()


def tile_maximum(stage, px=(240, 336)):
    """Largest value of the tile around a special px in model range, as the engine sees it."""
    from napari_s1omni.storage.normalization_estimate import estimate_normalization
    from napari_s1omni.storage.source import open_source

    source = open_source(str(stage.image))
    normalization = estimate_normalization(source)
    return float(normalization.to_model(np.full((1, 1, 1), SPECIAL[px], "uint16"), (0,))[0, 0, 0])


def blocks_that_draw(plan, px):
    return {
        plan.shard_index(block.index)
        for block in plan.grid
        for tile in plan.grid.tiles(block)
        if tile.y[0] <= px[0] < tile.y[1] and tile.x[0] <= px[1] < tile.x[1]
    }


@pytest.mark.parametrize(
    "serial", [pytest.param(True, id="serial"), pytest.param(False, id="dask", marks=pytest.mark.slow)]
)
def test_too_little_memory_halves_the_micro_batch_and_says_so(stage, undisturbed, serial):
    stage.run(engine={"room": 2}, serial=serial)
    assert_same(stage, undisturbed)
    records = Result.open(stage.output).records
    assert {record.micro_batch for record in records if record.tiles["drawn"]} <= {1, 2}


def test_no_room_for_a_single_tile_ends_the_run_with_what_to_do(stage):
    said = stage.run(69, engine={"room": 0}, serial=True)
    assert "use smaller tiles" in said.lower()


@pytest.mark.parametrize(
    "stage", ["segmentation", pytest.param("super_resolution", marks=pytest.mark.slow)], indirect=True
)
def test_flipped_bits_are_found_and_that_block_is_made_again(stage, undisturbed):
    stage.run(serial=True)
    folder = {"segmentation": ".s1omni/local_labels/c", "super_resolution": "0/c"}[stage.operation]
    chunk = next(p for p in sorted((stage.output / folder).rglob("*")) if p.is_file() and p.parts[-2:] == ("1", "1"))
    data = bytearray(chunk.read_bytes())
    data[len(data) // 3] ^= 0x10
    chunk.write_bytes(data)
    before = {record.block: record.attempt for record in Result.open(stage.output).records}
    stage.run(verify=True, serial=True)
    assert_same(stage, undisturbed)
    after = {record.block: record.attempt for record in Result.open(stage.output).records}
    assert [block for block in after if after[block] != before[block]] == [(1, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("stage", OPERATIONS, indirect=True)
def test_a_worker_stopped_for_long_comes_back_as_a_zombie_and_does_no_harm(stage, undisturbed):
    fault = stage.fault("temp", 9, name="STOP", seconds=30.0)
    stage.run(fault=fault, engine={"seconds": 0.05}, cluster={"workers": 2, "ttl": 5.0}, timeout=280)
    while psutil.pid_exists(stage.victim) and psutil.Process(stage.victim).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.05)
    assert_same(stage, undisturbed)
    assert len(pids(stage)) >= 2


@pytest.mark.slow
def test_many_can_watch_while_a_run_is_killed_and_goes_on(stage, undisturbed):
    process = stage.start(engine={"seconds": 0.01})
    seen = []
    while process.poll() is None:
        if (stage.output / ".s1omni" / "status.json").exists():
            seen.append(status(stage.output).state)
            if status(stage.output).blocks_done > 3 and "killed" not in seen:
                os.killpg(process.pid, signal.SIGKILL)
                seen.append("killed")
        time.sleep(0.05)
    process.communicate()
    assert "running" in seen
    assert status(stage.output).state == "stopped"
    stage.run(serial=True)
    assert_same(stage, undisturbed)
