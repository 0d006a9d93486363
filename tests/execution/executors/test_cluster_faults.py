"""Scheduler, nannies and workers as separate processes, each of which may be killed, come late or leave early."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from child_process import die_with_parent
from stage import OPERATIONS, assert_same

from napari_s1omni.execution.run.control import write_control
from napari_s1omni.execution.run.watch import status
from napari_s1omni.planning.cost import estimate_cost
from napari_s1omni.results.result import Result

distributed = pytest.importorskip("distributed")

HERE = Path(__file__).parents[1]


class Cluster:
    """A Dask cluster as people start it by hand."""

    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.processes = []
        self.workers = []
        self.scheduler = self._start("scheduler", "--port", "0", "--host", "127.0.0.1")
        while not self.file.exists():
            assert self.scheduler.poll() is None, (folder / "cluster.log").read_text()
            time.sleep(0.05)

    @property
    def address(self):
        return json.loads(self.file.read_text())["address"]

    def add_worker(self):
        worker = self._start("worker", "--nthreads", "2", "--death-timeout", "10", "--local-directory", self.folder)
        self.workers.append(worker)
        return worker

    def wait_for_workers(self, count):
        with distributed.Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=120)

    def _start(self, what, *options):
        command = [
            sys.executable,
            "-m",
            f"distributed.cli.dask_{what}",
            "--scheduler-file",
            self.file,
            "--no-dashboard",
        ]
        path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
        with (self.folder / "cluster.log").open("ab") as log:
            process = subprocess.Popen(
                [*map(str, command), *map(str, options)],
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        self.processes.append(process)
        return process

    def close(self):
        for process in self.processes:
            # The group: a worker is the child of its nanny.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def cluster(tmp_path):
    (tmp_path / "cluster").mkdir()
    made = Cluster(tmp_path / "cluster")
    yield made
    made.close()


def _tiles(record):
    return sum(record.tiles.values())


STEPS = [("read", 3), ("think", 3), ("generate", 3), ("temp", 3), ("renamed", 3), ("journal", 2)]


def everywhere(*quick):
    return [
        pytest.param(o, s, n, id=f"{o}-{s}", marks=[] if (o, s) in quick else pytest.mark.slow)
        for o in OPERATIONS
        for s, n in STEPS
    ]


@pytest.mark.parametrize(("stage", "step", "number"), everywhere(("segmentation", "generate")), indirect=["stage"])
def test_a_killed_nanny_takes_its_worker_along_and_others_go_on(stage, undisturbed, cluster, step, number):
    cluster.add_worker()
    cluster.add_worker()
    fault = stage.fault(step, number, each=True, target="parent-of-worker")
    stage.run(fault=fault, cluster={"scheduler": cluster.address}, engine={"seconds": 0.01})
    assert stage.victim in {worker.pid for worker in cluster.workers}
    assert sum(worker.poll() is not None for worker in cluster.workers) == 1
    assert_same(stage, undisturbed)


@pytest.mark.parametrize(("stage", "step", "number"), everywhere(), indirect=["stage"])
def test_without_its_scheduler_a_run_ends_and_can_go_on_with_another(stage, undisturbed, cluster, step, number):
    cluster.add_worker()
    cluster.add_worker()
    pid = cluster.folder / "scheduler.pid"
    pid.write_text(str(cluster.scheduler.pid))
    fault = stage.fault(step, number, each=True, target=str(pid))
    said = stage.run(75, fault=fault, cluster={"scheduler": cluster.address}, engine={"seconds": 0.01})
    assert "ClusterError" in said
    assert cluster.scheduler.wait(240) == -signal.SIGKILL
    assert status(stage.output).state == "failed"
    kept = len(stage.records)
    stage.run(serial=True)
    assert kept < len(Result.open(stage.output).plan.grid)
    assert_same(stage, undisturbed)


@pytest.mark.slow
def test_workers_may_come_late_and_leave_early(stage, undisturbed, cluster):
    first = cluster.add_worker()
    process = stage.start(cluster={"scheduler": cluster.address}, engine={"seconds": 0.04})
    stage.wait_for(lambda s: s.blocks_done >= 1)
    # However long a worker takes to come, there is work left for it.
    write_control(stage.output, pause=True)
    [alone] = {record.pid for record in stage.records}
    cluster.add_worker()
    cluster.wait_for_workers(2)
    write_control(stage.output, pause=False)
    while len({record.pid for record in stage.records}) < 2:
        assert process.poll() is None, "it was over before the second worker did anything"
        time.sleep(0.02)
    first.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=200)
    assert process.returncode == 0, said
    assert first.wait(240) is not None
    order = [record.pid for record in stage.records]
    assert len(set(order)) == 2
    assert alone in order
    assert_same(stage, undisturbed)


@pytest.mark.slow
def test_what_a_disk_refuses_for_a_moment_is_tried_again(stage, undisturbed):
    stage.run(fault=stage.fault("temp", 4, error=errno.EIO))
    assert (stage.folder / "counting" / "victim").exists()
    assert_same(stage, undisturbed)
    assert {record.attempt for record in stage.records} == {0}, "nothing had failed as a whole"
    tiles = estimate_cost(Result.open(stage.output).plan).tiles_computed
    seen, drawn = (sum(f(record) for record in stage.records) for f in (_tiles, lambda r: r.tiles.get("drawn", 0)))
    assert sum(record.tiles_done for record in stage.records) == tiles
    assert drawn <= tiles + (seen - tiles) / 2, "only tiles at the moving edge of two workers are drawn by both"


@pytest.mark.parametrize(
    "stage", ["segmentation", pytest.param("super_resolution", marks=pytest.mark.slow)], indirect=True
)
@pytest.mark.slow
def test_a_full_disk_ends_the_run_with_its_state_and_with_room_it_goes_on(stage, undisturbed, small_disk):
    stage.output = small_disk / "out.zarr"
    process = stage.start(engine={"seconds": 0.03})
    stage.wait_for(lambda s: s.blocks_done >= 2)
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(2**16))
    _, said = process.communicate(timeout=200)
    assert process.returncode == 75, said
    assert "DiskFull" in said
    found = stage.records
    assert 2 <= len(found) < 12
    assert {record.state for record in found} <= {"written", "empty"}, "no tile is to blame"
    ballast.unlink()
    stage.run()
    assert_same(stage, undisturbed)
    assert {record.block for record in stage.records} > {record.block for record in found}
