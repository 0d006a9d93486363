"""Real signals to real processes of a distributed run: it ends, or goes on, with the bytes of the undisturbed serial run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from leash import leash
from scipy import ndimage
from test_kill_serial import contents

from napari_s1omni.execution.commit import target_index
from napari_s1omni.execution.watching import status
from napari_s1omni.results import Result

SCRIPT = Path(__file__).with_name("fake_dask.py")
OPERATIONS = ("segmentation", "super_resolution")


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "blobs.npy"
    rng = np.random.default_rng(11)
    field = ndimage.gaussian_filter(rng.random((560, 740)), 5)
    pixels = (field > np.quantile(field, 0.7)) * 40000 + rng.integers(0, 9000, field.shape)
    # One px in the middle of one tile that no other tile sees.
    pixels[240, 336] = 60000
    np.save(path, pixels.astype("uint16"))
    return path


class Stage:
    """Runs in processes of their own, all into one output."""

    def __init__(self, folder, image, operation):
        self.folder = folder
        self.image = image
        self.operation = operation
        self.output = folder / "out.zarr"
        self.processes = []

    def start(self, **settings):
        file = self.folder / f"settings-{len(self.processes)}.json"
        common = {"operation": self.operation, "source": str(self.image), "output": str(self.output)}
        file.write_text(json.dumps({**common, **settings}))
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(file)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=leash,
        )
        self.processes.append(process)
        return process

    def run(self, expected=0, timeout=280, **settings):
        process = self.start(**settings)
        _, said = process.communicate(timeout=timeout)
        assert process.returncode == expected, said
        return said

    def fault(self, step, number, **more):
        counting = self.folder / "counting"
        counting.mkdir(exist_ok=True)
        return {"step": step, "number": number, "folder": str(counting), **more}

    @property
    def victim(self):
        return int((self.folder / "counting" / "victim").read_text())

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


@pytest.fixture(scope="module")
def undisturbed(image, tmp_path_factory):
    """What the serial run makes of it."""
    known = {}
    for operation in OPERATIONS:
        stage = Stage(tmp_path_factory.mktemp(operation), image, operation)
        stage.run(serial=True)
        result = Result.open(stage.output)
        assert len(result.plan.grid) >= 12
        known[operation] = contents(stage.output)
    return known


@pytest.fixture
def stage(request, tmp_path, image):
    made = Stage(tmp_path, image, getattr(request, "param", "segmentation"))
    yield made
    made.close()


def assert_same(stage, undisturbed):
    found = contents(stage.output)
    expected = undisturbed[stage.operation]
    assert found.keys() == expected.keys()
    assert [key for key in found if found[key] != expected[key]] == []


def pids(stage):
    return {record.pid for record in Result.open(stage.output).records}


# Counted in each process by itself: which one comes there first is the victim.
STEPS = [("read", 3), ("think", 6), ("generate", 6), ("temp", 3), ("renamed", 3), ("journal", 2)]
QUICK = {("segmentation", "journal"), ("super_resolution", "generate"), ("segmentation", "temp")}


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
        pytest.param("segmentation", "generate", 20),
        pytest.param("super_resolution", "renamed", 6, marks=pytest.mark.slow),
        pytest.param("segmentation", "journal", 5, marks=pytest.mark.slow),
    ],
    indirect=["stage"],
)
def test_a_killed_driver_takes_its_workers_along_and_the_next_run_goes_on(stage, undisturbed, step, number):
    # A worker's parent is the driver, in which its nanny lives.
    fault = stage.fault(step, number, target="parent-of-worker")
    process = stage.start(fault=fault)
    process.communicate(timeout=280)
    assert process.returncode == -signal.SIGKILL
    assert stage.victim == process.pid
    assert status(stage.output).state == "stopped"
    kept = len(Result.open(stage.output).records)
    stage.run()
    assert_same(stage, undisturbed)
    assert kept < len(Result.open(stage.output).plan.grid)


@pytest.mark.parametrize("stage", OPERATIONS, indirect=True)
def test_a_deadly_block_is_condemned_alone_and_its_neighbours_are_spared(stage, undisturbed):
    deadly = tile_maximum(stage)
    said = stage.run(engine={"deadly": deadly}, timeout=280)
    result = Result.open(stage.output)
    bad = [record for record in result.records if record.state == "quarantined"]
    good = [record for record in result.records if record.state in ("written", "empty")]
    assert len(bad) + len(good) == len(result.plan.grid), said
    touching = blocks_that_draw(result.plan, (240, 336))
    assert {record.block for record in bad} == touching
    assert all("alone twice" in record.error for record in bad)
    assert result.summary["holes"] > 0
    lost = np.zeros(result.array.shape, bool)
    for block in result.plan.grid:
        if target_index(result.plan, block.index) in touching:
            fy, fx = result.plan.grid.factor
            lost[block.y[0] * fy : block.y[1] * fy, block.x[0] * fx : block.x[1] * fx] = True
    np.testing.assert_array_equal(result.hole_mask[:], lost)
    assert all("alone twice" in hole.reason for hole in result.holes)
    assert (240 // result.plan.grid.step, 336 // result.plan.grid.step) in {hole.tile for hole in result.holes}


def tile_maximum(stage):
    """Largest value of the poisoned tile in model range, as the engine sees it."""
    from napari_s1omni.storage import measure, open_source

    source = open_source(str(stage.image))
    normalization = measure(source)
    return float(normalization.to_model(np.full((1, 1, 1), 60000, "uint16"), (0,))[0, 0, 0])


def blocks_that_draw(plan, px):
    return {
        target_index(plan, block.index)
        for block in plan.grid
        for tile in plan.grid.tiles(block)
        if tile.y[0] <= px[0] < tile.y[1] and tile.x[0] <= px[1] < tile.x[1]
    }


@pytest.mark.parametrize("serial", [True, False], ids=["serial", "dask"])
def test_too_little_memory_halves_the_micro_batch_and_says_so(stage, undisturbed, serial):
    stage.run(engine={"room": 2}, serial=serial)
    assert_same(stage, undisturbed)
    records = Result.open(stage.output).records
    assert {record.micro_batch for record in records if record.tiles["drawn"]} <= {1, 2}


def test_no_room_for_a_single_tile_ends_the_run_with_what_to_do(stage):
    said = stage.run(69, engine={"room": 0}, serial=True)
    assert "use smaller tiles" in said.lower()


@pytest.mark.parametrize("stage", OPERATIONS, indirect=True)
def test_flipped_bits_are_found_and_that_block_is_made_again(stage, undisturbed):
    stage.run()
    folder = {"segmentation": ".s1omni/local_labels/c", "super_resolution": "0/c"}[stage.operation]
    chunk = next(p for p in sorted((stage.output / folder).rglob("*")) if p.is_file() and p.parts[-2:] == ("1", "1"))
    data = bytearray(chunk.read_bytes())
    data[len(data) // 3] ^= 0x10
    chunk.write_bytes(data)
    before = {record.block: record.attempt for record in Result.open(stage.output).records}
    stage.run(verify=True)
    assert_same(stage, undisturbed)
    after = {record.block: record.attempt for record in Result.open(stage.output).records}
    assert [block for block in after if after[block] != before[block]] == [(1, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("stage", OPERATIONS, indirect=True)
def test_a_worker_stopped_for_long_comes_back_as_a_zombie_and_does_no_harm(stage, undisturbed):
    fault = stage.fault("temp", 9, name="STOP", seconds=30.0)
    stage.run(fault=fault, engine={"seconds": 0.05}, fleet={"workers": 2, "ttl": 5.0}, timeout=280)
    time.sleep(1)
    assert_same(stage, undisturbed)
    assert len(pids(stage)) >= 2


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
    stage.run()
    assert_same(stage, undisturbed)
