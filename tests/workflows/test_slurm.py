"""Runs on SLURM with fake commands that start real processes; everything else is as on a cluster."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from napari_s1omni.benchmarks.synthetic_run import SyntheticRun
from napari_s1omni.execution.executors import cluster
from napari_s1omni.execution.run.watch import status
from napari_s1omni.jobs.run import run
from napari_s1omni.planning.job import Job
from napari_s1omni.results.result import Result

SCRIPT = Path(__file__).parents[2] / "workflows" / "slurm" / "run.sbatch"

SBATCH = """#!/bin/sh
# The job is a process group; its number is that of the group.
for script; do :; done
cp "$script" "$JOBS/$$.sh"
setsid sh "$JOBS/$$.sh" >>"$JOBS/log" 2>&1 &
echo $! >>"$JOBS/submitted"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
for job; do kill -TERM -- "-$job" 2>/dev/null; echo "$job" >>"$JOBS/cancelled"; done
"""
SRUN = """#!/bin/sh
exec "$@"
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Fake SLURM commands on the path; returns the folder in which they record jobs."""
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed (extra 'cluster')")
    tools, jobs = tmp_path / "bin", tmp_path / "jobs"
    tools.mkdir()
    jobs.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL), ("srun", SRUN)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])
    for name, value in {"PATH": path, "JOBS": str(jobs), "OMP_NUM_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    # Settings that a user has in ~/.config/dask/jobqueue.yaml.
    monkeypatch.setenv("DASK_JOBQUEUE__SLURM__MEMORY", "2GB")
    monkeypatch.setenv("DASK_JOBQUEUE__SLURM__QUEUE", "gpu")
    yield jobs
    for job in numbers(jobs / "submitted"):
        end(job)


def numbers(file):
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def end(job):
    try:
        os.killpg(job, signal.SIGKILL)
    except ProcessLookupError:
        return


@pytest.fixture
def job(tmp_path):
    """A job of a few dozen tiles."""
    image = (np.random.default_rng(0).random((500, 500)) ** 8 * 60000).astype("uint16")
    np.save(tmp_path / "image.npy", image)
    document = {
        "source": str(tmp_path / "image.npy"),
        "output": str(tmp_path / "out.zarr"),
        "operation": {"type": "segmentation", "prompt": "spots of about 12 px"},
        "tiling": {"tile_size": 128, "overlap": 32, "block_size": 192},
        "engine": "reference",
    }
    made = Job.read(document, "test")
    (tmp_path / "job.yaml").write_text(made.dump())
    return made


def assert_same_as_serial(job, tmp_path):
    result = Result.open(job.output)
    assert result.complete
    serial = run(job.replace(output=str(tmp_path / "serial.zarr")), durable=False)
    np.testing.assert_array_equal(result.array[:], serial.array[:])
    return result


@pytest.mark.slow
def test_workers_are_jobs_of_the_queue_and_are_cancelled_at_the_end(slurm, job, tmp_path):
    command = ["s1omni", "run", str(tmp_path / "job.yaml"), "--scheduler", "slurm", "--workers", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    submitted = numbers(slurm / "submitted")
    assert len(submitted) == 2
    assert set(numbers(slurm / "cancelled")) == set(submitted)
    script = next(slurm.glob("*.sh")).read_text()
    assert "#SBATCH -p gpu" in script
    assert "--nthreads 2" in script
    result = assert_same_as_serial(job, tmp_path)
    assert all(record.worker.split("-")[-2] == str(record.pid) for record in result.records)


@pytest.mark.slow
def test_a_job_that_reached_its_time_limit_is_submitted_again(slurm, monkeypatch):
    monkeypatch.setitem(cluster._LOST_WORKER_TIMEOUT, cluster.SLURM, "1s")
    import dask

    dask.config.refresh()
    fleet = cluster.ClusterConfig(workers=1, scheduler=cluster.SLURM)
    with cluster.open_cluster(fleet, SyntheticRun((256, 256)).plan) as (client, count):
        assert count == 1
        client.wait_for_workers(1, timeout=240)
        [first] = numbers(slurm / "submitted")
        end(first)
        until = time.monotonic() + 240
        while len(numbers(slurm / "submitted")) < 2 or not client.scheduler_info(n_workers=-1)["workers"]:
            assert time.monotonic() < until
            cluster.restart_lost_workers(client)
            time.sleep(0.1)
    monkeypatch.undo()
    dask.config.refresh()


@pytest.mark.slow
def test_the_example_runs_in_one_allocation(slurm, job, tmp_path):
    done = subprocess.run(["bash", str(SCRIPT), "job.yaml"], cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert_same_as_serial(job, tmp_path)
    assert not list(tmp_path.glob("s1omni-scheduler-*")), "it removes its file"


@pytest.mark.slow
def test_the_example_stops_before_its_time_limit_and_continues_when_submitted_again(slurm, job, tmp_path):
    image = (np.random.default_rng(0).random((1300, 1300)) ** 8 * 60000).astype("uint16")
    np.save(tmp_path / "image.npy", image)
    command = ["bash", str(SCRIPT), "job.yaml"]
    first = subprocess.Popen(command, cwd=tmp_path, start_new_session=True)
    until = time.monotonic() + 200
    while not (tmp_path / "out.zarr" / ".s1omni" / "status.json").exists() or not status(job.output).blocks_done:
        assert time.monotonic() < until
        time.sleep(0.1)
    # Like --signal=B:TERM: only to the script.
    first.send_signal(signal.SIGTERM)
    assert first.wait(200) == 130
    found = status(job.output)
    assert found.state == "cancelled"
    assert 0 < found.blocks_done < found.blocks_total
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert again.returncode == 0, again.stderr
    assert_same_as_serial(job, tmp_path)
